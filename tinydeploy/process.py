"""The only place that starts other programs."""

import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinydeploy.errors import BuildError

# Ends its own process group as soon as standard input closes, however the process at its other end came to die; a line
# ends the guard alone.
_GUARD = 'read -r _ || kill -9 "-$$"'


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a program left behind. A negative exit code is the number of the signal that ended it."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program that runs beside this one, in the process group of a guard that was there before it.

    The group ends when ``lifeline`` closes: with this process, or when an exception such as Ctrl-C drops this object.
    """

    process: subprocess.Popen[bytes]
    guard: subprocess.Popen[bytes]
    lifeline: socket.socket

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so in this time."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def release(self) -> None:
        """Lets it go on without this process, which forgets about it once this has returned."""
        self.lifeline.sendall(b"\n")
        self.guard.wait()
        self.lifeline.close()
        self.process.returncode = 0  # otherwise Popen's destructor complains

    def kill(self) -> None:
        """Ends it at once, with all that it started, and waits for that. Harmless if it has ended or was released."""
        _kill_group(self.guard)
        self.process.kill()
        self.process.wait()
        for stream in (self.lifeline, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def ending(exit_code: int) -> str:
    """How a program ended, in words."""
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def find_tool(name: str, *, package: str) -> str:
    """The path of a program on PATH.

    Raises:
        BuildError: It is not there; names the Debian package that brings it.
    """
    path = shutil.which(name)
    if path is None:
        raise BuildError(
            f"{name} is not installed",
            where={"package": f"{package} (Debian, Ubuntu)"},
            hint=f"sudo apt install {package}\nor see: tinydeploy doctor",
        )
    return path


def run(
    command: Sequence[str | Path],
    *,
    package: str,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    on_line: Callable[[str], None] | None = None,
    on_error_line: Callable[[str], None] | None = None,
) -> Finished:
    """Runs a program to its end and returns what it wrote.

    ``on_line`` gets each line of both streams as it comes; ``on_error_line``, where it is given, those of standard
    error alone, which is for programs whose standard output is no text.

    Whatever ends this call ends the program and all that it started: an error, a timeout, Ctrl-C, this process's death.

    Raises:
        BuildError: The program is not installed; names ``package``.
        TimeoutError: It did not end within ``timeout_s``.
    """
    find_tool(str(command[0]), package=package)
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        child = _start(command, cwd=cwd, env=env, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        listeners = (None, on_error_line) if on_error_line else (on_line, on_line)
        stdout, stderr = _collect(child.process, time.monotonic() + timeout_s, listeners)
        exit_code = child.process.wait()
    finally:
        child.kill()
    return Finished(exit_code=exit_code, stdout=stdout, stderr=stderr)


def spawn(command: Sequence[str | Path], *, package: str, output: IO[bytes], pass_fds: Sequence[int] = ()) -> Child:
    """Starts a program that keeps running; both its streams go to ``output``.

    Unless it is released, it ends with this process, even if this process is killed.

    Raises:
        BuildError: The program is not installed; names ``package``.
    """
    find_tool(str(command[0]), package=package)
    return _start(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=pass_fds)


def _start(
    command: Sequence[str | Path],
    *,
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | int,
    stderr: int,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Starts the guard, then the program in its group: so there is no moment at which the program is without one."""
    lifeline, its_end = socket.socketpair()
    with its_end:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            stdin=its_end.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            process_group=guard.pid,
        )
    except BaseException:
        _kill_group(guard)
        lifeline.close()
        raise
    return Child(process=process, guard=guard, lifeline=lifeline)


def _kill_group(guard: subprocess.Popen[bytes]) -> None:
    """Ends the guard and its group at once, unless that was done: the group's number may be another's then."""
    if guard.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()


def _collect(
    process: subprocess.Popen[bytes], deadline: float, listeners: Sequence[Callable[[str], None] | None]
) -> tuple[bytes, bytes]:
    """All of standard output and standard error, until both are closed; each has a listener to its lines, or none."""
    assert process.stdout is not None
    assert process.stderr is not None
    collected = {process.stdout: bytearray(), process.stderr: bytearray()}
    partial = {process.stdout: b"", process.stderr: b""}
    listening = dict(zip(collected, listeners, strict=True))
    with selectors.DefaultSelector() as selector:
        for stream in collected:
            selector.register(stream, selectors.EVENT_READ, stream)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{process.args!r} did not end in time")
            for key, _ in ready:
                stream = key.data
                data = os.read(stream.fileno(), 65536)
                collected[stream] += data
                if not data:
                    selector.unregister(stream)
                on_line = listening[stream]
                if on_line is None:
                    continue
                *lines, partial[stream] = (partial[stream] + data).split(b"\n")
                if not data and partial[stream]:
                    lines.append(partial[stream])
                for line in lines:
                    on_line(line.decode(errors="replace").rstrip("\r"))
    return bytes(collected[process.stdout]), bytes(collected[process.stderr])
