"""What all workers have in common: their answer, their refusals, and the comparison with the source."""

import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SAMPLES = 4
_SEED = 1
_HIGHEST_DB = 150.0  # Of identical outputs: about what float32 can tell apart.


class Refusal(Exception):  # noqa: N818 - it is an answer
    """The model cannot be converted, and this is what the user is told."""

    def __init__(self, summary: str, *, where: Mapping[str, str] | None = None, hint: str = "") -> None:
        super().__init__(summary)
        self.summary, self.where, self.hint = summary, dict(where or {}), hint

    def told(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return {"summary": self.summary, "where": self.where, "hint": self.hint}


@dataclass(frozen=True, kw_only=True)
class Port:
    """One input or output.

    ``key`` is its key in the .tflite's signature, ``name`` the one it has in the source. ``shape`` is the source's,
    with batch 1; ``permutation`` takes it to that of the .tflite.
    """

    key: str
    name: str
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    permutation: tuple[int, ...] | None = None

    def laid_out(self, values: Array) -> Array:
        """An array of the source's layout in that of the .tflite."""
        return values if self.permutation is None else np.ascontiguousarray(values.transpose(self.permutation))


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A conversion: the float .tflite, and how the source computes the same."""

    data: bytes
    source: str
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    run: Callable[[list[Array]], list[Array]]

    def answer(self) -> dict[str, Any]:
        """As it goes into JSON, with the agreement measured."""
        stage("comparing with the source")
        return {
            "source": self.source,
            "inputs": [{"key": p.key, "name": p.name, "permutation": p.permutation} for p in self.inputs],
            "outputs": [{"key": p.key, "name": p.name} for p in self.outputs],
            "agreement_db": min(agreements_db(self), default=_HIGHEST_DB),
        }


def stage(name: str) -> None:
    """A step begins."""
    _tell("stage", name)


def suspect(layers: Sequence[str]) -> None:
    """The layers that the converter may not survive, as they are named in an error."""
    for layer in layers:
        _tell("suspect", json.dumps(layer))


def _tell(label: str, text: str) -> None:
    sys.stderr.write(f"@{label} {text}\n")
    sys.stderr.flush()


def answered(work: Callable[[Path], Any], source: Path) -> tuple[dict[str, Any], bytes]:
    """The answer to a request and the .tflite; what fails for an unforeseen reason is told in a line, not in pages."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = work(source)
            return result.answer(), result.data
    except Refusal:
        raise
    except Exception as error:
        hint = "see what was said before: -v"
        raise Refusal("the model cannot be converted", where={"says": reason(error)}, hint=hint) from error


def reason(error: BaseException) -> str:
    """The first line of an exception that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def fixed_shape(name: str, sizes: Sequence[int | None], *, export: str) -> tuple[int, ...]:
    """The shape of an input with batch 1; an open dimension is None, and the first one is the batch.

    Raises:
        Refusal: Another dimension is open, or the batch is fixed at another number. ``export`` says how to fix that.
    """
    shown = f"({', '.join(map(str, sizes))})"
    if None in sizes[1:]:
        raise Refusal(
            f"input {name} has dimensions of no fixed size: {shown}",
            hint=f"a microcontroller computes one shape: {export}",
        )
    if len(sizes) > 1 and sizes[0] not in {None, 1}:
        raise Refusal(f"input {name} has a batch that is fixed at {sizes[0]}: {shown}", hint=f"{export}, with batch 1")
    return tuple(1 if size is None else size for size in sizes)


def random_input(port: Port, rng: np.random.Generator) -> Array:
    """Values between -1 and 1, which as an index are 0; 0 and 1 for wide integers, which may be indices."""
    dtype = np.dtype(port.dtype)
    if dtype.kind == "f":
        return rng.uniform(-1.0, 1.0, port.shape).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, port.shape, dtype=dtype, endpoint=True)
    return rng.integers(0, 2, port.shape).astype(dtype)


def agreements_db(converted: Converted) -> list[float]:
    """Signal-to-noise ratio of each of the .tflite's outputs against the source's, in dB, within -150 and 150."""
    rng = np.random.default_rng(_SEED)
    run = tflite_runner(converted.data)
    signal, noise = np.zeros(len(converted.outputs)), np.zeros(len(converted.outputs))
    for _ in range(_SAMPLES):
        arrays = [random_input(port, rng) for port in converted.inputs]
        expected = converted.run(arrays)
        found = run({port.key: port.laid_out(values) for port, values in zip(converted.inputs, arrays, strict=True)})
        for position, (port, values) in enumerate(zip(converted.outputs, expected, strict=True)):
            laid_out, other = port.laid_out(np.asarray(values, float)), np.asarray(found[port.key], float)
            if laid_out.size != other.size:
                raise Refusal(
                    f"output {port.name} has {other.size} values in the .tflite, {laid_out.size} in the source"
                )
            added = _energies(laid_out.ravel(), other.ravel())
            signal[position] += added[0]
            noise[position] += added[1]
    return [*map(ratio_db, signal, noise)]


def _energies(expected: Array, found: Array) -> tuple[float, float]:
    """Of the expected values and of the differences; the latter is infinite where one side alone is a number.

    What is no number on both sides, and the same there, is not counted: logarithms of random values may be none.
    """
    same = (expected == found) | (np.isnan(expected) & np.isnan(found))
    counted = np.isfinite(expected) | ~same
    expected, found = expected[counted], found[counted]
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return 0.0, math.inf
    return float(np.sum(np.square(expected))), float(np.sum(np.square(expected - found)))


def ratio_db(signal: float, noise: float) -> float:
    """The ratio of two energies in dB, within what float32 can tell apart; the noise may be infinite."""
    if noise == 0.0:
        return _HIGHEST_DB
    if signal == 0.0 or noise == math.inf:
        return -_HIGHEST_DB
    return max(-_HIGHEST_DB, min(_HIGHEST_DB, 10.0 * math.log10(signal / noise)))


def tflite_runner(data: bytes) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """A function from a float .tflite's inputs to its outputs, both by the keys of its only signature.

    Each call starts from the initial state.
    """
    from ai_edge_litert.interpreter import Interpreter

    def run(inputs: dict[str, Array]) -> dict[str, Array]:
        interpreter = Interpreter(model_content=data)
        (signature,) = interpreter.get_signature_list()
        outputs: dict[str, Array] = interpreter.get_signature_runner(signature)(**inputs)
        return outputs

    return run


def require_plain_ops(data: bytes, suspects: Sequence[str], *, hint: str) -> None:
    """Nothing, where the .tflite has only ops of TensorFlow Lite, and no loops, branches or variables.

    Raises:
        Refusal: It has others, which cannot be quantised; names them, or the layers that are known for loops.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    codes = [model.OperatorCodes(position) for position in range(model.OperatorCodesLength())]
    custom = sorted({code.CustomCode().decode() for code in codes if code.CustomCode()})
    if custom:
        raise unknown_ops(custom)
    kinds = {max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes}
    names = ("IF", "STABLEHLO_WHILE", "VAR_HANDLE", "WHILE")
    found = [name for name in names if getattr(schema.BuiltinOperator, name, None) in kinds]
    if found:
        raise loop_refusal(f"({', '.join(found)})", suspects, hint=hint)


def unknown_ops(names: Sequence[str], layers: Sequence[str] = ()) -> Refusal:
    """The refusal of a model with ops that TensorFlow Lite lacks."""
    plain = sorted({name.removeprefix("Flex") for name in names})
    return Refusal(
        f"TensorFlow Lite has no op for: {', '.join(plain)}",
        where={"layer": "\n".join(layers[:6])} if layers else {},
        hint="express it with other ops, or end the model before it and compute the rest in the application",
    )


def loop_refusal(which: str, suspects: Sequence[str], *, hint: str) -> Refusal:
    """The refusal of a model with a loop; ``which`` says of what kind, in brackets."""
    where = {"layer": "\n".join(suspects[:6])} if suspects else {}
    return Refusal(f"the model has a loop, which cannot be quantised {which}", where=where, hint=hint)
