"""Ctrl-C and SIGTERM at every stage: nothing half-written, nothing left running, and the next command works."""

import re
import signal
import time

import pytest
from command_line import BOARD, CommandLine, finish, wait_for, wait_for_stage

INTERRUPTED = (130, -signal.SIGINT)
"""The same to a shell. Python takes the latter where the signal came within code that is made as text, such as a
dataclass's methods during an import."""

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
"""How files are named while they are written."""


def assert_clean(tool):
    """Nothing of the command runs any more, and no file is half written."""
    wait_for(lambda: not tool.processes(), timeout_s=5)
    half_written = [
        path for root in (tool.folder, tool.cache) for path in root.rglob(".*") if TEMPORARY.fullmatch(path.name)
    ]
    assert not half_written


def assert_interrupted(tool, process):
    begin = time.monotonic()
    finished = finish(process)
    assert finished.code in INTERRUPTED, finished.err
    assert finished.err.splitlines()[-1] == "interrupted"
    assert time.monotonic() - begin < 5
    assert_clean(tool)


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("plan", signal.SIGINT),
        ("generate", signal.SIGTERM),
        ("flash", signal.SIGINT),
        ("flash", signal.SIGTERM),
        ("verify", signal.SIGINT),
        ("stream", signal.SIGTERM),
    ],
)
def test_an_interrupted_deployment_leaves_nothing_behind(tool, model, stage, number):
    process = tool.start("bench", model, "--board", BOARD, "--inferences", "100000")
    wait_for_stage(process, stage)
    if stage in ("flash", "stream"):
        wait_for(lambda: tool.emulators() or process.poll() is not None)
    process.send_signal(number)
    assert_interrupted(tool, process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_the_compilers_and_is_taken_up_again(tmp_path, model, number):
    tool = CommandLine(folder=tmp_path, cache=tmp_path / "cold cache")
    process = tool.start("build", model, "--board", BOARD)
    wait_for_stage(process, "build")
    wait_for(lambda: list(tool.cache.rglob("*.o")))
    process.send_signal(number)
    assert_interrupted(tool, process)
    assert not list(tool.cache.rglob("firmware.elf"))

    finished = tool("flash", model, "--board", BOARD)
    assert finished.code == 0, finished.err


def test_an_interrupted_generate_has_written_everything_or_nothing(tool, model):
    def files(folder):
        return {path.relative_to(folder) for path in folder.rglob("*")}

    whole, cut_short = tool.folder / "whole", tool.folder / "cut short"
    assert tool("generate", model, "--board", BOARD, "-o", whole).code == 0
    process = tool.start("generate", model, "--board", BOARD, "-o", cut_short)
    wait_for(lambda: files(cut_short), every_s=0)
    process.send_signal(signal.SIGINT)
    finish(process)
    assert_clean(tool)
    assert files(cut_short) in (set(), files(whole))


def test_an_impatient_second_ctrl_c_leaves_no_emulator_either(tool, model):
    process = tool.start("bench", model, "--board", BOARD, "--inferences", "100000")
    wait_for_stage(process, "stream")
    wait_for(tool.emulators)
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert_interrupted(tool, process)


def test_a_killed_command_takes_its_emulator_with_it(tool, model):
    process = tool.start("bench", model, "--board", BOARD, "--inferences", "100000")
    wait_for_stage(process, "stream")
    wait_for(tool.emulators)
    process.kill()
    finish(process)
    wait_for(lambda: not tool.emulators(), timeout_s=5)


def test_an_interrupt_before_a_board_is_kept_does_not_keep_it(tool, model):
    process = tool.start("flash", model, "--board", BOARD, "--keep")
    wait_for_stage(process, "verify")
    process.send_signal(signal.SIGINT)
    assert_interrupted(tool, process)
    assert tool("flash", model, "--board", BOARD).code == 0, "the next command works"
