import importlib
import sys
import types

import pytest

from tinydeploy.errors import BuildError


@pytest.fixture
def without_compress(monkeypatch):
    """As if nothing of the stage had been imported yet."""
    for name in [name for name in sys.modules if name.startswith("tinydeploy.compress")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("without_compress")
def test_without_keras_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(BuildError) as raised:
        importlib.import_module("tinydeploy.compress")
    assert raised.value.summary == "Keras, or the backend that it is set to, is not installed"
    assert raised.value.hint == "pip install 'tinydeploy[convert]'"
    assert "keras" in raised.value.where["says"]


@pytest.mark.usefixtures("without_compress")
def test_keras_2_is_not_enough(monkeypatch):
    old = types.ModuleType("keras")
    old.__version__ = "2.15.0"
    monkeypatch.setitem(sys.modules, "keras", old)
    with pytest.raises(BuildError) as raised:
        importlib.import_module("tinydeploy.compress")
    assert raised.value.summary == "Keras 3 is needed, and what is installed is 2.15.0"
    assert raised.value.hint == "pip install 'tinydeploy[convert]'"
