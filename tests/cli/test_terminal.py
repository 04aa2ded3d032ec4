"""Help, pipes, locales, narrow terminals: the command line where its users are."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from command_line import BOARD, DIGITS, finish

from tinydeploy import __version__
from tinydeploy.cli import tinydeploy

VERBS = sorted(tinydeploy.commands)


def test_help_shows_the_verbs_and_the_exit_codes(tool):
    text = tool("--help", COLUMNS="80").out
    for name in VERBS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", text, re.MULTILINE), f"{name} is not told in one sentence"
    for code in range(10):
        assert re.search(rf"(^|  ){code}  [a-z]", text, re.MULTILINE)


@pytest.mark.parametrize("name", VERBS)
def test_help_of_each_verb_is_complete_and_fits_into_80_columns(tool, name):
    text = tool(name, "--help", COLUMNS="80").out
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text
    for parameter in tinydeploy.commands[name].params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{parameter.name} has no help"
            assert re.search(rf"{parameter.opts[-1]}\b", text)


def test_help_for_somebody_who_types_just_the_name_is_on_standard_error(tool):
    finished = tool()
    assert finished.code == 2
    assert finished.out == ""
    assert finished.err.startswith("Usage: tinydeploy ")


def test_the_version_is_the_packages(tool):
    assert tool("--version").out == f"tinydeploy {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["flahs"], "error: no such command 'flahs'. Did you mean 'flash'?", "tinydeploy --help"),
        (["flash"], "error: missing argument 'MODEL'", "tinydeploy flash --help"),
        (["flash", "m", "--bord", "x"], "error: no such option '--bord'", "tinydeploy flash --help"),
        (["flash", "m", "--buffers", "3"], "3 is not in the range 1<=x<=2", "tinydeploy flash --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistyped_command_line_is_answered_in_the_same_way_as_all_else(tool, arguments, message, hint):
    told = tool.refuses(*arguments, code=2)
    assert message in told
    assert told.endswith(f"\n  try  {hint}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["boards"], ["boards", "--json", "-"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tool, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    finished = finish(tool.start(*arguments, stdout=writing))
    os.close(writing)
    assert "rror" not in finished.err
    assert finished.code != 0, "a script is not told that all was well"


def test_a_full_disk_behind_standard_output_is_told(tool):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        finished = finish(tool.start("boards", stdout=full))
    assert finished.code == 2
    assert finished.err.splitlines()[0] == "error: the system refused: no space left on device"


def test_a_locale_that_lacks_a_character_is_no_reason_to_fail(tool, model):
    finished = tool("bench", model, "--board", BOARD, "--inferences", "2", PYTHONIOENCODING="ascii")
    assert finished.code == 0, finished.err
    assert re.search(r"period +[\d,]+ \?s per inference", finished.out), "it has a micro sign elsewhere"
    finished = tool("inspect", model, LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert finished.code == 0, finished.err


def shown(tool, *arguments, columns):
    """What a command shows on a terminal of this width, as a person sees it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "tinydeploy", *map(str, arguments)]
    env = {**os.environ, "TINYDEPLOY_CACHE_DIR": str(tool.cache), "TERM": "xterm-256color"}
    env.pop("COLUMNS", None)
    process = subprocess.Popen(command, cwd=tool.folder, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        text += part
    os.close(master)
    assert process.wait() == 0
    return text.decode()


def test_a_terminal_sees_progress_bars_that_go_away(tool, model):
    text = shown(tool, "flash", model, "--board", BOARD, columns=100)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    assert "16/16" in text
    assert "verify ..." not in text, "that is for logs"
    for said in ("small.tflite", "built"):
        line = text[: text.index(said)].split("\n")[-1]
        assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in line.split("\x1b[2K")[-1], "a bar is in the way"


def test_a_narrow_terminal_shows_every_figure(tool):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(tool, "inspect", DIGITS, columns=40))
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    for figure in ("DEPTHWISE_CONV_2D", "16,384", "14,496", "qemu-cortex-m55", "41,984 multiply-accumulates"):
        assert figure in text
