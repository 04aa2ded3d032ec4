"""The JSON that programs read: its keys and types, what is null, and that nothing else is on standard output."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
from command_line import BOARD, CHECKOUT, DIGITS, DIGITS_SAMPLES, CommandLine, wait_for

NULL = type(None)
NUMBER = (int, float)

MODEL = {"path": str, "sha256": str, "macs": int, "ops": dict}
PEAK = {"layer": int, "tensors": list}
FIT = {
    "board": str, "engine": str, "fits": bool, "arena_bytes": int, "ram_bytes": int, "ram_free_bytes": int,
    "flash_bytes": int, "flash_free_bytes": int, "peak": PEAK,
}  # fmt: skip
SECONDS = {"plan": NUMBER, "generate": NUMBER, "build": NUMBER, "flash": NUMBER, "verify": NUMBER, "total": NUMBER}
DEPLOYMENT = {
    "tinydeploy": str,
    "ok": bool,
    "model": MODEL,
    "board": str,
    "engine": str,
    "memory": {
        "arena_bytes": int, "arena_device_bytes": int, "ram_bytes": int, "flash_bytes": int, "code_bytes": int,
        "stack_bytes": int,
    },
    "verification": {"oracle": str, "samples": int, "exact": bool, "max_abs_diff": NUMBER, "first_difference": NULL},
    "latency": {"per_inference": int, "unit": str, "layers": list},
    "seconds": SECONDS,
}  # fmt: skip
STREAMING = {
    "buffers": int, "inferences": int, "period_us": NUMBER, "transfer_us": NUMBER, "computing_us": NUMBER,
    "waiting_us": NUMBER,
}  # fmt: skip
ERROR = {
    "tinydeploy": str,
    "ok": bool,
    "error": {"exit_code": int, "summary": str, "where": dict, "try": str},
}


def assert_has(value, keys, place="result"):
    """``value`` has these keys, with values of these types; a bool is no int."""
    for key, kind in keys.items():
        assert key in value, f"{place} has no {key}"
        if isinstance(kind, dict):
            assert_has(value[key], kind, f"{place}.{key}")
        else:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            assert type(value[key]) in kinds, f"{place}.{key} is {value[key]!r}"


def deployed(tool, *arguments, keys=DEPLOYMENT, code=0):
    """The JSON on standard output, which holds nothing else."""
    finished = tool(*arguments, "--json", "-")
    assert finished.code == code, finished.err
    result = json.loads(finished.out)
    assert_has(result, keys)
    assert result["ok"] is (code == 0)
    return result, finished.err


def test_flash_has_every_figure(tool):
    result, words = deployed(tool, "flash", DIGITS, "--board", BOARD, "--samples", DIGITS_SAMPLES)
    assert result["model"]["path"] == str(DIGITS)
    assert re.fullmatch("[0-9a-f]{64}", result["model"]["sha256"])
    assert result["model"]["macs"] > 0
    assert result["model"]["ops"]["CONV_2D"] == 3
    assert result["board"] == BOARD
    assert result["engine"] == "aot"
    memory = result["memory"]
    assert memory["arena_bytes"] == memory["arena_device_bytes"] > 0
    assert memory["flash_bytes"] > memory["code_bytes"] > 0
    assert memory["ram_bytes"] > memory["stack_bytes"] > 0
    verification = result["verification"]
    assert verification["samples"] == 116
    assert verification["exact"] is True
    assert verification["max_abs_diff"] == 0
    accuracy = verification["accuracy"]
    assert accuracy["samples"] == 100
    assert accuracy["device_correct"] == accuracy["reference_correct"] > 90
    latency = result["latency"]
    assert latency["unit"] == "instructions"
    assert [layer["layer"] for layer in latency["layers"]] == list(range(10))
    assert sum(layer["instructions"] for layer in latency["layers"]) == pytest.approx(latency["per_inference"], rel=0.1)
    stages = [value for name, value in result["seconds"].items() if name != "total"]
    total = result["seconds"]["total"]
    assert sum(stages) - 0.01 < total < 1.5 * sum(stages) + 1, "what is between stages takes time too"
    assert "verified: bit-identical (116 inferences, " in words
    assert "  accuracy   board " in words


def test_bench_has_the_keys_of_flash_and_how_the_stream_went(tool, model):
    result, _ = deployed(tool, "bench", model, "--board", BOARD, "--inferences", "5", "--buffers", "1")
    assert_has(result["streaming"], STREAMING)
    assert result["streaming"]["buffers"] == 1
    assert result["streaming"]["inferences"] == 5


def test_what_verify_does_not_know_is_null(tool, model):
    kept, _ = deployed(tool, "flash", model, "--board", BOARD, "--keep")
    port = kept["device"]["port"]
    try:
        unknown = {"ram_bytes": NULL, "flash_bytes": NULL, "code_bytes": NULL}
        keys = {
            **DEPLOYMENT,
            "memory": {**DEPLOYMENT["memory"], **unknown},
            "seconds": {**SECONDS, "build": NULL, "flash": NULL},
        }
        result, _ = deployed(tool, "verify", model, "--board", BOARD, "--port", port, keys=keys)
    finally:
        os.kill(kept["device"]["pid"], signal.SIGTERM)
        wait_for(lambda: not tool.emulators())
    assert result["verification"] == kept["verification"]
    assert result["latency"] == kept["latency"], "instructions are counted, the same in every run"


def test_inspect_has_layers_and_a_fit_for_each_board(tool):
    result, _ = deployed(tool, "inspect", DIGITS, keys={"tinydeploy": str, "ok": bool, "model": MODEL, "boards": list})
    boards = {fit["board"]: fit for fit in result["boards"]}
    assert {"microbit", "netduinoplus2", "qemu-cortex-m4"} <= boards.keys()
    for fit in boards.values():
        assert_has(fit, FIT)
        assert fit["fits"] is True
        assert fit["ram_free_bytes"] > 0
    layers = result["model"]["layers"]
    assert [layer["layer"] for layer in layers] == list(range(10))
    assert layers[0]["outputs"] == [[1, 8, 8, 16]]
    assert sum(layer["macs"] for layer in layers) == result["model"]["macs"]
    peak = boards["microbit"]["peak"]
    assert layers[peak["layer"]]["arena_bytes"] == max(layer["arena_bytes"] for layer in layers)


def test_boards_lists_what_is_known_of_each(tool):
    result, _ = deployed(tool, "boards", keys={"tinydeploy": str, "ok": bool, "boards": list})
    for board in result["boards"]:
        assert_has(board, {"board": str, "core": str, "flash_bytes": int, "ram_bytes": int, "virtual": bool})


def test_a_failure_is_json_too(tool, model):
    result, words = deployed(tool, "flash", model, "--board", "no-such-board", keys=ERROR, code=2)
    assert result["error"]["exit_code"] == 2
    assert result["error"]["summary"] == "unknown board 'no-such-board'"
    assert "error: unknown board 'no-such-board'\n" in words, "people are told as well"


def test_json_in_a_file_leaves_standard_output_to_people(tool, model):
    finished = tool("inspect", model, "--json", "reports/first.json")
    assert finished.code == 0
    assert_has(json.loads((tool.folder / "reports" / "first.json").read_text()), {"ok": bool, "boards": list})
    assert "FULLY_CONNECTED" in finished.out
    assert tool("inspect", "nothing.tflite", "--json", "failure.json").code == 2
    assert_has(json.loads((tool.folder / "failure.json").read_text()), {"ok": bool, "error": dict})


def test_outputs_that_differ_are_told_with_the_first_and_the_exit_code(tmp_path, cache, model):
    """With a copy of the project whose kernel writes the same value everywhere."""
    for part in ("tinydeploy", "boards", "firmware", "templates"):
        shutil.copytree(CHECKOUT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "firmware" / "kernels" / "scalar" / "fully_connected.c").write_text(
        """\
#include "td_fully_connected.h"

void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < layer->rows * layer->output_depth; i++) {
        output[i] = (int8_t)(77 + 0 * input[0]);
    }
}
"""
    )
    tool = CommandLine(folder=tmp_path, cache=cache)
    np.savez(tmp_path / "samples.npz", x=np.zeros((2, 4), np.int8), labels=np.array([2, 2]))
    keys = {**DEPLOYMENT, "verification": {**DEPLOYMENT["verification"], "first_difference": dict}}
    result, words = deployed(tool, "flash", model, "--board", BOARD, "--samples", "samples.npz", keys=keys, code=1)
    verification = result["verification"]
    assert verification["exact"] is False
    assert verification["max_abs_diff"] > 0
    first = verification["first_difference"]
    assert (first["sample"], first["device"]) == (0, 77.0)
    assert first["reference"] != 77.0
    assert "not as expected: outputs differ (18 inferences" in words
    assert "first in sample 0, output y[" in words
