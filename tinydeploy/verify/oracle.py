"""What the outputs have to be: TensorFlow Lite Micro's own interpreter on this computer, or its stand-in."""

import enum
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy import process, worker
from tinydeploy.errors import ModelError
from tinydeploy.samples import Samples

# Memory that is not touched costs nothing; the larger size is for models that no board here could hold.
_ARENA_BYTES = 64 << 20
_LARGE_ARENA_BYTES = 1 << 30
_ARENA_TOO_SMALL = re.compile(rb"Failed to resize buffer|Failed to allocate (tail )?memory|Arena size is too small")
_WORKER = Path(__file__).with_name("oracle_worker.py")
_WHO = "the reference interpreter"


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
        from importlib.metadata import version  # which loads the parser of e-mails

        name, package, _ = self.value
        return f"{name} ({package} {version(package)})"


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
    finished = _run(model, samples, interpreter, timeout_s=timeout_s, arena_bytes=_ARENA_BYTES)
    # An interpreter whose arena was too small is not usable again: the larger one gets a new process.
    if finished.exit_code != 0 and _ARENA_TOO_SMALL.search(finished.stderr):
        finished = _run(model, samples, interpreter, timeout_s=timeout_s, arena_bytes=_LARGE_ARENA_BYTES)
    if finished.exit_code != 0:
        raise _refusal(finished, interpreter)
    answer = worker.answer(finished, _WHO)
    outputs = tuple(answer[f"output{position}"] for position in range(len(answer)))
    return Reference(outputs=outputs, oracle=str(interpreter), tolerance=interpreter.tolerance)


def _run(
    model: bytes, samples: Samples, interpreter: Interpreter, *, timeout_s: float, arena_bytes: int
) -> process.Finished:
    request = {
        "model": np.frombuffer(model, np.uint8),
        "interpreter": np.array(interpreter.name.lower()),
        "arena_bytes": np.array(arena_bytes),
        **{f"input{position}": values for position, values in enumerate(samples.inputs)},
    }
    return worker.run(_WORKER, request, who=_WHO, timeout_s=timeout_s)


def _refusal(finished: process.Finished, interpreter: Interpreter) -> ModelError:
    hint = "convert the model again"
    if finished.exit_code < 0:
        hint = "the model is damaged, or uses an op in a way that is not supported"
    elif finished.exit_code != worker.REFUSED:
        hint = "see what is installed: tinydeploy doctor"
    return worker.refusal(finished, _WHO, where={"oracle": str(interpreter)}, hint=hint)
