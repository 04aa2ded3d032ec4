"""The programs that convert, each in a process of its own; `start` is how they are started.

They import nothing of the rest of this project: the one for ONNX runs in another environment.
"""
