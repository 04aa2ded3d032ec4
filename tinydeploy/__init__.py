"""Deploy int8 neural networks to microcontrollers and verify them there, bit for bit."""

__version__ = "0.1.0"
