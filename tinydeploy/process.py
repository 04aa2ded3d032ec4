"""The only place that starts other programs."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinydeploy.errors import BuildError

# Ends a process group as soon as standard input closes, however the process at its other end came to die.
_GUARD = 'read -r _; kill -9 "-$1"'


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a program left behind. A negative exit code is the number of the signal that ended it."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program that runs beside this one; ``guard`` ends it when this process dies, unless it is to go on."""

    process: subprocess.Popen[bytes]
    guard: subprocess.Popen[bytes] | None

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether it no longer runs."""
        return self.process.poll() is not None

    def release(self) -> None:
        """Lets it go on without this process, which forgets about it."""
        self.process.returncode = 0  # otherwise Popen's destructor complains

    def kill(self) -> None:
        """Ends it at once, with all that it started, and waits for that. Harmless if it has ended.

        The guard goes first: it must not outlive the process id that it was given.
        """
        if self.guard:
            _kill(self.guard)
        _kill(self.process)


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
) -> Finished:
    """Runs a program to its end and returns what it wrote; ``on_line`` gets each line of both streams as it comes.

    Whatever ends this call ends the program and all that it started: an error, a timeout, Ctrl-C, this process's death.

    Raises:
        BuildError: The program is not installed; names ``package``.
        TimeoutError: It did not end within ``timeout_s``.
    """
    find_tool(str(command[0]), package=package)
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    child = Child(process=process, guard=_guard(process))
    with process:
        try:
            stdout, stderr = _collect(process, time.monotonic() + timeout_s, on_line or _ignore)
            exit_code = process.wait()
        finally:
            child.kill()
    return Finished(exit_code=exit_code, stdout=stdout, stderr=stderr)


def spawn(
    command: Sequence[str | Path], *, package: str, output: IO[bytes], outlive: bool, pass_fds: Sequence[int] = ()
) -> Child:
    """Starts a program that keeps running, in a process group of its own; both its streams go to ``output``.

    Unless it is to ``outlive`` this process, it ends with it, even if this process is killed.

    Raises:
        BuildError: The program is not installed; names ``package``.
    """
    find_tool(str(command[0]), package=package)
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    return Child(process=process, guard=None if outlive else _guard(process))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its group at once, and waits for it. Harmless if it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def _guard(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Something that ends the process and its group when this process dies."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ignore(_line: str) -> None:
    pass


def _collect(process: subprocess.Popen[bytes], deadline: float, on_line: Callable[[str], None]) -> tuple[bytes, bytes]:
    """All of standard output and standard error, until both are closed."""
    assert process.stdout is not None
    assert process.stderr is not None
    collected = {process.stdout: bytearray(), process.stderr: bytearray()}
    partial = {process.stdout: b"", process.stderr: b""}
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
                *lines, partial[stream] = (partial[stream] + data).split(b"\n")
                if not data and partial[stream]:
                    lines.append(partial[stream])
                for line in lines:
                    on_line(line.decode(errors="replace").rstrip("\r"))
    return bytes(collected[process.stdout]), bytes(collected[process.stderr])
