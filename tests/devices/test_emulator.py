"""The virtual boards, with the echo firmware: their ports in C, their clocks, and how QEMU starts and ends."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.errors import BuildError, DeviceNotFoundError, FlashError, LinkError

M3 = find_board("qemu-cortex-m3")
assert M3.emulator is not None

# tests/echo_firmware.c
TIME_SHORT_LOOP, TIME_LONG_LOOP, STACK_USED, USE_STACK, INITIALISED_DATA, RESET, OVERFLOW = range(0xF8, 0xFF)
ECHOED = 0xF8


class Echo:
    """A conversation with the echo firmware."""

    def __init__(self, name: str) -> None:
        self.port = SerialPort(name)

    def __enter__(self) -> Self:
        self.meet()
        return self

    def __exit__(self, *_: object) -> None:
        self.port.close()

    def meet(self) -> None:
        """Repeats a byte until it comes back, and takes what else comes back of it."""
        for _ in range(50):
            self.port.write(b"\x55")
            if self.port.read(1, 0.1):
                break
        else:
            pytest.fail("the board does not answer")
        while self.port.read(64, 0.15):
            pass

    def read_all(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (part := self.port.read(count - len(data), 5.0)):
            data += part
        return data

    def ask(self, command: int) -> int:
        self.port.write(bytes([command]))
        return int.from_bytes(self.read_all(4), "little")

    def loop_instructions(self, board: Board) -> tuple[int, int]:
        """Of the two loops, with what reading the timer takes."""
        return board.instructions(self.ask(TIME_SHORT_LOOP)), board.instructions(self.ask(TIME_LONG_LOOP))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends_soon(pid: int) -> bool:
    for _ in range(500):
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("board", [board for board in load_boards() if board.is_virtual], ids=lambda board: board.id)
def test_a_virtual_board_echoes_counts_instructions_and_starts_again(board, echo_elf):
    data = bytes(random.Random(0).randrange(ECHOED) for _ in range(3000))
    with run_virtual_board(board, echo_elf(board.id)) as device, Echo(device.port) as echo:
        echo.port.write(data)
        assert echo.read_all(len(data)) == data
        short, long = echo.loop_instructions(board)
        assert long - short == 2 * 20_000
        assert echo.ask(INITIALISED_DATA) == 0x600DF00D
        before = echo.ask(STACK_USED)
        assert 32 < before < 512
        echo.ask(USE_STACK)
        assert before + 256 < echo.ask(STACK_USED) < before + 768
        echo.port.write(bytes([RESET]))
        echo.meet()
        assert echo.ask(INITIALISED_DATA) == 0x600DF00D
        assert echo.ask(STACK_USED) < before + 64  # an interrupt may have come deeper


@pytest.mark.parametrize("board", [board for board in load_boards() if board.is_virtual], ids=lambda board: board.id)
def test_three_runs_count_the_same(board, echo_elf):
    counts = set()
    for _ in range(3):
        with run_virtual_board(board, echo_elf(board.id)) as device, Echo(device.port) as echo:
            counts.add(echo.loop_instructions(board))
    assert len(counts) == 1


def test_without_counting_the_timer_follows_real_time(echo_elf):
    with run_virtual_board(M3, echo_elf(M3.id), count_instructions=False) as device, Echo(device.port) as echo:
        short, _ = echo.loop_instructions(M3)
        assert short < 10_000  # 20,000 instructions of 128 ns would be 2.6 ms; the host needs far less


@pytest.mark.parametrize("board", [board for board in load_boards() if board.is_virtual], ids=lambda board: board.id)
def test_a_stack_overflow_restarts_the_board_and_overwrites_nothing(board, echo_elf):
    with run_virtual_board(board, echo_elf(board.id)) as device, Echo(device.port) as echo:
        before = echo.ask(STACK_USED)
        echo.port.write(bytes([OVERFLOW]))
        echo.meet()
        assert echo.ask(INITIALISED_DATA) == 0x600DF00D
        assert echo.ask(STACK_USED) < before + 64  # an interrupt may have come deeper


def test_an_emulator_that_ends_in_the_middle_is_told_in_its_own_words(echo_elf):
    def break_off() -> None:
        with run_virtual_board(M3, echo_elf(M3.id)) as device, Echo(device.port) as echo:
            os.kill(device.pid, signal.SIGTERM)
            assert ends_soon(device.pid)
            echo.port.read(1, 1.0)

    with pytest.raises(LinkError) as caught:
        break_off()
    assert caught.value.exit_code == 8
    assert caught.value.summary == "the connection to the device broke"
    assert "has ended: qemu-system-arm: terminating on signal 15" in caught.value.where["emulator"]


def test_an_emulator_that_is_killed_without_a_word_is_told_with_the_signal(echo_elf):
    def break_off() -> None:
        with run_virtual_board(M3, echo_elf(M3.id)) as device, Echo(device.port) as echo:
            os.kill(device.pid, signal.SIGKILL)
            assert ends_soon(device.pid)
            echo.port.read(1, 1.0)

    with pytest.raises(LinkError) as caught:
        break_off()
    assert caught.value.where["emulator"] == "has ended: killed by signal 9"


def test_the_emulator_ends_with_its_block(echo_elf):
    with run_virtual_board(M3, echo_elf(M3.id)) as device:
        assert is_alive(device.pid)
    assert not is_alive(device.pid)
    with pytest.raises(DeviceNotFoundError, match=f"there is no port {device.port}"):
        SerialPort(device.port)


def test_a_kept_emulator_goes_on_and_can_be_met_again(echo_elf):
    with run_virtual_board(M3, echo_elf(M3.id), keep=True) as device, Echo(device.port):
        pass
    try:
        for _ in range(2):
            with Echo(device.port) as echo:
                assert echo.ask(INITIALISED_DATA) == 0x600DF00D
    finally:
        os.kill(device.pid, signal.SIGKILL)
    os.waitpid(device.pid, 0)


@pytest.mark.parametrize("keep", [False, True])
def test_an_error_in_the_block_ends_the_emulator(keep, echo_elf):
    pids = []

    def fail() -> None:
        with run_virtual_board(M3, echo_elf(M3.id), keep=keep) as device:
            pids.append(device.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not is_alive(pids[0])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_the_emulator_does_not_survive_this_process_however_it_dies(how, echo_elf):
    script = f"""
import time
from pathlib import Path
from tinydeploy.boards import find_board
from tinydeploy.devices.emulator import run_virtual_board
with run_virtual_board(find_board("{M3.id}"), Path({str(echo_elf(M3.id))!r})) as device:
    print(device.pid, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        assert is_alive(pid)
        ours.send_signal(how)
    assert ends_soon(pid)


def test_an_emulator_without_firmware_does_not_start(tmp_path):
    with pytest.raises(FlashError) as caught, run_virtual_board(M3, tmp_path / "none.elf"):
        pass
    assert caught.value.exit_code == 6
    assert caught.value.summary == "the emulator does not start"
    assert f"Could not load kernel '{tmp_path / 'none.elf'}'" in caught.value.where["qemu"]


def test_a_machine_that_qemu_does_not_know_does_not_start(echo_elf):
    board = replace(M3, emulator=replace(M3.emulator, machine="mps9-an999"))
    with pytest.raises(FlashError) as caught, run_virtual_board(board, echo_elf(M3.id)):
        pass
    assert "unsupported machine type" in caught.value.where["qemu"]
    assert caught.value.where["machine"] == "mps9-an999"


@pytest.mark.parametrize(
    ("script", "told"),
    [("exec sleep 60", "no answer within 0.5 s"), ("kill -9 $$", "killed by signal 9"), ("exit 3", "exit code 3")],
)
def test_an_emulator_that_says_nothing_is_told_by_how_it_ended(script, told, echo_elf, monkeypatch, tmp_path):
    elf = echo_elf(M3.id)
    qemu = tmp_path / "qemu-system-arm"
    qemu.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tinydeploy.devices.emulator._START_TIMEOUT_S", 0.5)
    with pytest.raises(FlashError) as caught, run_virtual_board(M3, elf):
        pass
    assert caught.value.where["qemu"] == told


def test_a_missing_qemu_is_named_with_its_package(echo_elf, monkeypatch, tmp_path):
    elf = echo_elf(M3.id)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("qemu-system-arm") is None
    with pytest.raises(BuildError) as caught, run_virtual_board(M3, elf):
        pass
    assert caught.value.exit_code == 5
    assert caught.value.summary == "qemu-system-arm is not installed"
    assert "sudo apt install qemu-system-arm" in caught.value.hint
