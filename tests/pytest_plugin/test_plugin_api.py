"""The fixture `deployment` on a virtual board: all that a test can do with it, and how its assertions fail."""

import hashlib
import re

import pytest
from command_line import DIGITS, DIGITS_SAMPLES

BOARD = "qemu-cortex-m4"

TESTS = f"""
import os, signal
import numpy as np
import pytest
from command_line import CommandLine
from pathlib import Path

DIGITS = {str(DIGITS)!r}
SAMPLES = {str(DIGITS_SAMPLES)!r}
DATA = np.load(SAMPLES)

def test_it_matches(deployment):
    device = deployment(DIGITS)
    device.assert_matches_reference()
    device.assert_matches_reference(DATA["images"][:10])
    device.assert_matches_reference((DATA["images"][:10],))

def test_it_classifies(deployment):
    device = deployment(DIGITS)
    device.assert_accuracy(SAMPLES, minimum=0.98)
    assert device.assert_accuracy(DATA["images"][:20], DATA["labels"][:20], minimum=0.9).right == 20

def test_arrays_come_back_as_they_went(deployment):
    device = deployment(DIGITS)
    images = DATA["images"][:3]
    batch = device.run(images)
    assert batch.shape == (3, 10) and batch.dtype == np.int8
    assert np.array_equal(device.run(images[0]), batch[0])
    assert np.array_equal(device.run(images[:1]), batch[:1])
    assert np.array_equal(device.run((images,)), batch)
    assert device.run(images[:, np.newaxis]).shape == (3, 1, 10)
    quantization = device.plan.graph.tensors[device.plan.graph.inputs[0]].quantization
    reals = ((images.astype(np.float32) - quantization.zero_point) * quantization.scale).astype(np.float32)
    floats = device.run(reals)
    assert floats.dtype == np.float32
    out = device.plan.graph.tensors[device.plan.graph.outputs[0]].quantization
    assert np.allclose(floats, (batch.astype(float) - out.zero_point) * out.scale)

def test_figures(deployment):
    device = deployment(DIGITS)
    device.assert_within(arena="4K", ram="16K", flash="100K", stack="4K", instructions="1M")
    assert device.hello.board == device.plan.board.id == {BOARD!r}
    assert device.memory.arena_bytes <= device.memory.arena_reserved_bytes < device.memory.ram_bytes

def test_a_reset_starts_the_counters_anew(deployment):
    device = deployment(DIGITS)
    device.run(DATA["images"][:3])
    used = device.memory.stack_bytes
    device.reset()
    assert device.memory.stack_bytes < used
    device.assert_matches_reference()

def test_bench(deployment):
    found = deployment("small.tflite").bench(inferences=4)
    assert found.latency.unit == "instructions" and found.streaming.inferences == 4

def test_it_is_the_same_device(deployment, tmp_path):
    device = deployment("small.tflite")
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(Path("small.tflite").read_bytes())
    assert deployment(copy) is device
    assert deployment("small.tflite", buffers=1) is not device
    assert deployment("other.tflite") is not device

@pytest.fixture(scope="module")
def small(deployment):
    return deployment("small.tflite")

def test_a_fixture_may_be_made_of_it(small):
    small.assert_matches_reference()

def test_a_path_is_found_from_any_folder(deployment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deployment("small.tflite").assert_matches_reference()

def test_accuracy_too_low(deployment):
    deployment(DIGITS).assert_accuracy(DATA["images"], (DATA["labels"] + 1) % 10, minimum=0.5)

def test_over_budget(deployment):
    deployment(DIGITS).assert_within(arena="1K", flash=10_000, us=5, ram="1M")

def test_own_assertion(small):
    assert small.run(np.zeros(4, np.int8)).tolist() == "something else"

def test_wrong_shape(small):
    small.run(np.zeros(5, np.int8))

def test_no_model(deployment):
    deployment("nothing.tflite")

def test_the_line_breaks(deployment):
    device = deployment("other.tflite")
    before = set(emulators())
    device.suspend()
    (mine,) = before - set(emulators())
    device.start()
    (pid,) = set(emulators()) - before
    os.kill(pid, signal.SIGKILL)
    device.run(np.zeros((50, 4), np.int8))

def test_the_next_one_starts_it_anew(deployment):
    deployment("other.tflite").assert_matches_reference()

def emulators():
    return CommandLine(folder=Path.cwd(), cache=Path(os.environ["TINYDEPLOY_CACHE_DIR"])).emulators()
"""


@pytest.fixture(scope="module")
def ran(project):
    project.write(TESTS)
    return project("--tinydeploy-board", BOARD, "-v", "-p", "no:cacheprovider", "--tinydeploy-log-dir", "frames")


def case(ran, test):
    return ran.cases[f"{test}[{BOARD}]"]


@pytest.mark.parametrize(
    "test",
    [
        "test_it_matches",
        "test_it_classifies",
        "test_arrays_come_back_as_they_went",
        "test_figures",
        "test_a_reset_starts_the_counters_anew",
        "test_bench",
        "test_it_is_the_same_device",
        "test_a_fixture_may_be_made_of_it",
        "test_a_path_is_found_from_any_folder",
        "test_the_next_one_starts_it_anew",
    ],
)
def test_what_holds_passes(ran, test):
    assert case(ran, test).outcome == "passed", case(ran, test).report


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        ("test_accuracy_too_low", "numbers"),
        ("test_over_budget", "budget"),
        ("test_own_assertion", "test"),
        ("test_wrong_shape", "test"),
        ("test_no_model", "test"),
        ("test_the_line_breaks", "link"),
    ],
)
def test_a_failure_tells_its_kind(ran, test, kind):
    failed = case(ran, test)
    assert failed.outcome == "failure"
    assert failed.properties["tinydeploy_failure"] == kind
    assert ran.section(f"{test}[{BOARD}]").startswith(f"kind    {kind}\n")


def test_no_others_fail(ran):
    assert [name for name, found in ran.cases.items() if found.outcome not in ("passed", "failure")] == []
    assert sum(found.outcome == "failure" for found in ran.cases.values()) == 6


def test_the_way_through_the_package_is_not_shown(ran):
    for found in ran.cases.values():
        assert not re.search(r"tinydeploy/\S+\.py:\d+", found.report), found.report


def test_figures_are_properties_of_the_test(ran):
    properties = case(ran, "test_figures").properties
    assert properties["tinydeploy_board"] == BOARD
    assert properties["tinydeploy_engine"] == "aot"
    assert properties["tinydeploy_model_sha256"] == hashlib.sha256(DIGITS.read_bytes()).hexdigest()
    for figure in ("arena_bytes", "ram_bytes", "flash_bytes", "stack_bytes", "instructions"):
        assert int(properties[f"tinydeploy_{figure}"]) > 0
    assert "tinydeploy_samples" not in properties, "that was another test"


def test_what_was_compared_is_told(ran):
    assert case(ran, "test_it_matches").properties["tinydeploy_max_abs_diff"] == "0.0"
    assert case(ran, "test_it_matches").properties["tinydeploy_samples"] == "10"
    assert case(ran, "test_it_classifies").properties["tinydeploy_accuracy"] == "1.0"


def test_nothing_is_measured_only_to_be_told(ran):
    assert "tinydeploy_instructions" not in case(ran, "test_it_matches").properties


def test_devices_of_one_test_are_told_apart(ran):
    properties = case(ran, "test_it_is_the_same_device").properties
    assert properties["tinydeploy_model"] == "small.tflite"
    assert properties["tinydeploy_3_model"] == "other.tflite"


def test_every_broken_limit_is_told_with_how_much(ran):
    message = case(ran, "test_over_budget").report
    assert "3 limits are not kept: arena, flash, us" in message
    assert "1,968 B (on the board), at most 1,024 B allowed: 944 B too many (92.2%)" in message
    assert "us      not known (this board counts instructions), at most 5 allowed" in message
    assert "kept    ram" in message


def test_wrong_classes_are_told(ran):
    message = case(ran, "test_accuracy_too_low").report
    assert "accuracy 0.00% (0 of 100 samples), at least 50.00% expected" in message
    assert "sample 0: label" in message
    assert "and 92 more" in message
    assert "the reference is no better: it is the model, its conversion, or the samples" in message


def test_a_broken_line_is_told_with_the_end_of_the_emulator(ran):
    message = case(ran, "test_the_line_breaks").report
    assert "the connection to the device broke" in message
    assert "emulator  has ended: killed by signal 9" in message


def test_frames_of_a_failed_test_are_in_a_file(ran, project):
    path = project.folder / "frames" / f"test_boards.py_test_the_line_breaks_{BOARD}.txt"
    assert case(ran, "test_the_line_breaks").properties["tinydeploy_frame_log"] == str(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert f"frames  {path}" in ran.section(f"test_the_line_breaks[{BOARD}]")
    assert lines[0] == f"# test_boards.py::test_the_line_breaks[{BOARD}]"
    assert any("<- HELLO reply" in line and f"board '{BOARD}'" in line for line in lines)
    assert "failed: the connection to the device broke" in lines[-2]
    assert lines[-1].endswith("closed")


def test_tests_that_pass_leave_no_files(ran, project):
    failed = [name for name, found in ran.cases.items() if "tinydeploy_frame_log" in found.properties]
    assert len(list((project.folder / "frames").iterdir())) == len(failed) > 0
