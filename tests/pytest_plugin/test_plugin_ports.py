"""Boards at ports: virtual ones that run already, something else or nothing there, and who may use them."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import tty
from pathlib import Path

import pytest
from command_line import wait_for

BOARD = "qemu-cortex-m4"
OTHER_BOARD = "qemu-cortex-m3"
BABBLE = "import os, time\nwhile True: os.write(1, b'\\xa5' * 63 + b'\\0'); time.sleep(0.005)"

TESTS = """
import pytest

@pytest.mark.parametrize("model", ["small.tflite", "other.tflite"])
def test_model(deployment, model):
    deployment(model).assert_matches_reference()

def test_the_first_one_again(deployment):
    device = deployment("small.tflite")
    device.assert_matches_reference()
    device.reset()
    device.assert_matches_reference()
"""

HOLDING = """
import pathlib, time

def test_it_holds_the_port(deployment):
    device = deployment("small.tflite")
    device.assert_matches_reference()
    pathlib.Path("holding").touch()
    while not pathlib.Path("let go").exists():
        time.sleep(0.02)
"""

WAITING = """
def test_it_waits(deployment):
    deployment("small.tflite").assert_matches_reference()
"""

TOGETHER = """
import pathlib, time
import pytest

@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_both_at_once(deployment, number, worker_id):
    device = deployment("small.tflite")
    device.assert_matches_reference()
    port = next(line.split()[2] for line in device.log.lines() if line.endswith("opened"))
    pathlib.Path(f"{worker_id}.port").write_text(port)
    deadline = time.monotonic() + 60
    while len(list(pathlib.Path().glob("gw*.port"))) < 2:
        assert time.monotonic() < deadline, "the other process has no board"
        time.sleep(0.02)
"""


CROSSED = """
import pathlib, time

def test_on_both(deployment):
    deployment("small.tflite").assert_matches_reference()
    mark = pathlib.Path(deployment.board.id)
    mark.touch()
    deadline = time.monotonic() + 60
    while not (mark.with_name("qemu-cortex-m3").exists() and mark.with_name("qemu-cortex-m4").exists()):
        assert time.monotonic() < deadline, "the other process has no board"
        time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def kept(project):
    """The ports of three virtual boards that run ``small.tflite``: two of a kind, and one of another."""
    devices = []
    for board in (BOARD, BOARD, OTHER_BOARD):
        finished = project.tool("flash", "small.tflite", "--board", board, "--keep", "--json", "-")
        assert finished.code == 0, finished.err
        devices.append(json.loads(finished.out)["device"])
    yield [device["port"] for device in devices]
    for device in devices:
        os.kill(device["pid"], signal.SIGKILL)
    wait_for(lambda: not project.emulators())


@contextlib.contextmanager
def babbling():
    """A port where something talks that is none of ours."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with subprocess.Popen([sys.executable, "-c", BABBLE], stdin=master, stdout=master) as process:
        try:
            yield os.ttyname(slave)
        finally:
            process.kill()
            os.close(master)
            os.close(slave)


def at(*ports):
    return ["--tinydeploy-board", BOARD, *(f"--tinydeploy-port={port}" for port in ports)]


def test_a_virtual_board_at_a_port_is_one_that_runs_already(fresh, kept):
    fresh.write(TESTS)
    before = fresh.emulators()
    ran = fresh(*at(kept[0]))
    assert [case.outcome for case in ran.cases.values()] == ["passed", "failure", "passed"], ran.out
    assert fresh.emulators() == before, "it runs on, and no other was started"
    wrong = ran.cases[f"test_model[{BOARD}-other.tflite]"]
    assert wrong.properties["tinydeploy_failure"] == "wrong firmware"
    assert "the device runs another firmware" in wrong.report
    assert "tinydeploy_flash_bytes" not in wrong.properties, "nothing was built"


def test_a_port_that_does_not_exist_is_no_device(fresh):
    fresh.write(WAITING)
    (failed,) = fresh(*at("/dev/ttyNONE7")).cases.values()
    assert failed.properties["tinydeploy_failure"] == "no device"
    assert "there is no port /dev/ttyNONE7" in failed.report


def test_something_else_at_the_port_is_no_device_and_its_bytes_are_kept(fresh):
    fresh.write(WAITING)
    with babbling() as port:
        (failed,) = fresh(*at(port)).cases.values()
    assert failed.properties["tinydeploy_failure"] == "no device"
    assert "but no valid frame" in failed.report
    lines = Path(failed.properties["tinydeploy_frame_log"]).read_text(encoding="utf-8").splitlines()
    assert any(line.endswith("version 2") and "-> HELLO" in line for line in lines)
    assert any("<- damaged, 63 B: a5 a5 a5" in line for line in lines)


def test_a_port_that_pytest_takes_for_a_folder_is_told(fresh):
    fresh.write(WAITING)
    ran = fresh("--tinydeploy-board", BOARD, "--tinydeploy-port", "/dev/null")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "--tinydeploy-port=/dev/null" in ran.out


def test_a_port_is_one_process_s_until_its_run_ends(fresh, kept):
    fresh.write(HOLDING, "test_holding.py")
    fresh.write(WAITING, "test_waiting.py")
    holding = fresh.start("test_holding.py", *at(kept[0]), junit="holding.xml")
    wait_for(lambda: (fresh.folder / "holding").exists() or holding.poll() is not None, timeout_s=120)

    (failed,) = fresh("test_waiting.py", *at(kept[0]), "--tinydeploy-port-timeout", "0.5").cases.values()
    assert failed.properties["tinydeploy_failure"] == "no device"
    assert f"no port of the {BOARD} has become free within 0.5 s" in failed.report
    assert f"held   {kept[0]} by " in failed.report
    assert f"(process {holding.pid})" in failed.report

    waiting = fresh.start("test_waiting.py", *at(kept[0]), junit="waiting.xml")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=4)
    (fresh.folder / "let go").touch()
    assert fresh.finish(holding, "holding.xml").code == 0
    assert fresh.finish(waiting, "waiting.xml").code == 0


def test_of_several_ports_each_process_takes_one_that_is_free(fresh, kept):
    fresh.write(TOGETHER)
    ran = fresh("-n", "2", *at(*kept[:2]))
    assert ran.code == 0, ran.out
    assert {path.read_text() for path in fresh.folder.glob("gw*.port")} == set(kept[:2])


def test_two_processes_that_want_each_others_boards_do_not_wait_for_ever(fresh, kept):
    """Both hold one board, and want the other one next."""
    fresh.write(CROSSED)
    boards = (BOARD, OTHER_BOARD)
    ports = [f"--tinydeploy-port={BOARD}={kept[0]}", f"--tinydeploy-port={OTHER_BOARD}={kept[2]}"]
    started = {
        junit: fresh.start(*(f"--tinydeploy-board={board}" for board in order), *ports, junit=junit)
        for junit, order in (("one.xml", boards), ("two.xml", boards[::-1]))
    }
    for junit, process in started.items():
        ran = fresh.finish(process, junit)
        assert ran.code == 0, ran.out
