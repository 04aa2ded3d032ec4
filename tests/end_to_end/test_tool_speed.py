"""How long a user waits, on a machine of the pace on which the limits were set."""

import json
from dataclasses import replace
from time import monotonic

import pytest
from command_line import CommandLine
from pace import best_within


def flash_seconds(tool: CommandLine, model) -> float:
    begin = monotonic()
    finished = tool("flash", model, "--board", "qemu-cortex-m4", "--json", "-")
    seconds = monotonic() - begin
    assert finished.code == 0, finished.err
    print(f"{model.name}: {seconds:.2f} s,", json.loads(finished.out)["seconds"])
    return seconds


@pytest.mark.realtime
def test_a_first_model_takes_less_than_10_s_from_an_empty_cache(tool, tmp_path, model_file):
    kws = model_file("kws_int8.tflite")
    assert best_within(10, lambda n: flash_seconds(replace(tool, cache=tmp_path / f"cache {n}"), kws)) < 10


@pytest.mark.realtime
@pytest.mark.parametrize("name", ["kws", "ad01"])
def test_a_second_model_takes_less_than_5_s(name, tool, tmp_path, model_file):
    first, second = model_file("hello_world_int8.tflite"), model_file(f"{name}_int8.tflite")

    def attempt(number: int) -> float:
        fresh = replace(tool, cache=tmp_path / f"cache {number}")
        flash_seconds(fresh, first)
        return flash_seconds(fresh, second)

    assert best_within(5, attempt) < 5


TEN_BOARDS = (
    *("qemu-cortex-m4", "qemu-cortex-m55", "netduinoplus2", "nucleo_f446re", "nucleo_l4r5zi"),
    *("pico", "pico2", "nano33ble", "teensy41", "esp32s3"),
)


@pytest.mark.realtime
def test_a_budget_of_300_kb_on_ten_boards_takes_less_than_1_s(tool, model_file):
    vww = model_file("vww_int8.tflite")
    boards = [option for board in TEN_BOARDS for option in ("--board", board)]

    def attempt(_number: int) -> float:
        begin = monotonic()
        finished = tool("budget", vww, *boards, "--json", "-")
        seconds = monotonic() - begin
        assert finished.code == 4, finished.err  # the smallest of them is too small
        assert len(json.loads(finished.out)["boards"]) == 10
        return seconds

    assert best_within(1, attempt) < 1


def test_a_budget_loads_no_framework_and_starts_no_other_program(tool, model_file):
    boards = [option for board in TEN_BOARDS for option in ("--board", board)]
    finished = tool("budget", model_file("kws_int8.tflite"), *boards, PYTHONPROFILEIMPORTTIME="1", PATH="")
    assert finished.code == 0
    loaded = {line.rpartition("|")[2].strip() for line in finished.err.splitlines()}
    assert "tinydeploy.budget.account" in loaded
    assert loaded.isdisjoint({"tensorflow", "torch", "onnx", "tflite_micro", "jinja2", "elftools"})


@pytest.mark.realtime
def test_help_is_there_within_0_3_s(tool):
    def attempt(_number: int) -> float:
        begin = monotonic()
        finished = tool("--help")
        seconds = monotonic() - begin
        assert (finished.code, finished.err) == (0, "")
        assert "flash" in finished.out
        return seconds

    assert best_within(0.3, attempt) < 0.3


def test_help_loads_nothing_heavy(tool):
    """What made it slow would be an import; that does not depend on how busy the machine is."""
    finished = tool("--help", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in finished.err.splitlines()}
    assert "tinydeploy.cli" in loaded
    assert loaded.isdisjoint({"numpy", "rich.console", "serial", "jinja2", "ai_edge_litert", "elftools"})
