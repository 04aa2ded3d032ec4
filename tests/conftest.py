"""What tests share. Folders of tests are no packages: file names are unique, and modules in tests/ can be imported."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def model_file() -> Callable[[str], Path]:
    """Finds a public test model by its file name, or skips the test where the models are not on this machine."""
    given = os.environ.get("TINYDEPLOY_TEST_MODELS")
    folder = Path(given) if given else _CHECKOUT.parent / "shared" / "models"

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"{name} is not here: set TINYDEPLOY_TEST_MODELS to a folder with the test models")
        return path

    return find


@pytest.fixture(scope="session")
def tflm_library() -> Path:
    """The TensorFlow Lite Micro sources that this machine has, or skips the test where it has none."""
    given = os.environ.get("TINYDEPLOY_TFLM_LIB")
    if not given:
        pytest.skip("TensorFlow Lite Micro is not here: set TINYDEPLOY_TFLM_LIB to a folder with its sources")
    return Path(given)
