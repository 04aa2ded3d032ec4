"""What a model is, and how a .tflite file becomes one."""
