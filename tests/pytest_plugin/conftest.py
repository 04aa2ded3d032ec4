"""One cache for all tests of the plugin, so that each firmware is built once."""

import os
import shutil
import signal

import pytest
from command_line import wait_for
from plugin_run import PluginRun
from small_models import small_model


@pytest.fixture(scope="session")
def plugin_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory):
    """A folder with a model of one layer, ``small.tflite``, and another one, ``other.tflite``."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "small.tflite").write_bytes(small_model())
    (folder / "other.tflite").write_bytes(small_model(seed=1))
    return folder


@pytest.fixture(scope="module")
def project(plugin_folder, plugin_cache):
    """Runs pytest in that folder; whatever a test does, no emulator may be left when the module has ended."""
    run = PluginRun(folder=plugin_folder, cache=plugin_cache)
    yield run
    for process in run.started:
        process.kill()
        process.communicate()
    left = run.emulators()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not run.emulators())
    assert not left, "an emulator was left running"


@pytest.fixture
def fresh(project, tmp_path):
    """The same in a folder of the test's own, for tests that look at files, or at several runs."""
    for path in project.folder.glob("*.tflite"):
        shutil.copy(path, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return PluginRun(folder=tmp_path, cache=project.cache, started=project.started)
