"""Which channels of a graph's tensors must stay: the largest set of others can go without any output changing.

A channel can go where all ops around its tensor can do without it. Ops with weights read a channel only with weights
that are not 0, only for outputs that stay and are not constant, and not where its value is a constant that a bias can
stand for. Other ops bind channels to each other: a depthwise convolution its outputs to the input that they are made
of, an addition those of both its inputs and its output. So the search starts with nothing that stays but what is read
from outside, and goes back and forth until all ops agree.
"""

import math
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.tensors import integers
from tinydeploy.engines.aot.passes.facts import channels_of, compiled_ops, writers
from tinydeploy.engines.aot.passes.intervals import BoolArray
from tinydeploy.engines.aot.passes.ranges import TABLES, value_ranges
from tinydeploy.engines.aot.passes.sums import sums_of
from tinydeploy.model.graph import ConcatenationOptions, DepthwiseConv2DOptions, DType, Graph, Op

Kept = Mapping[int, BoolArray]
"""For each int8 activation the channels that stay. The arrays only ever gain channels."""

Rule = Callable[[Kept], None]
"""Marks the channels that have to stay because of those that stay already, around one op."""


def kept_channels(graph: Graph) -> Kept:
    """The channels that stay, at least one of each tensor, by the index of the int8 activations of the graph."""
    inside = set(writers(graph)) - set(graph.outputs)
    kept: dict[int, BoolArray] = {
        tensor.index: np.full(channels_of(tensor), tensor.index not in inside)
        for tensor in graph.tensors
        if tensor.dtype is DType.INT8 and not tensor.is_constant
    }
    compiled = compiled_ops(graph)
    rules = [_rule(graph, op, position in compiled) for position, op in enumerate(graph.ops)]
    _agree(rules, kept)
    for op in graph.ops:
        for index in op.outputs:
            if index in kept and not kept[index].any():
                kept[index][0] = True  # tensors of no channels are not a thing
                _agree(rules, kept)
    return kept


def _agree(rules: list[Rule], kept: Kept) -> None:
    """Applies all rules until none finds anything more: backwards through the graph, then forwards."""
    before, count = -1, sum(int(channels.sum()) for channels in kept.values())
    while count > before:
        for rule in (*reversed(rules), *rules):
            rule(kept)
        before, count = count, sum(int(channels.sum()) for channels in kept.values())


def _rule(graph: Graph, op: Op, is_compiled: bool) -> Rule:
    make = _RULES.get(op.kind) if is_compiled else None
    rule = make(graph, op) if make else None
    return rule or _everything(op)


def _everything(op: Op) -> Rule:
    """All channels around the op stay."""
    around = [index for index in (*op.inputs, *op.outputs) if index >= 0]

    def rule(kept: Kept) -> None:
        for index in around:
            if index in kept:
                kept[index][:] = True

    return rule


def _weighted(graph: Graph, op: Op) -> Rule:
    """CONV_2D and FULLY_CONNECTED: what is read of the input, see `needed_inputs`; all outputs can go."""
    source, output = tensor_at(graph, op, 0), op.outputs[0]
    if source.is_constant:
        return _nothing
    needs = needed_inputs(graph, op)
    channels = channels_of(source)
    if needs.shape[1] % channels:
        return _everything_of(source.index)  # features that mix the channels' positions

    def rule(kept: Kept) -> None:
        features = needs[kept[output]].any(axis=0)
        kept[source.index][features.reshape(-1, channels).any(axis=0)] = True

    return rule


def _nothing(_: Kept) -> None:
    """No channel stays because of this op."""


def _everything_of(index: int) -> Rule:
    def rule(kept: Kept) -> None:
        kept[index][:] = True

    return rule


def needed_inputs(graph: Graph, op: Op) -> BoolArray:
    """For each output channel of a CONV_2D or FULLY_CONNECTED, and each input that its weights are for, if it is read.

    It is not where the output is constant; where all weights are 0 of taps that can fall into the input; or where the
    input is a constant and what it adds is the same at all positions. That is so if it is the zero point, or if no
    tap with a weight other than 0 can fall both into the input and beside it.
    """
    sums, ranges = sums_of(graph, op), value_ranges(graph)
    inputs = ranges[op.inputs[0]].regrouped(sums.depth)
    counts = (sums.weights != 0) & sums.is_inside[None, :, None]
    varies = ~inputs.is_constant | ((inputs.low != sums.zero_point) & sums.is_outside[:, None])
    needs: BoolArray = (counts & varies).any(axis=1)
    needs[ranges[op.outputs[0]].is_constant] = False
    return needs


def _depthwise(graph: Graph, op: Op) -> Rule:
    """An input stays for any of its outputs, and all its outputs with it; those of a single input are independent."""
    source, output = tensor_at(graph, op, 0), op.outputs[0]
    multiplier = cast("DepthwiseConv2DOptions", op.options).depth_multiplier
    if source.is_constant:
        return _everything(op)
    if channels_of(source) == 1:
        return _everything_of(source.index)

    def rule(kept: Kept) -> None:
        kept[source.index][:] |= kept[output].reshape(-1, multiplier).any(axis=1)
        kept[output][:] |= np.repeat(kept[source.index], multiplier)

    return rule


def _bound(graph: Graph, op: Op) -> Rule | None:
    """Data inputs and the output have the same channels; inputs that are repeated along them have a single one."""
    channels = channels_of(graph.output_of(op))
    tensors = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    activations = [tensor for tensor in tensors if tensor.dtype is DType.INT8 and not tensor.is_constant]
    if any(tensor.dtype is not DType.INT8 for tensor in (tensors[0], tensors[-1])):
        return None
    bound = [tensor.index for tensor in activations if channels_of(tensor) == channels]
    repeated = [tensor.index for tensor in activations if channels_of(tensor) != channels]

    def rule(kept: Kept) -> None:
        union = np.logical_or.reduce([kept[index] for index in bound])
        for index in bound:
            kept[index][:] |= union
        for index in repeated:
            kept[index][:] = True

    return rule


def _mean(graph: Graph, op: Op) -> Rule | None:
    rank = len(tensor_at(graph, op, 0).shape)
    axes = {axis % rank for axis in integers(tensor_at(graph, op, 1))} if rank else set()
    return _bound(graph, op) if rank - 1 not in axes else None


def _pad(graph: Graph, op: Op) -> Rule | None:
    return None if any(integers(tensor_at(graph, op, 1))[-2:]) else _bound(graph, op)


def _transpose(graph: Graph, op: Op) -> Rule | None:
    order = integers(tensor_at(graph, op, 1))
    return _bound(graph, op) if order[-1:] == (len(order) - 1,) else None


def _reshape(graph: Graph, op: Op) -> Rule | None:
    """Channels and features are bound where they leave the same remainder; one's number must divide the other's."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    counts = channels_of(source), channels_of(output)
    shared = math.gcd(*counts)
    if shared != min(counts) or source.dtype is not DType.INT8 or source.is_constant:
        return None

    def rule(kept: Kept) -> None:
        ends = [kept[index].reshape(-1, shared) for index in (source.index, output.index)]
        union = ends[0].any(axis=0) | ends[1].any(axis=0)
        for end in ends:
            np.logical_or(end, union, out=end)

    return rule


def _concatenation(graph: Graph, op: Op) -> Rule | None:
    """Along the channels each input is bound to its share of the output."""
    output = graph.output_of(op)
    rank = len(output.shape)
    if any(graph.tensors[index].is_constant for index in op.inputs):
        return None
    if cast("ConcatenationOptions", op.options).axis % rank != rank - 1:
        return _bound(graph, op)
    ends = np.cumsum([channels_of(graph.tensors[index]) for index in op.inputs])[:-1]

    def rule(kept: Kept) -> None:
        for index, share in zip(op.inputs, np.split(kept[output.index], ends), strict=True):
            kept[index][:] |= share
            np.logical_or(share, kept[index], out=share)

    return rule


_RULES: Mapping[str, Callable[[Graph, Op], Rule | None]] = {
    **dict.fromkeys(("CONV_2D", "FULLY_CONNECTED"), _weighted),
    **dict.fromkeys(TABLES, _bound),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR"), _bound),
    **dict.fromkeys(("ADD", "SUB", "MUL"), _bound),
    **dict.fromkeys(("EXPAND_DIMS", "RESHAPE", "SQUEEZE"), _reshape),
    **dict.fromkeys(("PAD", "PADV2"), _pad),
    "CONCATENATION": _concatenation,
    "DEPTHWISE_CONV_2D": _depthwise,
    "MEAN": _mean,
    "TRANSPOSE": _transpose,
}
"""None for an op of which all channels stay. What they take for granted is what `remove_channels` can rewrite."""
