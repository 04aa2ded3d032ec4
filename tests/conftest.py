"""What tests share. Folders of tests are no packages: file names are unique, and modules in tests/ can be imported."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import warm

from tinydeploy import worker

_CHECKOUT = Path(__file__).resolve().parent.parent
_LONGEST = (
    "test_conversion",
    "test_models_on_boards",
    "test_conversions",
    "test_build",
    "test_convert",
    "test_compression",
    "test_plugin_faults",
    "test_bad_line",
    "test_localize",
    "test_interrupt",
    "test_live_models",
    "test_wheel",
)


def pytest_configure() -> None:
    """Frameworks compute with one thread: several tests run at once, and none computes much."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules that take longest begin, so that no worker is left with one of them when the others are done."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


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


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converters and the quantiser start with their frameworks imported: where it is the models that matter."""
    monkeypatch.setattr(worker, "run", warm.run_worker)


@pytest.fixture(scope="session")
def tflm_library() -> Path:
    """The TensorFlow Lite Micro sources that this machine has, or skips the test where it has none."""
    given = os.environ.get("TINYDEPLOY_TFLM_LIB")
    if not given:
        pytest.skip("TensorFlow Lite Micro is not here: set TINYDEPLOY_TFLM_LIB to a folder with its sources")
    return Path(given)
