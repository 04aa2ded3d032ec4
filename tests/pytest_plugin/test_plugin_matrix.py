"""Models times boards, in two processes."""

import pytest

BOARDS = ("qemu-cortex-m3", "qemu-cortex-m4")
TESTS = """
import pytest

@pytest.mark.parametrize("model", ["small.tflite", "other.tflite"])
def test_model(deployment, model):
    device = deployment(model)
    device.assert_matches_reference()
    assert device.hello.board == deployment.board.id

@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_kernels(deployment, kernels):
    device = deployment("small.tflite", kernels=kernels)
    device.assert_matches_reference()
    device.latency
"""


@pytest.fixture(scope="module")
def ran(project):
    project.write(TESTS, "test_matrix.py")
    boards = [part for board in BOARDS for part in ("--tinydeploy-board", board)]
    return project("test_matrix.py", "-n", "2", *boards)


def test_each_test_runs_on_each_board_which_is_in_its_name(ran):
    assert ran.code == 0, ran.out
    expected = {f"test_model[{board}-{model}.tflite]" for board in BOARDS for model in ("small", "other")}
    expected |= {f"test_kernels[{board}-{kernels}]" for board in BOARDS for kernels in ("reference", "optimized")}
    assert set(ran.cases) == expected


def test_properties_come_back_from_the_processes(ran):
    for board in BOARDS:
        properties = ran.cases[f"test_kernels[{board}-reference]"].properties
        assert properties["tinydeploy_board"] == board
        assert properties["tinydeploy_kernels"] == "reference"
        assert int(properties["tinydeploy_instructions"]) > 0


def test_all_tests_of_a_board_come_together(project):
    boards = [part for board in BOARDS for part in ("--tinydeploy-board", board)]
    project.write(TESTS, "test_matrix.py")
    shown = project("test_matrix.py", "--collect-only", "-q", *boards).out.splitlines()
    order = [board for line in shown for board in BOARDS if board in line and "::" in line]
    assert order == sorted(order)
