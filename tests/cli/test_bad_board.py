"""What the command line says about boards: unknown ones, ones that are too small, and machines without the tools."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import BOARD, facts
from small_models import small_model
from tflite_builder import ModelBuilder


def refused(tool, *arguments, code, **env):
    message = tool.refuses(*arguments, code=code, **env)
    return message.splitlines()[0], facts(message)


def test_an_unknown_board_is_answered_with_the_nearest_names(tool, model):
    summary, rows = refused(tool, "flash", model, "--board", "qemu-cortex-m44", code=2)
    assert summary == "error: unknown board 'qemu-cortex-m44'"
    assert rows["try"].startswith("did you mean qemu-cortex-m4 or ")


def test_a_board_unlike_any_is_answered_with_all_names(tool, model):
    summary, rows = refused(tool, "inspect", model, "--board", "z", code=2)
    assert summary == "error: unknown board 'z'"
    assert rows["try"].startswith("one of: disco_f746ng, esp32, ")


def test_a_board_file_that_is_not_there_is_told(tool, model):
    summary, rows = refused(tool, "flash", model, "--board", "mine.toml", code=2)
    assert summary == "error: not a board file: cannot be read: no such file or directory"
    assert rows["file"] == "mine.toml"


def test_a_missing_board_is_asked_for(tool, model):
    summary, rows = refused(tool, "flash", model, code=2)
    assert summary == "error: missing option '--board'"
    assert rows == {"try": "tinydeploy flash --help"}


def test_kws_on_microbit_is_short_by_bytes_at_a_layer(tool, model_file):
    path = model_file("kws_int8.tflite")
    message = tool.refuses("flash", path, "--board", "microbit", code=4)
    assert " B short)" in message
    assert facts(message)["peak"].startswith("op 1 DEPTHWISE_CONV_2D")


def test_a_board_with_too_little_ram_is_short_by_bytes_at_a_layer(tool):
    builder = ModelBuilder()
    small, wide, end = (
        builder.tensor((1, size, size, 2), scale=0.5, name=name)
        for size, name in ((4, "x"), (90, "enlarged"), (3, "y"))
    )
    builder.op("RESIZE_NEAREST_NEIGHBOR", [small, builder.constant(np.array([90, 90], np.int32))], [wide])
    builder.op("MAX_POOL_2D", [wide], [end], filterWidth=30, filterHeight=30, strideW=30, strideH=30, padding="VALID")
    (tool.folder / "wide.tflite").write_bytes(builder.finish(inputs=[small], outputs=[end]))
    summary, rows = refused(tool, "flash", "wide.tflite", "--board", "microbit", code=4)
    assert summary.startswith("error: wide.tflite does not fit on microbit: ")
    needed, there, short = (int(figure.replace(",", "")) for figure in re.findall(r"([\d,]+) B", summary))
    assert there == 16_384
    assert short == needed - there > 0
    assert re.match(r"arena 16,2\d\d B \+ input buffers 64 B \+ ", rows["RAM"])
    assert rows["peak"].splitlines()[0].startswith("op 0 RESIZE_NEAREST_NEIGHBOR")
    assert "16,200 B tensor 1 (enlarged)" in rows["peak"]
    ways = rows["try"].splitlines()[-1]
    assert ways.startswith("a board on which it fits: ")
    assert "netduinoplus2, " in ways


def test_fewer_buffers_are_proposed_where_they_suffice(tool):
    (tool.folder / "long.tflite").write_bytes(small_model(inputs=9000))
    _, rows = refused(tool, "build", "long.tflite", "--board", "microbit", code=4)
    assert rows["try"].startswith("--buffers 1 ")


def path_with(folder: Path, *programs: str) -> str:
    """A search path on which only these programs are."""
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found, f"{program} is needed for this test"
        (folder / program).symlink_to(found)
    return str(folder)


def test_a_missing_compiler_is_named_with_its_package(tool, model):
    finished = tool("build", model, "--board", "netduinoplus2", PATH=path_with(tool.folder / "bin"))
    assert finished.code == 5
    assert finished.err.splitlines()[-4] == "error: arm-none-eabi-gcc is not installed"
    assert facts(finished.err[finished.err.index("error: ") :]) == {
        "package": "gcc-arm-none-eabi (Debian, Ubuntu)",
        "try": "sudo apt install gcc-arm-none-eabi\nor see: tinydeploy doctor",
    }


def test_a_missing_emulator_is_named_with_its_package(tool, model):
    assert tool("build", model, "--board", BOARD).code == 0
    finished = tool("flash", model, "--board", BOARD, PATH=path_with(tool.folder / "bin"))
    assert finished.code == 5
    message = finished.err[finished.err.index("error: ") :]
    assert message.splitlines()[0] == "error: qemu-system-arm is not installed"
    assert facts(message)["package"] == "qemu-system-arm (Debian, Ubuntu)"


def test_doctor_finds_everything_here(tool):
    finished = tool("doctor")
    assert finished.code == 0, finished.out
    assert re.search("everything( that is required)? is there", finished.out)
    assert "arm-none-eabi-gcc" in finished.out


def test_doctor_names_the_package_of_each_missing_tool(tool):
    finished = tool("doctor", "--json", "-", PATH=path_with(tool.folder / "bin"))
    assert finished.code == 5
    result = json.loads(finished.out)
    assert result["ok"] is False
    wanting = {check["name"]: check["try"] for check in result["checks"] if not check["ok"]}
    for name, package in (
        ("Arm GCC", "gcc-arm-none-eabi"), ("C library for Arm", "libnewlib-arm-none-eabi"), ("QEMU", "qemu-system-arm"),
    ):  # fmt: skip
        assert f"sudo apt install {package} " in wanting[name]
        assert f"  {name}: sudo apt install {package} " in finished.err


@pytest.mark.parametrize("verb", ["build", "doctor"])
def test_a_cache_that_cannot_be_made_is_told_with_the_way_out(tool, model, verb):
    (tool.folder / "file").touch()
    arguments = {"build": ("build", model, "--board", BOARD), "doctor": ("doctor",)}[verb]
    finished = tool(*arguments, TINYDEPLOY_CACHE_DIR=str(tool.folder / "file" / "cache"))
    assert finished.code == {"build": 2, "doctor": 5}[verb]
    told = finished.out + finished.err
    assert f"cannot make {tool.folder / 'file' / 'cache'}" in told
    assert "set TINYDEPLOY_CACHE_DIR to a folder that can be written to" in told
