"""The command line as its users have it: a process with arguments, an environment, two streams and an exit code."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DIGITS = CHECKOUT / "examples" / "digits" / "digits_int8.tflite"
DIGITS_SAMPLES = CHECKOUT / "examples" / "digits" / "digits_test.npz"
BOARD = "qemu-cortex-m3"

_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """Starts ``tinydeploy`` in ``folder``, with a cache of its own. No command takes longer than ``timeout_s``."""

    folder: Path
    cache: Path
    timeout_s: float = _TIMEOUT_S
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: object, stdout=subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
        """A command that runs; signals reach it as they reach a program in a terminal's foreground."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tinydeploy", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "TINYDEPLOY_CACHE_DIR": str(self.cache), **env},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: object, **env: str) -> Finished:
        """A command, to its end. None may ever show a traceback."""
        return finish(self.start(*arguments, **env), self.timeout_s)

    def refuses(self, *arguments: object, code: int, **env: str) -> str:
        """The message of a command that fails with this exit code, and says nothing on standard output."""
        finished = self(*arguments, **env)
        assert finished.out == ""
        assert finished.code == code, finished.err
        return finished.err[finished.err.index("error: ") :]

    def end(self) -> None:
        """Ends what a test that failed has left running."""
        for process in self.started:
            process.kill()
            process.communicate()

    def emulators(self) -> list[int]:
        """The processes of the virtual boards that run firmware out of this cache."""
        return [pid for pid, words in _processes() if words[0].endswith(b"qemu-system-arm") and self._is_ours(words)]

    def processes(self) -> list[int]:
        """All processes that were started with a path in this cache."""
        return [pid for pid, words in _processes() if self._is_ours(words)]

    def _is_ours(self, words: list[bytes]) -> bool:
        return any(bytes(self.cache) in word for word in words)


def finish(process: subprocess.Popen[str], timeout_s: float = _TIMEOUT_S) -> Finished:
    """Waits for the end of a command."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return Finished(code=process.returncode, out=out or "", err=err)


def wait_for(happened: Callable[[], object], *, timeout_s: float = 30, every_s: float = 0.01) -> None:
    """Waits until something is true."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(every_s)


def wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    """Waits until a command says that it is at this stage."""
    assert process.stderr is not None
    for line in process.stderr:
        if line == f"{stage} ...\n":
            return
    raise AssertionError(f"{process.args} ended before the stage {stage!r}")


def facts(message: str) -> dict[str, str]:
    """The labelled lines of an error message; continued lines belong to the label above them."""
    rows: dict[str, str] = {}
    label = ""
    for line in message.splitlines()[1:]:
        start = re.match(r"  (\S+) +(?=\S)", line)
        if start and not line.startswith("   "):
            label, text = start[1], line[start.end() :]
            rows[label] = text
        else:
            rows[label] += "\n" + line.strip()
    return rows


def _processes() -> list[tuple[int, list[bytes]]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        found.append((int(folder.name), words))
    return found
