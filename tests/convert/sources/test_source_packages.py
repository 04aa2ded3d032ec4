"""A package that is missing is named before anything starts."""

import importlib.util

import pytest

from tinydeploy.convert.sources import SourceFormat, to_float
from tinydeploy.convert.sources.packages import require_packages
from tinydeploy.errors import BuildError


@pytest.mark.parametrize(
    ("source", "summary", "extra"),
    [
        (SourceFormat.KERAS, "converting a Keras model needs tensorflow and keras, which are not installed", "convert"),
        (SourceFormat.SAVED_MODEL, "converting a SavedModel needs tensorflow, which is not installed", "convert"),
        (SourceFormat.TORCH, "converting a PyTorch program needs torch and litert_torch, which are not", "torch"),
        (SourceFormat.ONNX, "converting a ONNX model needs onnx, which is not installed", "onnx"),
    ],
)
def test_the_extra_that_brings_a_missing_package_is_named(monkeypatch, source, summary, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BuildError) as caught:
        require_packages(source)
    assert caught.value.exit_code == 5
    assert caught.value.summary.startswith(summary)
    assert caught.value.hint == f"pip install 'tinydeploy[{extra}]'"


def test_nothing_is_started_without_them(monkeypatch, tmp_path):
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    heard = []
    with pytest.raises(BuildError):
        to_float(tmp_path / "m.h5", on_line=heard.append)
    assert not heard
