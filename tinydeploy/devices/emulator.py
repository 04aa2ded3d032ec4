"""A virtual board: QEMU, running a firmware, with its serial port as a pseudo-terminal."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinydeploy.boards import Board
from tinydeploy.errors import FlashError
from tinydeploy.process import kill, spawn

QEMU_PACKAGE = "qemu-system-arm"

_START_TIMEOUT_S = 10.0
_PORT = re.compile(rb"char device redirected to (\S+) ")


@dataclass(frozen=True, kw_only=True)
class VirtualBoard:
    """A running emulator: its serial port, and its process."""

    port: str
    pid: int


@contextlib.contextmanager
def run_virtual_board(
    board: Board, elf: Path, *, count_instructions: bool = True, keep: bool = False
) -> Iterator[VirtualBoard]:
    """Runs a firmware on a virtual board while the block lasts.

    With ``count_instructions``, the board's timer counts instructions (`Board.instructions`), the same in each run;
    without, it follows real time. The emulator ends with the block, and with this process however that ends. With
    ``keep`` it goes on after the block, and after this process, unless the block raises.

    What is sent before the firmware has set up its serial port is lost: the first message must be repeated.

    Raises:
        BuildError: QEMU is not installed.
        FlashError: QEMU does not start.
    """
    if board.emulator is None:
        raise ValueError(f"{board.id} is not emulated")
    clock = ("-icount", f"shift={board.emulator.icount_shift}") if count_instructions else ()
    command = (*board.emulator.command, *clock, "-serial", "pty", "-kernel", elf)
    with tempfile.TemporaryFile() as output:
        process = spawn(command, package=QEMU_PACKAGE, output=output, outlive=keep)
        ends = not keep
        try:
            yield VirtualBoard(port=_wait_for_port(board, process, output), pid=process.pid)
        except BaseException:
            ends = True
            raise
        finally:
            if ends:
                kill(process)


def _wait_for_port(board: Board, process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
    """The pseudo-terminal's name, which QEMU prints."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        ended = process.poll() is not None
        text = os.pread(output.fileno(), 65536, 0)
        found = _PORT.search(text)
        if ended or time.monotonic() > deadline:
            raise FlashError(
                f"the emulator of {board.id} {'ended at once' if ended else 'does not start'}",
                where={"qemu": text.decode(errors="replace").strip() or f"exit code {process.returncode}"},
                hint="tinydeploy doctor",
            )
        if found:
            return os.fsdecode(found[1])
        time.sleep(0.005)
