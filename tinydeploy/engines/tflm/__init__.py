"""The TensorFlow Lite Micro engine: its interpreter, the model as it is, and exactly the ops that it needs."""
