"""What is given to pytest, and what is told where it does not fit; no board takes part."""

import subprocess
import sys

import pytest
from command_line import CHECKOUT

from tinydeploy.files import data_dir

TEST = """
def test_with_a_board(deployment):
    deployment("small.tflite")

def test_without_one():
    pass
"""


@pytest.fixture
def without_board(project):
    project.write(TEST, "test_without_board.py")
    return lambda *options: project("test_without_board.py", *options)


def test_without_a_board_tests_are_skipped_and_told_how_to_give_one(without_board):
    ran = without_board()
    assert ran.code == 0, ran.out
    assert ran.cases["test_with_a_board"].outcome == "skipped"
    assert "--tinydeploy-board ID, such as qemu-cortex-m4" in ran.cases["test_with_a_board"].message
    assert ran.cases["test_without_one"].outcome == "passed"


def test_without_a_board_that_is_required_tests_fail(without_board):
    ran = without_board("--tinydeploy-require")
    assert ran.code == 1
    failed = ran.cases["test_with_a_board"]
    assert failed.outcome == "error"
    assert failed.properties == {"tinydeploy_failure": "no device"}
    assert "--tinydeploy-board ID" in failed.report
    assert "Traceback" not in ran.out
    assert ran.cases["test_without_one"].outcome == "passed"


def test_options_may_stand_in_the_configuration_file(without_board):
    ran = without_board("-o", "tinydeploy_require=true")
    assert ran.cases["test_with_a_board"].outcome == "error"
    ran = without_board("-o", "tinydeploy_board=qemu-cortex-m3 qemu-cortex-m7", "--collect-only", "-q")
    assert "test_with_a_board[qemu-cortex-m3]" in ran.out
    assert "test_with_a_board[qemu-cortex-m7]" in ran.out
    ran = without_board(
        "-o", "tinydeploy_board=qemu-cortex-m3", "--tinydeploy-board", "qemu-cortex-m7", "--collect-only", "-q"
    )
    assert "qemu-cortex-m3" not in ran.out, "the command line goes before it"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tinydeploy-board", "qemu-cortex-m5"], ["unknown board 'qemu-cortex-m5'", "did you mean qemu-cortex-m"]),
        (["--tinydeploy-board", "pico", "--tinydeploy-engine", "tf"], ["unknown engine 'tf'", "one of: aot, tflm"]),
    ],
)
def test_options_that_do_not_fit_are_told_before_anything_runs(without_board, options, words):
    ran = without_board(*options)
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    for expected in words:
        assert expected in ran.out
    assert "Traceback" not in ran.out


def test_a_real_board_without_a_port_is_no_device(fresh):
    """The hint names the option of pytest."""
    fresh.write("def test_it(deployment):\n    deployment('small.tflite', engine='aot')\n")
    path = fresh.folder / "bare.toml"
    text = (data_dir("boards") / "qemu-cortex-m3.toml").read_text(encoding="utf-8")
    before, _, emulator = text.replace('id = "qemu-cortex-m3"', 'id = "bare"').partition("[emulator]")
    path.write_text(before + emulator[emulator.index("\n[") :], encoding="utf-8")
    ran = fresh(f"--tinydeploy-board={path}")
    (failed,) = ran.cases.values()
    assert failed.properties["tinydeploy_failure"] == "no device", ran.out
    assert "does not say how its serial port is known" in failed.report
    assert "--tinydeploy-port=PORT" in failed.report


def test_the_plugin_costs_nothing_where_it_is_not_used():
    script = (
        "import pytest, sys\n"
        "before = set(sys.modules)\n"
        "import tinydeploy.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "tinydeploy",
        "tinydeploy.errors",
        "tinydeploy.pytest_plugin",
        "tinydeploy.testing",
        "tinydeploy.testing.failures",
    ]


def test_a_run_without_the_fixture_imports_nothing_of_ours(fresh):
    ours = "[name for name in sys.modules if name.startswith('tinydeploy.') and 'test' not in name]"
    fresh.write(f"import sys\ndef test_it():\n    assert {ours} == ['tinydeploy.errors']\n")
    ran = fresh("-q")
    assert ran.code == 0, ran.out


def test_another_projects_fixture_of_the_same_name_is_left_alone(fresh):
    fresh.write(
        "import pytest\n"
        "@pytest.fixture\ndef deployment():\n    return 'a cluster'\n"
        "def test_it(deployment):\n    assert deployment == 'another'\n"
    )
    ran = fresh("--tinydeploy-require")
    assert ran.cases["test_it"].outcome == "failure"
    assert ran.cases["test_it"].properties == {}
    assert " tinydeploy -" not in ran.out


def test_this_projects_strict_configuration_is_content_with_the_plugin(fresh):
    fresh.write("def test_it(deployment):\n    pass\n")
    (fresh.folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-config --strict-markers\nfilterwarnings = error\n", encoding="utf-8"
    )
    ran = fresh("-n", "1")
    assert ran.code == 0, ran.out
