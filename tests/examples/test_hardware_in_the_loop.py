"""The example's tests pass on a virtual board, and what it and its manual say of options is so."""

import re

import pytest
import yaml
from command_line import CHECKOUT
from plugin_run import PluginRun

EXAMPLE = CHECKOUT / "examples" / "hardware_in_the_loop"
MANUAL = CHECKOUT / "docs" / "hardware-in-the-loop.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return PluginRun(folder=tmp_path_factory.mktemp("runs"), cache=tmp_path_factory.mktemp("cache"))


def test_the_example_passes(run):
    ran = run(EXAMPLE, "-p", "no:cacheprovider", "--tinydeploy-board", "qemu-cortex-m4")
    assert ran.code == 0, ran.out
    assert {case.outcome for case in ran.cases.values()} == {"passed"}
    assert len(ran.cases) == 7
    assert not run.emulators()


def test_the_workflow_can_be_read_and_runs_on_boards_that_there_are(run):
    workflow = yaml.safe_load((EXAMPLE / "boards.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]) == {"virtual", "real"}
    for job in workflow["jobs"].values():
        (command,) = (step["run"] for step in job["steps"] if step.get("name") == "test")
        options = re.findall(r"--tinydeploy-(?:board|port)[ =]\S+", command)
        words = [word for option in options for word in option.replace("board ", "board=").split()]
        ran = run("--collect-only", "-q", *words, "--rootdir", run.folder)
        assert ran.code == pytest.ExitCode.NO_TESTS_COLLECTED, ran.out


@pytest.mark.parametrize("path", [MANUAL, EXAMPLE / "boards.yml", EXAMPLE / "README.md"], ids=lambda path: path.name)
def test_options_that_are_named_are_there_and_the_manual_names_all(run, path):
    shown = run("--help").out
    known = set(re.findall(r"--tinydeploy-[a-z-]+", shown)) | set(re.findall(r"\btinydeploy_[a-z_]+(?= \()", shown))
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"--tinydeploy-[a-z-]+", text))
    assert named <= known
    if path == MANUAL:
        assert {option for option in known if option.startswith("--")} <= named
