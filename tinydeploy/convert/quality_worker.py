"""The program that compares a float model with its integer one, layer by layer: models and samples in, sums out.

LiteRT crashes on some models, hence the process. It is started by its path and stands alone. See
`quality_run.compared` for the other side.

Every sample goes through the float model and the float model with the integer one's weights. Those that layers are
compared on go through three more: the integer model, and both models cut into single layers. The cut ones start every
layer with what the float model has there, rounded to the integer model's steps, so that their difference is what the
layer adds by itself. Samples run in their order, so that models with a state go through one sequence. Nothing but sums
is kept of an activation.

Standard input: .npz with the models ``float``, ``integer``, ``float_cut``, ``integer_cut``, ``weights`` (bytes);
``float_input0``... and ``integer_input0``... of shape (samples, *tensor shape); ``pairs`` of shape (pairs, 4): a
tensor's index in the float and the integer model, and of the input that stands for it in the cut ones; ``steps`` of
shape (pairs, 4): scale, zero point, lowest and highest value of the integer one; ``layer_samples``, of shape (of these
samples,): the places of those that layers are compared on.

Standard output: .npz with ``bad``, which is empty, or has the pair and the sample at which the float model computed
something that is no number, and then there is nothing else; sums over these samples of shape (pairs,) under the names
of `_SUMS`, and ``largest``, the largest error; ``histogram`` of shape (pairs, 258): how many values are below what the
integer tensor can hold, in each 256th of that range, and above it; ``output0``...: the float model's outputs;
``weights_signal`` and ``weights_error`` of shape (outputs,): sum x² and sum (x - x')² with the integer one's weights.

Standard error: what LiteRT says, a line ``@stage`` before each step, and ``@sample`` with how many samples are done.
Exit code 3: a model was refused.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Of the float model's values x and the integer model's x', in float64: how many, sum x², sum (x - x')², sum x x',
# sum x'², the error if x were but rounded to the integer tensor's steps; and signal and error of layers on their own.
_SUMS = ("values", "signal", "error", "dot", "energy", "rounding", "own_signal", "own_error")
_BINS = 256


def main() -> int:
    """Answers one request."""
    # What C++ code may print to standard output must not get into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        fields = {name: request[name] for name in request.files}
    try:
        result = _compared(fields)
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    with answer:
        np.savez(answer, allow_pickle=False, **result)
    return 0


def _stage(name: str) -> None:
    sys.stderr.write(f"@stage {name}\n")
    sys.stderr.flush()


class _Model:
    """A model in LiteRT's interpreter that keeps all its tensors after a run."""

    def __init__(self, data: Array, name: str, *, is_integer: bool) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        _stage(f"preparing the {name}")
        # Without XNNPACK, whose integers differ from the reference kernels by tens of LSB, and which keeps no tensors.
        resolver = OpResolverType.BUILTIN_REF if is_integer else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter = Interpreter(
            model_content=data.tobytes(),
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()
        self._details = {detail["index"]: detail for detail in self._interpreter.get_input_details()}
        self._inputs = list(self._details)
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array], cuts: Mapping[int, Array]) -> None:
        """One inference. ``inputs`` are the first inputs in their order; ``cuts``, by tensor, go over them."""
        for index, values in (*zip(self._inputs, inputs, strict=False), *cuts.items()):
            detail = self._details[index]
            self._interpreter.set_tensor(index, values.reshape(detail["shape"]).astype(detail["dtype"], copy=False))
        self._interpreter.invoke()

    def tensor(self, index: int) -> Array:
        """What the last run left there."""
        values: Array = self._interpreter.get_tensor(index)
        return values

    def outputs(self) -> list[Array]:
        """The graph outputs of the last run."""
        return [self.tensor(index) for index in self._outputs]


def _compared(fields: Mapping[str, Array]) -> dict[str, Array]:
    models = {
        "float": _Model(fields["float"], "float model", is_integer=False),
        "integer": _Model(fields["integer"], "integer model", is_integer=True),
        "float_cut": _Model(fields["float_cut"], "layers of the float model", is_integer=False),
        "integer_cut": _Model(fields["integer_cut"], "layers of the integer model", is_integer=True),
        "weights": _Model(fields["weights"], "float model with integer weights", is_integer=False),
    }
    pairs = fields["pairs"]
    totals: dict[str, Array] = {name: np.zeros(len(pairs)) for name in (*_SUMS, "largest")}
    totals["histogram"] = np.zeros((len(pairs), _BINS + 2), np.int64)
    rows, weights, of_layers = [], [], set(fields["layer_samples"].tolist())
    _stage("running the samples")
    for sample, (floats, integers) in enumerate(_inputs(fields)):
        models["float"].run(floats, {})
        reals = [models["float"].tensor(pair[0]).ravel() for pair in pairs]
        bad = [number for number, values in enumerate(reals) if not np.isfinite(values).all()]
        if bad:
            return {"bad": np.array([bad[0], sample])}
        if sample in of_layers:
            _compare_layers(models, fields, reals, (floats, integers), totals)
        models["weights"].run(floats, {})
        rows.append(models["float"].outputs())
        weights.append([_powers(x, y) for x, y in zip(rows[-1], models["weights"].outputs(), strict=True)])
        sys.stderr.write(f"@sample {sample + 1}\n")
        sys.stderr.flush()
    outputs = {f"output{place}": np.stack(values) for place, values in enumerate(zip(*rows, strict=True))}
    powers = np.array(weights).sum(axis=0)
    return {
        "bad": np.zeros(0, np.int64),
        "weights_signal": powers[:, 0],
        "weights_error": powers[:, 1],
        **totals,
        **outputs,
    }


def _compare_layers(
    models: Mapping[str, _Model],
    fields: Mapping[str, Array],
    reals: Sequence[Array],
    inputs: tuple[Sequence[Array], Sequence[Array]],
    totals: Mapping[str, Array],
) -> None:
    """Adds one sample to the totals. ``reals`` is what the float model has in the pairs, ``inputs`` those of both."""
    pairs, steps, (floats, integers) = fields["pairs"], fields["steps"], inputs
    models["integer"].run(integers, {})
    rounded = [_rounded(values, step) for values, step in zip(reals, steps, strict=True)]
    models["integer_cut"].run(integers, _cuts(pairs[:, 3], rounded))
    dequantised = [_real(values, step) for values, step in zip(rounded, steps, strict=True)]
    models["float_cut"].run(floats, _cuts(pairs[:, 2], dequantised))
    for number, (pair, step) in enumerate(zip(pairs, steps, strict=True)):
        _add(totals, number, reals[number], _real(models["integer"].tensor(pair[1]), step))
        totals["rounding"][number] += _powers(reals[number], dequantised[number])[1]
        own = _powers(models["float_cut"].tensor(pair[0]), _real(models["integer_cut"].tensor(pair[1]), step))
        totals["own_signal"][number] += own[0]
        totals["own_error"][number] += own[1]
        totals["histogram"][number] += _histogram(reals[number], step)


def _inputs(fields: Mapping[str, Array]) -> Iterator[tuple[list[Array], list[Array]]]:
    """The inputs of one sample after the other, for the float and for the integer model."""
    count = sum(name.startswith("float_input") for name in fields)
    for sample in range(len(fields["float_input0"])):
        yield (
            [fields[f"float_input{place}"][sample] for place in range(count)],
            [fields[f"integer_input{place}"][sample] for place in range(count)],
        )


def _cuts(places: Array, values: Sequence[Array]) -> dict[int, Array]:
    return {int(place): value for place, value in zip(places, values, strict=True)}


def _rounded(values: Array, step: Array) -> Array:
    """The integers that the reals ``values`` are nearest to."""
    scale, zero_point, lowest, highest = step
    integers: Array = np.clip(np.rint(values.astype(np.float64) / scale) + zero_point, lowest, highest)
    return integers


def _real(values: Array, step: Array) -> Array:
    """The reals that the integers ``values`` stand for."""
    scale, zero_point, *_ = step
    reals: Array = (values.ravel().astype(np.float64) - zero_point) * scale
    return reals


def _add(totals: Mapping[str, Array], number: int, real: Array, got: Array) -> None:
    x = real.astype(np.float64)
    error = x - got
    totals["values"][number] += x.size
    totals["signal"][number] += x @ x
    totals["error"][number] += error @ error
    totals["dot"][number] += x @ got
    totals["energy"][number] += got @ got
    totals["largest"][number] = max(totals["largest"][number], np.abs(error).max(initial=0.0))


def _powers(real: Array, got: Array) -> tuple[float, float]:
    """Of a signal, and of the error."""
    x = real.ravel().astype(np.float64)
    error = x - got.ravel()
    return float(x @ x), float(error @ error)


def _histogram(values: Array, step: Array) -> Array:
    scale, zero_point, lowest, highest = step
    share = (values.astype(np.float64) / scale + zero_point - lowest + 0.5) / (highest - lowest + 1)
    places = np.clip(np.floor(share * _BINS), -1, _BINS).astype(np.int64) + 1
    counts: Array = np.bincount(places, minlength=_BINS + 2)
    return counts


if __name__ == "__main__":
    sys.exit(main())
