"""Interval analysis: what each value of a graph can be, over all inputs of the graph.

Proven channel by channel, from the inputs on. A channel that can have one value only is constant; an accumulator that
cannot leave a range can be scaled with fewer instructions.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.tensors import integers, quantization_of
from tinydeploy.engines.aot.passes.facts import channels_of, compiled_ops, once_per_graph, reference_parameters
from tinydeploy.engines.aot.passes.intervals import Int64Array, Interval
from tinydeploy.engines.aot.passes.scaling import requantized, scaled_by
from tinydeploy.engines.aot.passes.sums import KINDS as KINDS_OF_SUMS
from tinydeploy.engines.aot.passes.sums import sums_of
from tinydeploy.model.graph import ConcatenationOptions, DType, Graph, Op, Tensor

Known = Mapping[int, Interval]
"""The intervals of tensors, by index."""

Rule = Callable[[Graph, Op, Known], Interval]
"""The interval of an op's only output, given those of its int8 inputs."""

_ADD_LEFT_SHIFT = 20  # TD_ADD_LEFT_SHIFT in td_add.h


@once_per_graph
def value_ranges(graph: Graph) -> Known:
    """The interval of every int8 tensor that is a constant, a graph input or written by an op.

    Graph inputs can have any value, and so can the outputs of ops that the engine does not compile, or that have no
    rule here. Computed once for each graph.
    """
    return {index: interval for index, (interval, _) in _analysis(graph).items()}


def accumulator_ranges(graph: Graph, op: Op) -> tuple[Int64Array, Int64Array]:
    """The lowest and the highest ``bias + sum of products`` of each output channel, over all inputs of the graph.

    ``op`` is a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED of ``graph`` that the engine compiles. The sums are those
    that are scaled: of weights times ``input - zero_point``, padding included. Partial sums may leave the range.
    Computed once for each graph.
    """
    sums = _analysis(graph)[op.outputs[0]][1]
    assert sums is not None, f"{op} has no accumulators, or is not compiled"
    return sums.low, sums.high


@once_per_graph
def _analysis(graph: Graph) -> Mapping[int, tuple[Interval, Interval | None]]:
    """For each int8 tensor its interval and, where an op of `KINDS_OF_SUMS` writes it, that of its accumulators."""
    known: dict[int, Interval] = {}
    sums: dict[int, Interval] = {}
    for tensor in graph.tensors:
        if tensor.dtype is DType.INT8:
            known[tensor.index] = _given(tensor)
    compiled = compiled_ops(graph)
    for position, op in enumerate(graph.ops):
        if position not in compiled or any(graph.tensors[index].dtype is not DType.INT8 for index in op.outputs):
            continue
        if op.kind in KINDS_OF_SUMS:
            source = tensor_at(graph, op, 0).index
            sums[op.outputs[0]] = sums_of(graph, op).range(known[source])
            stage = reference_parameters(graph, op)["output_stage"]
            known[op.outputs[0]] = requantized(stage, sums[op.outputs[0]])
        elif op.kind in _SPLITS:
            known |= _split(graph, op, known)
        elif op.kind in _RULES:
            known[op.outputs[0]] = _RULES[op.kind](graph, op, known)
    return {index: (interval, sums.get(index)) for index, interval in known.items()}


def _given(tensor: Tensor) -> Interval:
    return Interval.full(channels_of(tensor)) if tensor.data is None else Interval.of(tensor.data)


def _source(graph: Graph, op: Op, known: Known) -> Interval:
    return known[tensor_at(graph, op, 0).index]


def _table(graph: Graph, op: Op, known: Known) -> Interval:
    """Of an op that is a table: the extremes of the entries that the input can reach, which need not be at its ends."""
    if tensor_at(graph, op, 0).dtype is not DType.INT8:
        return Interval.full(channels_of(graph.output_of(op)))
    source, entries = _source(graph, op, known), table_of(graph, op)
    ends, channels = np.unique(np.stack([source.low, source.high]), axis=1, return_inverse=True)
    reached = [entries[low + 128 : high + 129] for low, high in ends.T]
    lowest, highest = (np.array([extreme(part) for part in reached], np.int64) for extreme in (np.min, np.max))
    return Interval(low=lowest[channels.ravel()], high=highest[channels.ravel()])


def table_of(graph: Graph, op: Op) -> Int64Array:
    """The outputs of an op that is a table of 256 entries, for the inputs -128 to 127."""
    table: Int64Array = reference_parameters(graph, op)["table"].values.astype(np.int64)
    return np.roll(table, 128)  # the kernel's table starts with 0


def _same_channels(graph: Graph, op: Op, known: Known) -> Interval:
    """Of an op that moves values but keeps their channels, or their place in memory."""
    return _source(graph, op, known).regrouped(channels_of(graph.output_of(op)))


def _pool(graph: Graph, op: Op, known: Known) -> Interval:
    """A mean of integers, rounded to nearest, and a maximum are both between the lowest and the highest of them."""
    window = reference_parameters(graph, op)["window"]
    return _source(graph, op, known).clipped(window["min"], window["max"])


def _mean(graph: Graph, op: Op, known: Known) -> Interval:
    """Where channels are averaged too, all outputs have one interval."""
    shape, source = tensor_at(graph, op, 0).shape, _source(graph, op, known)
    axes = {axis % len(shape) for axis in integers(tensor_at(graph, op, 1))} if shape else set()
    averaged = math.prod(shape[axis] for axis in axes)
    ends = [source.low * averaged, source.high * averaged]
    if len(shape) - 1 in axes:
        ends = [np.full(channels_of(graph.output_of(op)), end.sum() // shape[-1]) for end in ends]
    fields = reference_parameters(graph, op)
    means = (scaled_by(fields["multiplier"], end + fields["start"]) + fields["zero_point"] for end in ends)
    return Interval(low=next(means), high=next(means)).clipped(-128, 127)


def _concatenation(graph: Graph, op: Op, known: Known) -> Interval:
    parts = [known[index] for index in op.inputs]
    rank = len(graph.output_of(op).shape)
    if cast("ConcatenationOptions", op.options).axis % rank == rank - 1:
        return Interval(
            low=np.concatenate([part.low for part in parts]), high=np.concatenate([part.high for part in parts])
        )
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.hull(part)
    return joined


def _split(graph: Graph, op: Op, known: Known) -> dict[int, Interval]:
    """Of all outputs; along the last dimension each has its share of the channels."""
    source_at, axis_at = _SPLITS[op.kind]
    source = tensor_at(graph, op, source_at)
    rank, start, found = len(source.shape), 0, {}
    for index in op.outputs:
        found[index] = known[source.index]
        if integers(tensor_at(graph, op, axis_at))[0] % rank == rank - 1:
            stop = start + channels_of(graph.tensors[index])
            found[index] = known[source.index].at(slice(start, stop))
            start = stop
    return found


def _pad(graph: Graph, op: Op, known: Known) -> Interval:
    """Padded channels have the padded value, and it is one more value of the others where their images are padded."""
    value = graph.input_of(op, 2)
    padded = quantization_of(graph.output_of(op)).zero_point if value is None else integers(value)[0]
    pairs = list(zip(*[iter(integers(tensor_at(graph, op, 1)))] * 2, strict=True))
    source = _source(graph, op, known)
    if any(map(any, pairs[:-1])):
        constant = np.full(len(source.low), padded)
        source = source.hull(Interval(low=constant, high=constant))
    before, behind = pairs[-1] if pairs else (0, 0)
    low, high = (np.pad(end, (before, behind), constant_values=padded) for end in (source.low, source.high))
    return Interval(low=low, high=high)


def _anywhere(graph: Graph, op: Op, known: Known) -> Interval:
    """Of an op that moves values to any channels."""
    source, channels = _source(graph, op, known), channels_of(graph.output_of(op))
    return Interval(low=np.full(channels, source.low.min()), high=np.full(channels, source.high.max()))


def _transpose(graph: Graph, op: Op, known: Known) -> Interval:
    order = integers(tensor_at(graph, op, 1))
    return (_same_channels if order[-1:] == (len(order) - 1,) else _anywhere)(graph, op, known)


def _operands(graph: Graph, op: Op, known: Known) -> tuple[Interval, Interval, Mapping[str, Any]]:
    """Both inputs minus their zero points, and the parameters of the kernel. Channels broadcast as the ops do."""
    fields = reference_parameters(graph, op)
    first, second = (known[index] for index in op.inputs)
    a, b = fields["first_zero_point"], fields["second_zero_point"]
    return (
        Interval(low=first.low - a, high=first.high - a),
        Interval(low=second.low - b, high=second.high - b),
        fields,
    )


def _sum(graph: Graph, op: Op, known: Known) -> Interval:
    first, second, fields = _operands(graph, op, known)
    if fields["sign"] < 0:
        second = Interval(low=second.high, high=second.low)  # the larger what is subtracted, the smaller the rest
    return _result(
        graph,
        op,
        fields,
        *(
            scaled_by(fields["first"], a << _ADD_LEFT_SHIFT)
            + fields["sign"] * scaled_by(fields["second"], b << _ADD_LEFT_SHIFT)
            for a, b in ((first.low, second.low), (first.high, second.high))
        ),
    )


def _product(graph: Graph, op: Op, known: Known) -> Interval:
    first, second, fields = _operands(graph, op, known)
    corners = [a * b for a in (first.low, first.high) for b in (second.low, second.high)]
    return _result(graph, op, fields, np.minimum.reduce(corners), np.maximum.reduce(corners))


def _result(graph: Graph, op: Op, fields: Mapping[str, Any], low: Int64Array, high: Int64Array) -> Interval:
    """Scales, moves and bounds the ends."""
    channels = channels_of(graph.output_of(op))
    ends = (np.broadcast_to(scaled_by(fields["result"], end) + fields["zero_point"], channels) for end in (low, high))
    return Interval(low=next(ends), high=next(ends)).clipped(fields["min"], fields["max"])


TABLES = frozenset({"HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "QUANTIZE", "RELU", "RELU6", "TANH"})
"""Ops from one 8-bit value to another; QUANTIZE is one where both types have 8 bits."""

_SPLITS = {"SPLIT": (1, 0), "SPLIT_V": (0, 2)}
"""Input positions of the data and of the axis."""

_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(TABLES, _table),
    **dict.fromkeys(("EXPAND_DIMS", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SQUEEZE"), _same_channels),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("PAD", "PADV2"), _pad),
    **dict.fromkeys(("SLICE", "STRIDED_SLICE"), _anywhere),
    **dict.fromkeys(("ADD", "SUB"), _sum),
    "CONCATENATION": _concatenation,
    "MEAN": _mean,
    "MUL": _product,
    "TRANSPOSE": _transpose,
}
