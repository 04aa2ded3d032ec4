"""Each model is deployed to each board once, with one cache for all of it; the tests look at what came of it."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import DIGITS, DIGITS_SAMPLES, CommandLine

from tinydeploy import pipeline
from tinydeploy.deployment import Deployment, Target
from tinydeploy.model.reader import read_model

FURTHER_SAMPLES = 16

Deploy = Callable[[Path, Sequence[str]], dict[str, Deployment]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A new one; or, so that TensorFlow Lite Micro need not be compiled in each run, the one that is named."""
    given = os.environ.get("TINYDEPLOY_TEST_CACHE")
    return Path(given) if given else tmp_path_factory.mktemp("cache")


@pytest.fixture
def use_cache(cache, monkeypatch) -> Path:
    """For tests that call the Python API themselves."""
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(cache))
    return cache


@pytest.fixture
def tool(tmp_path, cache) -> CommandLine:
    return CommandLine(folder=tmp_path, cache=cache)


@pytest.fixture(scope="session")
def deploy(cache, tmp_path_factory) -> Iterator[Deploy]:
    """Deploys a model to boards, two at a time: an emulator waits for its serial port most of the time.

    To the 16 default inputs come as many random ones, or the images where the model is the example.
    """
    folder = tmp_path_factory.mktemp("samples")
    known: dict[tuple[Path, str], Deployment] = {}
    lock = threading.Lock()

    def one(model: Path, samples: Path, board: str) -> Deployment:
        with lock:
            there = known.get((model, board))
        if there is None:
            there = pipeline.flash(model, Target(board=board), samples=samples)
            with lock:
                known[model, board] = there
        return there

    def deploy_to(model: Path, boards: Sequence[str]) -> dict[str, Deployment]:
        samples = DIGITS_SAMPLES if model == DIGITS else random_samples(model, folder / f"{model.stem}.npy")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TINYDEPLOY_CACHE_DIR", str(cache))
            return dict(zip(boards, pool.map(partial(one, model, samples), boards), strict=True))

    with ThreadPoolExecutor(2) as pool:
        yield deploy_to


def random_samples(model: Path, file: Path) -> Path:
    """The same int8 noise in each run of the tests, other than that of the default samples."""
    graph = read_model(model)
    shape = graph.tensors[graph.inputs[0]].shape
    noise = np.random.default_rng(20261121)
    np.save(file, noise.integers(-128, 128, (FURTHER_SAMPLES, *shape), dtype=np.int8))
    return file
