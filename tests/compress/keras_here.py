"""Keras, for the tests of what needs it; without it they are skipped, and say what to install."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums depend on the CPU

WHY = "Keras is not here: pip install 'tinydeploy[convert]'"
pytest.importorskip("tensorflow", reason=WHY)
keras = pytest.importorskip("keras", reason=WHY)
