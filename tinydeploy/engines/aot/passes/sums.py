"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED in one form: sums of products for each output channel."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding
from tinydeploy.engines.aot.ops.tensors import quantization_of
from tinydeploy.engines.aot.passes.facts import once_per_graph
from tinydeploy.engines.aot.passes.intervals import BoolArray, Int64Array, Interval
from tinydeploy.model.graph import Conv2DOptions, DepthwiseConv2DOptions, Graph, Op

KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """``bias[o] + sum over t, i of weights[o, t, i] * (x[tap t, channel sources[o, i]] - zero_point)``.

    ``weights`` has shape (output channels, taps, inputs of each). ``sources`` says which channel an input is, by output
    channel or, with one row, for all; it counts channels of the input with a last dimension of ``depth``. ``is_inside``
    and ``is_outside`` say for each tap whether it can fall into the input and beside it, where x is the zero point.
    """

    weights: Int64Array
    bias: Int64Array
    sources: Int64Array
    depth: int
    is_inside: BoolArray
    is_outside: BoolArray
    zero_point: int

    def range(self, inputs: Interval) -> Interval:
        """What the sums can be, at most, for any inputs in the interval, which is about the op's input tensor."""
        known = inputs.regrouped(self.depth)
        ends = [(end - self.zero_point)[self.sources][:, None, :] for end in (known.low, known.high)]
        is_outside, is_inside = self.is_outside[None, :, None], self.is_inside[None, :, None]
        low = np.where(is_outside, np.minimum(ends[0], 0), ends[0]) * is_inside
        high = np.where(is_outside, np.maximum(ends[1], 0), ends[1]) * is_inside
        products = self.weights * low, self.weights * high
        return Interval(
            low=self.bias + np.minimum(*products).sum(axis=(1, 2)),
            high=self.bias + np.maximum(*products).sum(axis=(1, 2)),
        )


def sums_of(graph: Graph, op: Op) -> Sums:
    """The sums of an op of ``graph``, of one of `KINDS`, that the engine compiles. Made once for each graph."""
    known = _known_sums(graph)
    if op.outputs[0] not in known:
        known[op.outputs[0]] = _sums_of(graph, op)
    return known[op.outputs[0]]


@once_per_graph
def _known_sums(_: Graph) -> dict[int, Sums]:
    """By the tensors that the sums are made for; filled as they are asked for."""
    return {}


def _sums_of(graph: Graph, op: Op) -> Sums:
    weights, bias = tensor_at(graph, op, 1), graph.input_of(op, 2)
    assert weights.data is not None
    values = weights.data.astype(np.int64)
    if op.kind == "DEPTHWISE_CONV_2D":
        multiplier = cast("DepthwiseConv2DOptions", op.options).depth_multiplier
        values = values.reshape(-1, values.shape[-1]).T[:, :, None]
        sources = (np.arange(len(values)) // multiplier)[:, None]
        depth = len(values) // multiplier
    else:
        depth = values.shape[-1]
        values = values.reshape(weights.elements // depth // _taps(op, values), -1, depth)
        sources = np.arange(depth)[None, :]
    is_inside, is_outside = _places_of_taps(graph, op)
    return Sums(
        weights=values,
        bias=np.zeros(len(values), np.int64)
        if bias is None or bias.data is None
        else bias.data.astype(np.int64).ravel(),
        sources=sources,
        depth=depth,
        is_inside=is_inside,
        is_outside=is_outside,
        zero_point=quantization_of(tensor_at(graph, op, 0)).zero_point,
    )


def _taps(op: Op, weights: Int64Array) -> int:
    return weights.shape[1] * weights.shape[2] if op.kind == "CONV_2D" else 1


def _places_of_taps(graph: Graph, op: Op) -> tuple[BoolArray, BoolArray]:
    """For each tap of the kernel, row by row, whether it can fall into the input, and whether it can fall beside it."""
    if op.kind == "FULLY_CONNECTED":
        return np.ones(1, np.bool_), np.zeros(1, np.bool_)
    options = cast("Conv2DOptions", op.options)
    sides = zip(
        tensor_at(graph, op, 0).shape[1:3],
        graph.output_of(op).shape[1:3],
        tensor_at(graph, op, 1).shape[1:3],
        (options.stride_h, options.stride_w),
        (options.dilation_h, options.dilation_w),
        convolution_padding(graph, op)[:2],
        strict=True,
    )
    inside = []
    for size, output, taps, stride, dilation, before in sides:
        places = np.arange(taps)[:, None] * dilation + np.arange(output) * stride - before
        inside.append((places >= 0) & (places < size))
    rows, columns = inside
    return (
        np.logical_and.outer(rows.any(axis=1), columns.any(axis=1)).ravel(),
        np.logical_or.outer(~rows.all(axis=1), ~columns.all(axis=1)).ravel(),
    )
