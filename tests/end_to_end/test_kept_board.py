"""A virtual board that goes on running: who may come back to it, and what it costs while nobody does."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from command_line import DIGITS, CommandLine, wait_for

from tinydeploy.boards import load_boards
from tinydeploy.deployment import Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.session import Session
from tinydeploy.pipeline import build

BOARD = "qemu-cortex-m4"

# A host that never stops by itself and says when it is in the middle.
ENDLESS_HOST = """
import itertools, sys
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.session import Session

session = Session.open(SerialPort(sys.argv[1]))
for result in session.run(itertools.repeat(bytes(session.hello.input_bytes))):
    print(result.id, flush=True)
"""


def cpu_seconds(pid: int) -> float:
    """The time that all threads of a process have spent computing."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def kept(tool: CommandLine):
    """What `flash --keep` said of the board that it left, which is ended after the test."""
    finished = tool("flash", DIGITS, "--board", BOARD, "--keep", "--json", "-")
    assert finished.code == 0, finished.err
    device = json.loads(finished.out)["device"]
    yield device
    os.kill(device["pid"], signal.SIGTERM)
    wait_for(lambda: not tool.emulators())


def verify(tool: CommandLine, port: str) -> dict[str, object]:
    finished = tool("verify", DIGITS, "--board", BOARD, "--port", port, "--json", "-")
    assert finished.code == 0, finished.err
    report = json.loads(finished.out)
    assert report["ok"]
    assert report["verification"]["exact"]
    return report


def test_a_kept_board_is_verified_as_often_as_one_likes(tool, kept):
    first = verify(tool, kept["port"])
    second = verify(tool, kept["port"])
    assert first["latency"] == second["latency"]
    assert tool.emulators() == [kept["pid"]]


def test_a_host_finds_the_board_usable_after_another_was_killed_in_the_middle(tool, kept):
    host = subprocess.Popen([sys.executable, "-c", ENDLESS_HOST, kept["port"]], stdout=subprocess.PIPE, text=True)
    with host:
        assert host.stdout is not None
        for line in host.stdout:
            if int(line) >= 3:
                break
        host.kill()
    assert host.returncode == -signal.SIGKILL
    verify(tool, kept["port"])


@pytest.mark.usefixtures("use_cache")
@pytest.mark.parametrize("counted", [True, False], ids=["counting instructions", "in real time"])
def test_an_idle_board_sleeps(counted):
    """All boards at once: what they compute in two seconds is not even a hundredth of one core each."""
    with ExitStack() as running:
        pids = {}
        for board in (board for board in load_boards() if board.is_virtual):
            elf = build(DIGITS, Target(board=board.id)).image.elf
            device = running.enter_context(run_virtual_board(board, elf, count_instructions=counted))
            with Session.open(SerialPort(device.port)) as session:
                list(session.run([bytes(session.hello.input_bytes)]))
            pids[board.id] = device.pid
        time.sleep(0.2)
        before = {board: cpu_seconds(pid) for board, pid in pids.items()}
        time.sleep(2)
        spent = {board: cpu_seconds(pid) - before[board] for board, pid in pids.items()}
    print({board: f"{seconds / 2:.1%}" for board, seconds in spent.items()})
    assert max(spent.values()) < 0.02 * 2, spent
