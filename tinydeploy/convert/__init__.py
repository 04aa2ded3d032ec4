"""Anything to full int8: source → float .tflite → quantised .tflite, audited and measured."""
