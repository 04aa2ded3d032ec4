"""Programs that run in a process of their own, since the interpreters and converters in them crash on some models.

A worker reads one request from standard input and writes one answer to standard output, both .npz. On standard error it
writes a line ``@stage …`` before each step, and whatever its libraries say. It exits with `REFUSED` where the
model is at fault. It imports nothing of this project and is started by its path, so that it starts fast, runs in any
environment that has its libraries, and does not depend on what a working directory holds.
"""

import io
import re
import signal
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy import process
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

Array = npt.NDArray[np.generic]

REFUSED = 3
"""A worker's exit code where it does not accept the model."""

_STAGE = "@stage "
_SHOWN_LINES = 4
# What TensorFlow, LiteRT and TFLM print on every start, and a worker's own lines.
_CHATTER = re.compile(r"^(INFO|WARNING|[IWE]\d{4}|WARNING:.*|@\w+\b.*|\*+)\b")


def run(
    program: Path,
    request: Mapping[str, Array],
    *,
    who: str,
    timeout_s: float,
    timeout_hint: str = "try with fewer samples",
    python: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> process.Finished:
    """Runs a worker to its end. ``who`` is what runs in it, for messages; ``python`` is this one unless given.

    ``on_line`` gets each line that it writes to standard error.

    Raises:
        ModelError: It did not finish in time.
    """
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **request)
    # -P: nothing is imported from where the program is, or from the working directory.
    # -E: what PYTHONPATH adds is for this Python, where it was found, and not for another.
    command: list[str | Path] = [python or sys.executable, "-P" if python is None else "-PE", program]
    try:
        return process.run(
            command, package="python3", timeout_s=timeout_s, stdin=stream.getvalue(), on_error_line=on_line
        )
    except TimeoutError as error:
        raise ModelError(f"{who} did not finish within {timeout_s:g} s", hint=timeout_hint) from error


def answer(finished: process.Finished, who: str) -> dict[str, Array]:
    """What a worker that ended well has answered.

    Raises:
        ModelError: There is no answer.
    """
    try:
        with np.load(io.BytesIO(finished.stdout), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{who} ended without an answer") from error


def refusal(finished: process.Finished, who: str, *, hint: str, where: Mapping[str, str] | None = None) -> ModelError:
    """The error for a worker that refused the model, failed or crashed."""
    stage = stage_of(finished)
    if finished.exit_code == REFUSED:
        summary = f"{who} does not accept the model (while {stage})"
    elif finished.exit_code < 0:
        summary = f"{who} crashed ({_signal_name(-finished.exit_code)}) while {stage}"
    else:
        summary = f"{who} failed while {stage}"
    return ModelError(summary, where={**(where or {}), "says": said(finished)}, hint=hint)


def stage_of(finished: process.Finished) -> str:
    """The step that a worker began last."""
    lines = finished.stderr.decode("utf-8", "replace").splitlines()
    return next((line.removeprefix(_STAGE) for line in reversed(lines) if line.startswith(_STAGE)), "starting")


def said(finished: process.Finished) -> str:
    """The last lines that a worker wrote to standard error, without what it always says; untrusted, made printable."""
    lines = finished.stderr.decode("utf-8", "replace").splitlines()
    kept = [printable(line, limit=160) for line in lines if line.strip() and not _CHATTER.match(line)]
    return "\n".join(kept[-_SHOWN_LINES:]) or "nothing"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
