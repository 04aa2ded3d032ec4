"""Removes channels that are constant over all inputs of the graph, and channels that nothing reads."""

from dataclasses import replace
from typing import cast

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import channels_of, compiled_ops
from tinydeploy.engines.aot.passes.intervals import BoolArray, Int64Array
from tinydeploy.engines.aot.passes.keep import Kept, kept_channels
from tinydeploy.engines.aot.passes.ranges import accumulator_ranges, value_ranges
from tinydeploy.engines.aot.passes.sums import KINDS as KINDS_OF_SUMS
from tinydeploy.engines.aot.passes.sums import Sums, sums_of
from tinydeploy.model.graph import DepthwiseConv2DOptions, DType, Graph, Op, Quantization, Tensor

_RESHAPES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


def remove_channels(graph: Graph) -> Graph:
    """The graph without the channels that `kept_channels` leaves out; ``graph`` itself where none can go.

    What a constant channel adds to the sums of the next layer goes into that layer's bias. Constant outputs that have
    to stay get weights of 0, so that nothing need be computed for them.

    No accumulator comes closer to overflowing: the engine bounds each by ``|bias - z * sum(w)| + 128 * sum(|w|)``, z
    being the input's zero point. Moving ``w * (v - z)`` into the bias for a constant v changes the first part by at
    most ``128 * |w|`` and takes as much from the second, and the bias itself is within the same bound.
    """
    kept = kept_channels(graph)
    draft = Draft(graph)
    compiled = compiled_ops(graph)
    for position, op in enumerate(graph.ops):
        if position in compiled:
            draft.ops[position] = _rewritten(draft, op, kept)
    for index, channels in kept.items():
        if not channels.all():
            draft.keep_channels(index, channels)
    return draft.finished_if_changed()


def _rewritten(draft: Draft, op: Op, kept: Kept) -> Op:
    """The op with constants for the channels that stay; the same object where nothing changes."""
    if op.kind in KINDS_OF_SUMS:
        return _fewer_sums(draft, op, kept)
    output = draft.graph.output_of(op)
    if output.index not in kept or kept[output.index].all():
        return op
    if op.kind in _RESHAPES:
        return replace(op, kind="RESHAPE", inputs=op.inputs[:1], options=None)  # of another shape than the list says
    inputs = tuple(_operand(draft, index, output, kept[output.index]) for index in op.inputs)
    return replace(op, inputs=inputs)


def _operand(draft: Draft, index: int, output: Tensor, channels: BoolArray) -> int:
    """An input of an op with the output's channels; a constant with all of them gets fewer, too."""
    tensor = draft.graph.tensors[index]
    if tensor.data is None or tensor.dtype is not DType.INT8 or channels_of(tensor) != channels_of(output):
        return index
    return draft.constant(tensor, tensor.data[..., channels], tensor.quantization)


def _fewer_sums(draft: Draft, op: Op, kept: Kept) -> Op:
    """An op of `KINDS_OF_SUMS` with weights and biases for what stays, and 0 for outputs that are constant."""
    graph, source = draft.graph, tensor_at(draft.graph, op, 0)
    sums = sums_of(graph, op)
    outputs = kept[op.outputs[0]]
    channels = kept.get(source.index, np.ones(channels_of(source), np.bool_))
    is_needless = value_ranges(graph)[op.outputs[0]].is_constant & (sums.weights != 0).any(axis=(1, 2))
    if outputs.all() and channels.all() and not is_needless.any():
        return op
    weights, bias = sums.weights, sums.bias
    if op.kind != "DEPTHWISE_CONV_2D":
        inputs = np.tile(channels, max(sums.depth // len(channels), 1)) if not channels.all() else slice(None)
        bias = bias + _constant_part(graph, op, sums, channels)
        weights = weights[:, :, inputs]
    if is_needless.any():
        weights, bias = weights.copy(), np.where(is_needless, accumulator_ranges(graph, op)[0], bias)
        weights[is_needless] = 0
    return _with_sums(draft, op, weights[outputs], bias[outputs], outputs)


def _constant_part(graph: Graph, op: Op, sums: Sums, channels: BoolArray) -> Int64Array:
    """What the channels that go add to each sum: their constant, wherever a tap falls into the input.

    For channels that go because nothing reads them, the weights there are 0 of all outputs that are computed.
    """
    if channels.all():
        return np.zeros_like(sums.bias)
    values = value_ranges(graph)[op.inputs[0]].regrouped(sums.depth)
    gone = np.tile(~channels, sums.depth // len(channels))
    terms = sums.weights[:, :, gone] * (values.low[gone] - sums.zero_point)
    parts: Int64Array = (terms * sums.is_inside[None, :, None]).sum(axis=(1, 2))
    return parts


def _with_sums(draft: Draft, op: Op, weights: Int64Array, bias: Int64Array, outputs: BoolArray) -> Op:
    """The op with these weights, in the form of `Sums`, and biases; ``outputs`` says which of the old ones stay."""
    old, old_bias = tensor_at(draft.graph, op, 1), draft.graph.input_of(op, 2)
    options = op.options
    if op.kind == "DEPTHWISE_CONV_2D":
        options = cast("DepthwiseConv2DOptions", options)
        if draft.graph.tensors[op.inputs[0]].shape[-1] == 1:
            options = replace(options, depth_multiplier=len(bias))
        values = weights[:, :, 0].T.reshape(*old.shape[:-1], len(bias))
    else:
        values = weights.reshape(len(bias), *old.shape[1:-1], weights.shape[-1])
    inputs = [op.inputs[0], draft.constant(old, values, _of_channels(old.quantization, outputs))]
    if old_bias is not None:
        inputs.append(draft.constant(old_bias, bias, _of_channels(old_bias.quantization, outputs)))
    elif bias.any():
        like = Tensor(index=-1, name=f"{old.name}/bias", shape=(), dtype=DType.INT32)
        inputs.append(draft.constant(like, bias, None))
    return replace(op, inputs=tuple(inputs), options=options)


def _of_channels(quantization: Quantization | None, channels: BoolArray) -> Quantization | None:
    """The quantisation of a tensor's remaining channels."""
    if quantization is None or not quantization.per_channel:
        return quantization
    stay = np.flatnonzero(channels)
    return Quantization(
        scales=tuple(quantization.scales[channel] for channel in stay),
        zero_points=tuple(quantization.zero_points[channel] for channel in stay),
        axis=quantization.axis if len(stay) > 1 else 0,
    )
