"""What the outputs have to be: TensorFlow Lite Micro's own interpreter on this computer, or its stand-in."""

import enum
import importlib.metadata
import importlib.util
import io
import re
import signal
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy import process
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable
from tinydeploy.samples import Samples

# Memory that is not touched costs nothing; the larger size is for models that no board here could hold.
_ARENA_BYTES = 64 << 20
_LARGE_ARENA_BYTES = 1 << 30
_ARENA_TOO_SMALL = re.compile(rb"Failed to resize buffer|Failed to allocate (tail )?memory|Arena size is too small")
_SHOWN_REASONS = 4
# What both interpreters print on every start.
_CHATTER = re.compile(r"^(INFO|WARNING|[IW]\d{4}|WARNING:.*|@stage\b.*|\*+)\b")


class Interpreter(enum.Enum):
    """Where reference outputs come from: its name in reports, its package, and how far off it may be in LSB.

    LiteRT's reference kernels (2.3.0) agree with TFLM's but in FULLY_CONNECTED, by 1 a layer; measured over 32 samples
    each, that became 3 at the end of ten layers (ad01) and 10 behind a SOFTMAX with steep logits (resnet8).
    """

    TFLM = ("TensorFlow Lite Micro", "tflite-micro", 0)
    LITERT = ("LiteRT reference kernels", "ai-edge-litert", 16)

    @property
    def tolerance(self) -> int:
        """The largest difference that counts as agreement, in LSB."""
        return self.value[2]

    def __str__(self) -> str:
        name, package, _ = self.value
        return f"{name} ({package} {importlib.metadata.version(package)})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """What the outputs have to be.

    ``outputs`` has one array per graph output, of shape (samples, *tensor shape). ``oracle`` says which interpreter and
    version it was, ``tolerance`` by how many LSB a correct device may differ from it.
    """

    outputs: tuple[npt.NDArray[np.generic], ...]
    oracle: str
    tolerance: int


def available_interpreter() -> Interpreter:
    """TFLM's interpreter where its package is installed, else LiteRT's."""
    return Interpreter.TFLM if importlib.util.find_spec("tflite_micro") else Interpreter.LITERT


def reference_outputs(
    model: bytes, samples: Samples, *, interpreter: Interpreter | None = None, timeout_s: float = 300.0
) -> Reference:
    """Runs the samples, in their order, through the reference interpreter in a process of its own.

    A model with state starts from its initial one. ``interpreter`` is `available_interpreter` unless given.

    Raises:
        ModelError: The interpreter refuses the model, crashes on it or does not finish; has the interpreter's reasons.
    """
    interpreter = interpreter or available_interpreter()
    finished = _run(_request(model, samples, interpreter, _ARENA_BYTES), timeout_s)
    # An interpreter whose arena was too small is not usable again: the larger one gets a new process.
    if finished.exit_code != 0 and _ARENA_TOO_SMALL.search(finished.stderr):
        finished = _run(_request(model, samples, interpreter, _LARGE_ARENA_BYTES), timeout_s)
    if finished.exit_code != 0:
        raise _refusal(finished, interpreter)
    return Reference(outputs=_answer(finished.stdout), oracle=str(interpreter), tolerance=interpreter.tolerance)


def _request(model: bytes, samples: Samples, interpreter: Interpreter, arena_bytes: int) -> bytes:
    stream = io.BytesIO()
    np.savez(
        stream,
        allow_pickle=False,
        model=np.frombuffer(model, np.uint8),
        interpreter=np.array(interpreter.name.lower()),
        arena_bytes=np.array(arena_bytes),
        **{f"input{position}": values for position, values in enumerate(samples.inputs)},
    )
    return stream.getvalue()


def _run(request: bytes, timeout_s: float) -> process.Finished:
    # -P: nothing is imported from where the program is, or from the working directory.
    command: list[str | Path] = [sys.executable, "-P", Path(__file__).with_name("oracle_worker.py")]
    try:
        return process.run(command, package="python3", timeout_s=timeout_s, stdin=request)
    except TimeoutError as error:
        raise ModelError(
            f"the reference interpreter did not finish within {timeout_s:g} s", hint="verify with fewer samples"
        ) from error


def _answer(data: bytes) -> tuple[npt.NDArray[np.generic], ...]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as answer:
            return tuple(answer[f"output{position}"] for position in range(len(answer.files)))
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError("the reference interpreter ended without an answer") from error


def _refusal(finished: process.Finished, interpreter: Interpreter) -> ModelError:
    lines = finished.stderr.decode("utf-8", "replace").splitlines()
    stage = next((line.removeprefix("@stage ") for line in reversed(lines) if line.startswith("@stage ")), "starting")
    said = [printable(line, limit=160) for line in lines if line.strip() and not _CHATTER.match(line)]
    where = {"oracle": str(interpreter), "says": "\n".join(said[-_SHOWN_REASONS:]) or "nothing"}
    if finished.exit_code < 0:
        try:
            ended = signal.Signals(-finished.exit_code).name
        except ValueError:
            ended = f"signal {-finished.exit_code}"
        summary = f"the reference interpreter crashed ({ended}) while {stage}"
        return ModelError(
            summary, where=where, hint="the model is damaged, or uses an op in a way that is not supported"
        )
    if finished.exit_code != 3:
        summary = f"the reference interpreter failed while {stage}"
        return ModelError(summary, where=where, hint="see what is installed: tinydeploy doctor")
    return ModelError(
        f"the reference interpreter does not accept the model (while {stage})",
        where=where,
        hint="convert the model again",
    )
