"""However a run ends, no emulator is left."""

import signal

import pytest
from command_line import wait_for

BOARD = "qemu-cortex-m4"
TESTS = """
import os, pathlib, time
import numpy as np
import pytest

@pytest.mark.parametrize("model", ["small.tflite", "other.tflite"])
def test_it_runs(deployment, model):
    device = deployment(model)
    if model == "other.tflite":
        pathlib.Path("running").touch()
        while True:
            device.run(np.zeros((20, 4), np.int8))

def test_it_crashes(deployment):
    deployment("small.tflite")
    os._exit(3)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_by_a_signal_leaves_no_emulator(fresh, number):
    fresh.write(TESTS)
    process = fresh.start("--tinydeploy-board", BOARD)
    wait_for(lambda: (fresh.folder / "running").exists() or process.poll() is not None, timeout_s=120)
    assert len(fresh.emulators()) == 2
    process.send_signal(number)
    ran = fresh.finish(process)
    assert ran.code == (pytest.ExitCode.INTERRUPTED if number == signal.SIGINT else -number)
    wait_for(lambda: not fresh.emulators(), timeout_s=5)


def test_a_run_that_crashes_leaves_no_emulator(fresh):
    fresh.write(TESTS)
    ran = fresh("--tinydeploy-board", BOARD, "-k", "crashes")
    assert ran.code == 3
    wait_for(lambda: not fresh.emulators(), timeout_s=5)


def test_processes_that_crash_leave_no_emulator(fresh):
    fresh.write(TESTS)
    fresh("--tinydeploy-board", BOARD, "-k", "crashes", "-n", "1", "--max-worker-restart", "0")
    wait_for(lambda: not fresh.emulators(), timeout_s=5)
