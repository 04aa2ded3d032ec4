"""What to do about a model file that is refused, where several readers say the same."""

AGAIN = "convert the model again"
INSIDE = "convert the model again, as one file below 2 GB without external buffers"
SMALLER = "give a model for a microcontroller, or divide this one"
