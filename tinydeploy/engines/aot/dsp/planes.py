"""Which tensors are worth storing as channel planes, and how: those around depthwise convolutions."""

from collections.abc import Mapping
from typing import cast

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import DepthwiseConv2DOptions, Graph, Op


def planes_on_offer(graph: Graph) -> Mapping[int, tuple[Planes, ...]]:
    """The planes that tensors may be stored in, by tensor: what depthwise layers read and write, each once."""
    offered: dict[int, dict[Planes, None]] = {}
    for op in graph.ops:
        if is_planar_depthwise(graph, op):
            for index, planes in ((op.inputs[0], planes_read(graph, op)), (op.outputs[0], planes_written(graph, op))):
                offered.setdefault(index, {})[planes] = None
    return {index: tuple(planes) for index, planes in offered.items()}


def is_planar_depthwise(graph: Graph, op: Op) -> bool:
    """Whether an op is a 3x3 depthwise convolution on planes: one output channel for each input channel, stride 1 or 2.

    Its dilation is 1.
    """
    if op.kind != "DEPTHWISE_CONV_2D":
        return False
    options = cast("DepthwiseConv2DOptions", op.options)
    return (
        tensor_at(graph, op, 1).shape[1:3] == (3, 3)
        and tensor_at(graph, op, 0).shape[-1] == graph.output_of(op).shape[-1]
        and (options.stride_h, options.stride_w) in {(1, 1), (2, 2)}
        and (options.dilation_h, options.dilation_w) == (1, 1)
    )


def planes_read(graph: Graph, op: Op) -> Planes:
    """The planes with the border that a depthwise layer's windows reach into."""
    _, height, width, channels = tensor_at(graph, op, 0).shape
    return Planes.bordered(channels, height, width, convolution_padding(graph, op))


def planes_written(graph: Graph, op: Op) -> Planes:
    """Where a depthwise layer leaves its outputs: in the planes that it reads, or with stride 2 in compact ones."""
    _, height, width, channels = graph.output_of(op).shape
    if cast("DepthwiseConv2DOptions", op.options).stride_h == 1:
        return planes_read(graph, op).at_corner(height, width)
    return Planes.compact(channels, height, width)
