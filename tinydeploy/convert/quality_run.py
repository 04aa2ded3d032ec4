"""Running a float model beside its integer one, in a process of its own: what both compute, as sums per tensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydeploy import worker
from tinydeploy.convert.quality_isolated import isolated
from tinydeploy.convert.quality_pairs import Pair
from tinydeploy.convert.quality_weights import with_rounded_weights
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

_WORKER = Path(__file__).with_name("quality_worker.py")
_WHO = "the comparison with the float model"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """What came of the samples.

    Arrays have one row per pair, and are of those samples that layers are compared on; x is the float model's value, x'
    the integer model's.

    ``values`` is how many there are, ``signal`` is sum x², ``error`` sum (x - x')², ``dot`` sum x x', ``energy`` sum
    x'², ``largest`` the largest error, ``rounding`` the error if x were but rounded to the integer tensor's steps.
    ``own_signal`` and ``own_error`` are signal and error where the op that writes the tensor is given the same inputs
    in both models. ``histogram``, of shape (pairs, 258), counts the x below what the integer tensor can hold, in each
    256th of that range, and above it. Of all samples, ``outputs`` are the float model's graph outputs of shape
    (samples, *tensor shape); ``weights_signal`` and ``weights_error``, of shape (outputs,), are sum x² of them and sum
    (x - x')² where nothing but the weights is rounded.
    """

    values: Floats
    signal: Floats
    error: Floats
    dot: Floats
    energy: Floats
    largest: Floats
    rounding: Floats
    own_signal: Floats
    own_error: Floats
    histogram: npt.NDArray[np.int64]
    outputs: tuple[Array, ...]
    weights_signal: Floats
    weights_error: Floats


def compared(
    float_model: bytes,
    graph: Graph,
    pairs: Sequence[Pair],
    *,
    floats: Sequence[Array],
    integers: Sequence[Array],
    layer_samples: npt.NDArray[np.int64],
    timeout_s: float,
    on_step: Callable[[int, int], None],
) -> Sums:
    """Runs samples through both models with LiteRT and compares the tensors of ``pairs``.

    ``floats`` and ``integers`` are the inputs of the float model and of the integer one, ``graph``, each of shape
    (samples, *tensor shape); all are in memory, several times over. ``layer_samples`` are the places of those samples
    that more than the float model's outputs is computed of; with a state, they are the first ones. ``on_step`` gets how
    many samples have been run.

    Raises:
        ModelError: LiteRT refuses a model, crashes on it or does not finish; or the float model computes something that
            is no number.
    """

    def heard(line: str) -> None:
        if line.startswith("@sample "):
            on_step(int(line.removeprefix("@sample ")), len(floats[0]))

    request = _request(float_model, graph, pairs)
    request["layer_samples"] = layer_samples
    request |= {f"float_input{place}": values for place, values in enumerate(floats)}
    request |= {f"integer_input{place}": values for place, values in enumerate(integers)}
    finished = worker.run(_WORKER, request, who=_WHO, timeout_s=timeout_s, on_line=heard)
    if finished.exit_code != 0:
        raise worker.refusal(finished, _WHO, hint="replace the op that it names in the model")
    fields: dict[str, Any] = dict(worker.answer(finished, _WHO))
    bad = fields.pop("bad")
    if bad.size:
        raise _no_number(graph, pairs[int(bad[0])], int(bad[1]))
    outputs = tuple(fields.pop(f"output{place}") for place in range(len(graph.outputs)))
    return Sums(outputs=outputs, **fields)


def _request(float_model: bytes, graph: Graph, pairs: Sequence[Pair]) -> dict[str, Array]:
    """The models in all their forms, and what is to be compared."""
    float_cut, float_places = isolated(float_model, [pair.in_float for pair in pairs], "the float model")
    integer_cut, integer_places = isolated(graph.source, [pair.in_integer for pair in pairs], graph.name)
    models = {"float": float_model, "integer": graph.source, "float_cut": float_cut, "integer_cut": integer_cut}
    models["weights"] = with_rounded_weights(float_model, graph, pairs)
    indices = [[pair.in_float for pair in pairs], [pair.in_integer for pair in pairs], float_places, integer_places]
    return {
        **{name: np.frombuffer(data, np.uint8) for name, data in models.items()},
        "pairs": np.array(indices, np.int64).T,
        "steps": np.array([_step(graph, pair) for pair in pairs], np.float64).reshape(-1, 4),
    }


def _step(graph: Graph, pair: Pair) -> tuple[float, int, int, int]:
    tensor = graph.tensors[pair.in_integer]
    assert tensor.quantization is not None  # as `matched` has it
    return (tensor.quantization.scale, tensor.quantization.zero_point, *tensor.dtype.integer_range)


def _no_number(graph: Graph, pair: Pair, sample: int) -> ModelError:
    place = "an input" if pair.op is None else str(graph.ops[pair.op])
    name = printable(graph.tensors[pair.in_integer].name)
    return ModelError(
        f"the float model computes a NaN or an infinity in sample {sample}",
        where={"layer": f"{place} ({name})"},
        hint="check the range of the samples, and the float model with them",
    )
