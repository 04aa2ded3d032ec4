"""What nobody foresaw: bugs, a full disk at any moment, Ctrl-C. Whatever happens, programs are told that it failed."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest
from command_line import BOARD, Finished, finish, wait_for_stage

from tinydeploy import pipeline
from tinydeploy.cli.options import ENGINE
from tinydeploy.engines import ENGINES
from tinydeploy.errors import UsageError


def broken(tool, failure: str, *arguments: str) -> Finished:
    """The command line with a verb `boards` that does this instead."""
    program = (
        "import errno, sys; from tinydeploy import cli, pipeline\n"
        f"def boards(**_): {failure}\n"
        f"pipeline.boards = boards; sys.argv[1:] = {['boards', *arguments]!r}; cli.main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tool.folder, capture_output=True, text=True, check=False
    )
    return Finished(code=finished.returncode, out=finished.stdout, err=finished.stderr)


def error_in(text: str) -> dict:
    result = json.loads(text)
    assert result["ok"] is False
    return result["error"]


def test_a_bug_is_told_as_one_with_its_place_and_an_exit_code_of_its_own(tool):
    (tool.folder / "result.json").write_text('{"ok": true}')
    finished = broken(tool, "raise KeyError('engine')", "--json", "result.json")
    assert finished.code == 70
    first, place, hint = finished.err.splitlines()
    assert first == "error: an internal error: KeyError: 'engine'"
    assert place.startswith("  place  tinydeploy/cli/")
    assert hint.startswith("  try    this is a bug; please report it with: ")
    error = error_in((tool.folder / "result.json").read_text())
    assert (error["exit_code"], error["summary"]) == (70, "an internal error: KeyError: 'engine'")


def test_a_bug_shows_its_traceback_to_those_who_want_to_see_it(tool):
    finished = broken(tool, "raise KeyError('engine')", "-v")
    assert finished.code == 70
    assert "Traceback (most recent call last)" in finished.err
    assert finished.err.index("Traceback") < finished.err.index("error: an internal error")


def test_a_failure_of_the_system_is_json_too(tool):
    finished = broken(tool, f"raise OSError({errno.ENOSPC}, 'No space left on device')", "--json", "-")
    assert finished.code == 2
    assert finished.err.startswith("error: the system refused: no space left on device\n")
    error = error_in(finished.out)
    assert (error["exit_code"], error["summary"]) == (2, "the system refused: no space left on device")


def test_an_exit_that_no_broken_pipe_made_keeps_its_code(tool):
    assert broken(tool, "sys.exit(3)").code == 3


def test_a_reader_that_has_gone_has_an_exit_code_of_its_own(tool):
    reading, writing = os.pipe()
    os.close(reading)
    finished = finish(tool.start("boards", stdout=writing))
    os.close(writing)
    assert finished.code == 141


def test_an_interrupted_run_does_not_leave_the_json_of_an_earlier_one(tool, model):
    (tool.folder / "result.json").write_text('{"ok": true}')
    process = tool.start("bench", model, "--board", BOARD, "--inferences", "100000", "--json", "result.json")
    wait_for_stage(process, "generate")
    process.send_signal(signal.SIGINT)
    assert finish(process).err.splitlines()[-1] == "interrupted"
    error = error_in((tool.folder / "result.json").read_text())
    assert (error["exit_code"], error["summary"]) == (130, "interrupted")


def test_a_missing_model_reader_is_named(tool, model):
    program = (
        "import sys; sys.modules['ai_edge_litert'] = None\n"
        f"from tinydeploy import cli; sys.argv[1:] = ['inspect', {model.name!r}]; cli.main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tool.folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 5
    assert finished.stderr.startswith("error: a tool is missing: ai-edge-litert, without which no model can be read\n")
    assert "  try     pip install ai-edge-litert; " in finished.stderr


def test_the_command_line_offers_the_engines_that_there_are():
    parameter = ENGINE(lambda: None).__click_params__[0]
    assert list(parameter.type.choices) == list(ENGINES)


@pytest.mark.parametrize(
    "verb",
    [
        lambda model: pipeline.inspect(model, engine="x"),
        lambda model: pipeline.build(model, pipeline.Target(board=BOARD, engine="x")),
    ],
    ids=["inspect", "build"],
)
def test_an_unknown_engine_is_answered_in_the_same_way_by_all(model, verb):
    with pytest.raises(UsageError, match="unknown engine 'x'") as caught:
        verb(model)
    assert caught.value.hint == "one of: aot, tflm"
