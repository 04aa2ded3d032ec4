"""What the user gets to see: text and JSON."""
