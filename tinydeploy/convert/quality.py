"""How far an integer model is from the float model that it was made of, on samples that it was not calibrated with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.convert.quality_figures import Closeness, RangeUse, close, cosine, decibels, range_use
from tinydeploy.convert.quality_pairs import Pair, matched
from tinydeploy.convert.quality_run import Sums, compared
from tinydeploy.errors import ModelError, UsageError
from tinydeploy.model.formats import check_identifier
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.raw import RawModel, decode
from tinydeploy.model.reader import parse_model
from tinydeploy.model.reals import reals
from tinydeploy.model.text import printable, shape_text
from tinydeploy.samples.choice import evenly
from tinydeploy.samples.classes import is_index, named_classes
from tinydeploy.samples.quantize import to_tensor_type
from tinydeploy.samples.samples import UNLABELLED, Samples
from tinydeploy.verify.oracle import reference_outputs

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

_MOST_LAYER_SAMPLES = 200
"""A judgement: each of them takes the time of five inferences, three more than the outputs need."""

_FLOAT32_DB = 100.0
"""What only moves values has this and more: the other model's floats came out of sums in another order."""


@dataclass(frozen=True, kw_only=True)
class OutputQuality:
    """One graph output.

    ``weights_sqnr_db`` is its SQNR with the integer model's weights and without any other rounding: the most that wider
    activations (int16x8) could reach. Both are None where the output has indices (ARG_MAX), which are equal or not, but
    never close.
    """

    name: str
    closeness: Closeness | None
    weights_sqnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class InputQuality:
    """One graph input: what is lost before the first layer."""

    name: str
    closeness: Closeness
    range_use: RangeUse


@dataclass(frozen=True, kw_only=True)
class LayerQuality:
    """One op of the integer graph whose output the float graph has as well.

    ``closeness`` is of all that happened up to here. ``own_sqnr_db`` is of this op alone: the op of both models given
    the same inputs, the float model's rounded to the integer model's steps. It tells of the rounding of the op's
    weights and of its output.
    """

    op: int
    kind: str
    name: str
    closeness: Closeness
    own_sqnr_db: float
    range_use: RangeUse


@dataclass(frozen=True, kw_only=True)
class Correct:
    """How many of the labelled samples are classified right: by the first output, see `named_classes`."""

    samples: int
    float_model: int
    integer_model: int


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What `measure_quality` found: outputs and classes over all ``samples``, layers and inputs over ``layer_samples``.

    Outputs and what is told of classes are those of the interpreter ``oracle``: what the board will compute. Layers are
    by LiteRT's reference kernels, which differ from it by single steps; they are in the order of the graph, those of
    its ``ops`` ops that the float model has as well. ``top1_agreement`` is the share of samples for which both models
    name the same class, see `named_classes`; None where the first output is a quantity: a single real value that does
    not come out of a LOGISTIC, and no sample has a label.
    """

    samples: int
    layer_samples: int
    oracle: str
    ops: int
    inputs: tuple[InputQuality, ...]
    outputs: tuple[OutputQuality, ...]
    layers: tuple[LayerQuality, ...]
    top1_agreement: float | None
    correct: Correct | None

    @property
    def min_sqnr_db(self) -> float | None:
        """The SQNR of the worst output; None where all outputs are indices."""
        return min((output.closeness.sqnr_db for output in self.outputs if output.closeness), default=None)

    def worst(self, count: int = 5) -> tuple[LayerQuality, ...]:
        """The layers where to look for the cause, the worst first: those that add the most error by themselves.

        The SQNR up to a layer says little of it: the errors of all layers before are in it. A layer without an error
        of its own but that of float32 sums is none of them.
        """
        guilty = [layer for layer in self.layers if layer.own_sqnr_db < _FLOAT32_DB]
        return tuple(sorted(guilty, key=lambda layer: (layer.own_sqnr_db, layer.op))[:count])


def measure_quality(
    float_model: bytes,
    integer_model: bytes,
    samples: Samples,
    *,
    timeout_s: float = 1800.0,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> Quality:
    """Compares an integer .tflite with the float .tflite that it was made of, both of batch 1.

    ``samples`` are for the float model's inputs, in its order: reals, of shape (samples, *tensor shape); they are
    quantised with the scales of the integer model's inputs. Labels are classes of the first output. What has a state
    starts from the initial one and gets the samples as one sequence. The outputs of the integer model are those of
    TensorFlow Lite Micro's interpreter, or its stand-in (see `reference_outputs`), layers are LiteRT's. Those are
    compared on at most 200 of the samples: evenly spread ones, or with a state the first.

    Raises:
        UsageError: The samples are not of the float model's inputs.
        ModelError: The models do not belong together, or one of them does not run, or not within ``timeout_s``.
    """
    check_identifier(float_model, "the float model")
    source = decode(float_model)
    graph = parse_model(integer_model, name="the integer model")
    pairs = matched(source, graph)
    floats = _checked(samples, source)
    integers = _quantised(floats, graph)
    places = _layer_samples(samples.count, graph)
    sums = compared(
        float_model,
        graph,
        pairs,
        floats=floats,
        integers=integers,
        layer_samples=places,
        timeout_s=timeout_s,
        on_step=on_step,
    )
    reference = reference_outputs(integer_model, Samples(inputs=integers), timeout_s=timeout_s)
    tensors = [graph.tensors[index] for index in graph.outputs]
    outputs = list(zip(tensors, sums.outputs, reference.outputs, strict=True))
    classes = _classes(graph, *outputs[0], samples.labels)
    return Quality(
        samples=samples.count,
        layer_samples=len(places),
        oracle=reference.oracle,
        ops=len(graph.ops),
        inputs=tuple(_input(graph, sums, row, pair) for row, pair in enumerate(pairs) if pair.op is None),
        outputs=tuple(_output(sums, place, *output) for place, output in enumerate(outputs)),
        layers=_layers(graph, sums, pairs),
        top1_agreement=None if classes is None else float(np.mean(classes[0] == classes[1])),
        correct=None if classes is None or samples.labels is None else _correct(*classes, samples.labels),
    )


def _checked(samples: Samples, source: RawModel) -> tuple[Array, ...]:
    """The samples, where they are reals of the shapes that the float model takes."""
    names = [printable(source.tensors[index].name) for index in source.inputs]
    shapes = [source.tensors[index].shape for index in source.inputs]
    if len(samples.inputs) != len(shapes):
        raise UsageError(f"samples for {len(samples.inputs)} inputs, but the float model has {len(shapes)}")
    for name, shape, values in zip(names, shapes, samples.inputs, strict=True):
        if values.shape[1:] != shape:
            got = shape_text(values.shape[1:])
            raise UsageError(f"samples of input {name} have shape {got}, the float model takes {shape_text(shape)}")
        if not np.isfinite(values).all():
            raise UsageError(f"samples of input {name} have a NaN or an infinity", hint="remove it")
    return samples.inputs


def _quantised(floats: tuple[Array, ...], graph: Graph) -> tuple[Array, ...]:
    tensors = [graph.tensors[index] for index in graph.inputs]
    shaped = [values.reshape(len(values), *to.shape) for values, to in zip(floats, tensors, strict=True)]
    return tuple(to_tensor_type(values, tensor).values for values, tensor in zip(shaped, tensors, strict=True))


def _layer_samples(count: int, graph: Graph) -> npt.NDArray[np.int64]:
    """The places of the samples that layers are compared on."""
    if graph.is_stateful:
        return np.arange(min(count, _MOST_LAYER_SAMPLES), dtype=np.int64)
    return evenly(count, _MOST_LAYER_SAMPLES)


def _output(sums: Sums, place: int, tensor: Tensor, real: Array, got: Array) -> OutputQuality:
    """``real`` and ``got`` are what the float and the integer model have in it."""
    name = printable(tensor.name)
    if is_index(tensor):
        return OutputQuality(name=name, closeness=None, weights_sqnr_db=None)
    return OutputQuality(
        name=name,
        closeness=_closeness(tensor, real, got),
        weights_sqnr_db=decibels(sums.weights_signal[place], sums.weights_error[place]),
    )


def _closeness(tensor: Tensor, real: Array, got: Array) -> Closeness:
    x, y = real.ravel().astype(np.float64), reals(got.ravel(), tensor.quantization)
    if not np.isfinite(x).all():
        hint = "check the range of the samples, and the float model with them"
        raise ModelError(f"the float model's output {printable(tensor.name)} has a NaN or an infinity", hint=hint)
    error = x - y
    signal, noise, dot, energy = (float(np.dot(a, b)) for a, b in ((x, x), (error, error), (x, y), (y, y)))
    return Closeness(
        sqnr_db=decibels(signal, noise),
        cosine=cosine(dot, signal, energy),
        max_abs_error=float(np.abs(error).max(initial=0.0)),
    )


def _classes(
    graph: Graph, tensor: Tensor, real: Array, got: Array, labels: npt.NDArray[np.int64] | None
) -> tuple[Array, Array] | None:
    """What both models take each sample for; None where the output is a quantity."""
    is_class = tensor.elements > 1 or is_index(tensor) or _is_probability(graph, tensor)
    if not is_class and (labels is None or (labels == UNLABELLED).all()):
        return None
    return named_classes(real, None), named_classes(got, tensor.quantization)


def _is_probability(graph: Graph, tensor: Tensor) -> bool:
    """Whether it comes out of a LOGISTIC, perhaps with other steps or as floats."""
    writers = {output: op for op in graph.ops for output in op.outputs}
    op = writers.get(tensor.index)
    while op is not None and op.kind in {"QUANTIZE", "DEQUANTIZE", "RESHAPE"}:
        op = writers.get(op.inputs[0])
    return op is not None and op.kind == "LOGISTIC"


def _correct(real: Array, got: Array, labels: npt.NDArray[np.int64]) -> Correct | None:
    known = labels != UNLABELLED
    if not known.any():
        return None
    right = [int(np.count_nonzero(side[known] == labels[known])) for side in (real, got)]
    return Correct(samples=int(np.count_nonzero(known)), float_model=right[0], integer_model=right[1])


def _input(graph: Graph, sums: Sums, row: int, pair: Pair) -> InputQuality:
    name = printable(graph.tensors[pair.in_integer].name)
    return InputQuality(name=name, closeness=close(sums, [row]), range_use=range_use(graph, sums, {row: pair}))


def _layers(graph: Graph, sums: Sums, pairs: tuple[Pair, ...]) -> tuple[LayerQuality, ...]:
    """One for each op; the outputs of an op that has several are taken together."""
    of_op: dict[int, dict[int, Pair]] = {}
    for row, pair in enumerate(pairs):
        if pair.op is not None:
            of_op.setdefault(pair.op, {})[row] = pair
    return tuple(
        LayerQuality(
            op=op,
            kind=graph.ops[op].kind,
            name=printable(graph.output_of(graph.ops[op]).name),
            closeness=close(sums, list(rows)),
            own_sqnr_db=decibels(sums.own_signal[list(rows)].sum(), sums.own_error[list(rows)].sum()),
            range_use=range_use(graph, sums, rows),
        )
        for op, rows in of_op.items()
    )
