"""Names in a model file, and of it, are anybody's: they reach neither C nor shell, path or terminal as they are."""

import re
import subprocess

import numpy as np
import pytest
from command_line import BOARD
from tflite_builder import ModelBuilder

HOSTILE = (
    "[bold red]markup[/] :pile_of_poo:",
    '*/ #error "out of the comment" /*',
    '"; system("touch pwned"); "',
    "\\\n#include </etc/passwd>\n",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "../../../../escaped",
    "$(touch pwned) `touch pwned`",
    "{{ 7 * 7 }} {% raw %} ??/",
    "\u202egnp.exe \u2028 \x9b31m",
    "%s%n",
)

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]")
"""What a terminal would obey, but for the end of a line."""


def assert_harmless(text):
    assert not CONTROL.search(text), repr(text)
    assert "\N{PILE OF POO}" not in text


def chain(kinds):
    """A model of these ops, with a hostile name for each tensor."""
    builder = ModelBuilder()
    tensors = [builder.tensor((1, 4), scale=0.5, name=HOSTILE[index % len(HOSTILE)]) for index in range(len(kinds) + 1)]
    for index, kind in enumerate(kinds):
        if kind == "ADD":
            other = builder.constant(np.ones((1, 4), np.int8), scale=0.5, name=HOSTILE[index])
            builder.op(kind, [tensors[index], other], [tensors[index + 1]])
        else:
            builder.op(kind, [tensors[index]], [tensors[index + 1]])
    return builder.finish(inputs=tensors[:1], outputs=tensors[-1:])


@pytest.fixture
def hostile(tool):
    """A model that runs, in which every name is hostile, and so is that of its file."""
    path = tool.folder / "evil '; touch pwned; ' \x1b[31m\n*` model.tflite"
    path.write_bytes(chain(["ADD"] * len(HOSTILE)))
    return path


def test_the_generated_project_has_none_of_them(tool, hostile):
    finished = tool("generate", hostile, "--board", BOARD, "-o", "project")
    assert finished.code == 0, finished.err
    assert_harmless(finished.out + finished.err)
    project = tool.folder / "project"
    own = [project / name for name in ("platformio.ini", "README.md", "linker.ld", "src", "include")]
    for path in (file for place in own for file in ([place] if place.is_file() else place.rglob("*.?"))):
        text = path.read_text(encoding="ascii")
        assert not CONTROL.search(text), path
        for part in ("*/ #", "system(", "passwd", "touch pwned)", "??/", "{{", "{%", "%s", '"; '):
            assert part not in text, f"{part} in {path}"
    assert {path.name for path in tool.folder.iterdir()} == {"project", hostile.name}


def test_a_board_runs_it_and_reports_show_it_harmlessly(tool, hostile):
    inspected = tool("inspect", hostile)
    assert inspected.code == 0, inspected.err
    assert "[bold red]markup[/] :pile_of_poo:" in inspected.out, "shown, but without meaning"
    finished = tool("bench", hostile, "--board", BOARD, "--inferences", "2")
    assert finished.code == 0, finished.err
    lock = tool.folder / "tinydeploy.lock"
    assert_harmless(inspected.out + finished.out + finished.err + lock.read_text(encoding="utf-8"))
    assert {path.name for path in tool.folder.iterdir()} == {hostile.name, lock.name}


def test_what_is_printed_for_a_shell_is_one_word_there(tool, hostile):
    finished = tool("build", hostile, "--board", BOARD)
    assert finished.code == 0
    finished = tool("generate", hostile, "--board", BOARD, "-o", "it's here; touch pwned")
    command = finished.out.split("build it with: ")[1].replace("pio run", "echo")
    shown = subprocess.run(["sh", "-c", command], cwd=tool.folder, capture_output=True, text=True, check=True)
    assert shown.stdout == "-d it's here; touch pwned\n"
    assert not (tool.folder / "pwned").exists()


@pytest.mark.parametrize("code", [2, 3])
def test_error_messages_show_them_harmlessly(tool, code):
    path = tool.folder / "evil \x1b[31m.tflite"
    if code == 3:
        path.write_bytes(chain(HOSTILE))
    finished = tool("inspect", path)
    assert finished.code == code
    assert_harmless(finished.err)
    assert "evil " in finished.err
    assert code == 2 or "op 9 " in finished.err
