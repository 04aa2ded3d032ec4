"""What each layer costs on a board, and what a layer of its kind usually costs there."""
