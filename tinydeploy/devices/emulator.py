"""A virtual board: QEMU, running a firmware, with its serial port as a pseudo-terminal."""

import contextlib
import os
import socket
import tempfile
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinydeploy.boards import Board, Emulator
from tinydeploy.errors import FlashError, TinydeployError
from tinydeploy.process import Child, ending, spawn

QEMU_PACKAGE = "qemu-system-arm"

# Its serial port is gone a moment before it is, more so on a busy machine.
_ENDING_S = 0.3
_START_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class VirtualBoard:
    """A running emulator: the name of its serial port, and its process."""

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
    with tempfile.TemporaryFile() as output:
        child, port = _start(board.emulator, elf, count_instructions, output)
        try:
            yield VirtualBoard(port=port, pid=child.pid)
            if keep:
                child.release()
        except TinydeployError as error:
            if child.ends_within(_ENDING_S):
                error.where["emulator"] = f"has ended: {_words(output) or ending(child.process.returncode)}"
            raise
        finally:
            child.kill()


def _start(emulator: Emulator, elf: Path, count_instructions: bool, output: IO[bytes]) -> tuple[Child, str]:
    """Starts QEMU and waits until it runs.

    The pseudo-terminal is made here and both its ends are handed to QEMU. QEMU can make one itself, but then notices
    up to a second late that somebody has opened it (chardev/char-pty.c looks once a second).
    """
    with contextlib.ExitStack() as ours:
        control, controlled = socket.socketpair()
        ours.enter_context(control)
        ours.enter_context(controlled)
        master, terminal = os.openpty()
        ours.callback(os.close, master)
        ours.callback(os.close, terminal)
        tty.setraw(terminal)
        command: list[str | Path] = [*emulator.command, "-kernel", elf]
        command += ["-icount", f"shift={emulator.icount_shift}"] if count_instructions else []
        command += ["-add-fd", f"fd={master},set=1", "-chardev", "serial,id=uart,path=/dev/fdset/1"]
        command += ["-serial", "chardev:uart"]
        command += ["-chardev", f"socket,id=control,fd={controlled.fileno()}", "-mon", "chardev=control,mode=control"]
        descriptors = (master, terminal, controlled.fileno())
        child = spawn(command, package=QEMU_PACKAGE, output=output, pass_fds=descriptors)
        controlled.close()
        try:
            _wait_until_running(control)
        except OSError as error:
            child.kill()
            is_mute = isinstance(error, TimeoutError)
            end = f"no answer within {_START_TIMEOUT_S:g} s" if is_mute else ending(child.process.returncode)
            raise FlashError(
                "the emulator does not start",
                where={"firmware": str(elf), "machine": emulator.machine, "qemu": _words(output) or end},
                hint="tinydeploy doctor",
            ) from error
        except BaseException:
            child.kill()
            raise
        return child, os.ttyname(terminal)


def _wait_until_running(control: socket.socket) -> None:
    """Has QEMU answer over its control protocol, which it does once the machine is complete.

    Raises:
        OSError: It has ended, or does not answer in time.
    """
    control.settimeout(_START_TIMEOUT_S)
    control.sendall(b'{"execute": "qmp_capabilities"}\n')
    answer = b""
    while b'"return"' not in answer:
        part = control.recv(4096)
        if not part:
            raise ConnectionResetError
        answer += part


def _words(output: IO[bytes]) -> str:
    """What QEMU said last. A crash of the machine comes with a dump of its registers, which tells a user nothing."""
    lines = os.pread(output.fileno(), 65536, 0).decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("qemu")] or lines
    return "\n".join(told[-3:])
