"""One cache for all tests of the command line, so that each firmware is built once."""

import os
import signal

import pytest
from command_line import CommandLine, wait_for
from small_models import small_model


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tool(tmp_path, cache):
    """The command line in an empty folder; whatever a test does, no emulator may be left when it has ended."""
    tool = CommandLine(folder=tmp_path, cache=cache)
    yield tool
    tool.end()
    left = tool.emulators()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not tool.emulators())
    assert not left, "an emulator was left running"


@pytest.fixture
def model(tmp_path):
    """A model of one layer, ``small.tflite`` in the test's folder."""
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    return path
