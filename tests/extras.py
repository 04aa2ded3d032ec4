"""Marks for tests of what only comes with one of the package's extras: without it they are skipped, and say so."""

import importlib.util

import pytest

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed: pip install '.[convert]'"
)
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed: pip install '.[plot]'"
)
