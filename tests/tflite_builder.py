"""What builds the tests' models: the benchmark's own builder, by a shorter name."""

from tinydeploy.benchmark.tflite_builder import ModelBuilder, opened

__all__ = ["ModelBuilder", "opened"]
