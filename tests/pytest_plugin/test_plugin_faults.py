"""What goes wrong with a firmware and with a real board, each fault made for real in a copy of this project.

The copy has a kernel that computes something else, one that does not compile, and a real board: the virtual one
without its emulator, which a script starts when PlatformIO's upload step writes to the board.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bare_board import add_upload, bare_board
from command_line import CHECKOUT, DIGITS

TESTS = f"""
DIGITS = {str(DIGITS)!r}

def test_a_kernel_that_computes_something_else(deployment):
    deployment("small.tflite", kernels="reference").assert_matches_reference()

def test_other_kernels_are_right(deployment):
    deployment("small.tflite").assert_matches_reference()

def test_a_kernel_that_does_not_compile(deployment):
    deployment(DIGITS, kernels="reference")

def test_it_does_not_compile_any_better_the_second_time(deployment):
    deployment(DIGITS, kernels="reference")

def test_a_model_that_is_none(deployment, tmp_path):
    (tmp_path / "none.tflite").write_bytes(b"none")
    deployment(tmp_path / "none.tflite")
"""

REAL_TESTS = """
def test_two_models_take_turns(deployment):
    small, other = deployment("small.tflite"), deployment("other.tflite")
    small.assert_matches_reference()
    other.assert_matches_reference()
    other.assert_matches_reference()
    assert deployment("small.tflite") is small
    small.assert_within(flash="1M")

def test_time_is_in_microseconds(deployment):
    deployment("small.tflite").assert_within(us="1M")

def test_instructions_are_not_known(deployment):
    deployment("small.tflite").assert_within(instructions="1M")
"""

REFUSING_TESTS = """
def test_flashing_fails(deployment):
    deployment("small.tflite")
"""


@pytest.fixture(scope="module")
def faulty(project, tmp_path_factory):
    """The copy with its faults."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("tinydeploy", "boards", "templates", "firmware"):
        shutil.copytree(CHECKOUT / name, copy / name)
    kernels = copy / "firmware" / "kernels" / "reference"
    wrong = kernels / "fully_connected.c"
    wrong.write_text(wrong.read_text().replace("sum = layer->bias[channel];", "sum = layer->bias[channel] + 500;"))
    (kernels / "softmax.c").write_text("int td_softmax(void) { return undeclared; }\n")
    add_upload(copy / "firmware")
    assert "+ 500" in wrong.read_text()
    return replace(project, checkout=copy)


@pytest.fixture(scope="module")
def real_board(faulty):
    """The file of a real board, and the port at which it is; what runs there is ended after the tests."""
    with bare_board(faulty.folder) as board:
        yield board


@pytest.fixture(scope="module")
def ran(faulty):
    faulty.write(TESTS, "test_faults.py")
    return faulty("test_faults.py", "--tinydeploy-board", "qemu-cortex-m4")


def case(ran, test):
    return ran.cases[f"{test}[qemu-cortex-m4]"]


def test_a_wrong_kernel_is_a_matter_of_numbers(ran):
    failed = case(ran, "test_a_kernel_that_computes_something_else")
    assert failed.properties["tinydeploy_failure"] == "numbers"
    assert "outputs differ from the reference: " in failed.report
    assert " of 48 values, in " in failed.report
    assert "first    sample 0, output y[0, 0]: device " in failed.report
    assert "as reals: device " in failed.report
    assert "(scale 0.5)" in failed.report
    assert "--localize" in failed.report
    assert float(failed.properties["tinydeploy_max_abs_diff"]) > 0
    assert case(ran, "test_other_kernels_are_right").outcome == "passed"


def test_a_compiler_error_is_one_of_the_build(ran):
    failed = case(ran, "test_a_kernel_that_does_not_compile")
    assert failed.properties["tinydeploy_failure"] == "build"
    assert "undeclared" in failed.report
    assert "tinydeploy_frame_log" not in failed.properties, "nobody has talked to anybody"


def test_what_does_not_build_is_not_built_again(ran):
    again = case(ran, "test_it_does_not_compile_any_better_the_second_time")
    assert again.properties["tinydeploy_failure"] == "build"
    assert "undeclared" in again.report


def test_a_model_that_cannot_be_read_is_one_of_the_build(ran):
    assert case(ran, "test_a_model_that_is_none").properties["tinydeploy_failure"] == "build"


def test_a_real_board_is_written_to_when_another_firmware_is_to_run(faulty, real_board):
    path, port = real_board
    faulty.write(REAL_TESTS, "test_real.py")
    options = ("--tinydeploy-engine", "aot", "--tinydeploy-port", port)
    ran = faulty("test_real.py", "--tinydeploy-board", path, *options)
    outcomes = {name.partition("[")[0]: found.outcome for name, found in ran.cases.items()}
    assert outcomes == {
        "test_two_models_take_turns": "passed",
        "test_time_is_in_microseconds": "passed",
        "test_instructions_are_not_known": "failure",
    }, ran.out
    # small, other, small, other, small: each time the other one runs
    assert Path(f"{port}.log").read_text().count("written") == 5
    assert int(ran.cases["test_time_is_in_microseconds[bare]"].properties["tinydeploy_us"]) >= 0
    report = ran.cases["test_instructions_are_not_known[bare]"].report
    assert "instructions  not known (this board counts us), at most 1,000,000 allowed" in report


def test_a_board_that_cannot_be_written_to_is_told(faulty, real_board):
    path, port = real_board
    faulty.write(REFUSING_TESTS, "test_refusing.py")
    Path(f"{port}.refuses").touch()
    options = ("--tinydeploy-engine", "aot", "--tinydeploy-port", port)
    ran = faulty("test_refusing.py", "--tinydeploy-board", path, *options)
    Path(f"{port}.refuses").unlink()
    (failed,) = ran.cases.values()
    assert failed.properties["tinydeploy_failure"] == "flash", ran.out
    assert "the chip's boot loader does not answer" in failed.report
