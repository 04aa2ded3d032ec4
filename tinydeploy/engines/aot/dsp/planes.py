"""Which tensors are worth storing as channel planes, and how: those around depthwise convolutions and averages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import DepthwiseConv2DOptions, Graph, Op

_AVERAGES = ("AVERAGE_POOL_2D", "MEAN")
_RANK = 4


def planes_on_offer(graph: Graph) -> Mapping[int, tuple[Planes, ...]]:
    """The planes that tensors may be stored in, by tensor, each once.

    That is what depthwise layers read and write. What a pointwise convolution makes of planes may also lie where those
    were, pixel by pixel, so that it runs in place: in front of another depthwise layer with the border that this one
    needs, in front of an average without.
    """
    offered: dict[int, dict[Planes, None]] = {}
    readers: dict[int, list[Op]] = {}
    for op in graph.ops:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    for op in graph.ops:
        source, target = op.inputs[0], op.outputs[0]
        if is_planar_depthwise(graph, op):
            offered.setdefault(source, {})[planes_read(graph, op)] = None
            offered.setdefault(target, {}).update(
                (planes_written(graph, op, planes), None) for planes in offered[source] if may_read(graph, op, planes)
            )
        elif op.kind == "CONV_2D":
            for reader in readers.get(target, []):
                in_place = (_like(graph, reader, planes) for planes in offered.get(source, {}))
                offered.setdefault(target, {}).update((planes, None) for planes in in_place if planes is not None)
    return {index: tuple(planes) for index, planes in offered.items()}


def _like(graph: Graph, reader: Op, planes: Planes) -> Planes | None:
    """Planes of the same pitch and size that ``reader`` can read its input from; None where there are none."""
    shape = tensor_at(graph, reader, 0).shape
    if len(shape) != _RANK or shape[1:3] != (planes.height, planes.width):
        return None
    if reader.kind in _AVERAGES:
        return replace(planes, channels=shape[-1])
    if not is_planar_depthwise(graph, reader):
        return None
    top, left, *_ = convolution_padding(graph, reader)
    rows = planes.plane_bytes // planes.pitch
    wider = replace(
        planes,
        channels=shape[-1],
        origin=top * planes.pitch + left,
        border=(top, left, rows - top - planes.height, planes.pitch - left - planes.width),
    )
    return wider if may_read(graph, reader, wider) else None


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
    """The planes with the border that a depthwise layer's windows reach into, and no more."""
    _, height, width, channels = tensor_at(graph, op, 0).shape
    return Planes.bordered(channels, height, width, convolution_padding(graph, op))


def may_read(graph: Graph, op: Op, planes: Planes) -> bool:
    """Whether a depthwise layer's windows stay within these planes of its input, the first one at their start."""
    top, left, bottom, right = convolution_padding(graph, op)
    return planes.border[:2] == (top, left) and planes.border[2] >= bottom and planes.border[3] >= right


def planes_written(graph: Graph, op: Op, read: Planes) -> Planes:
    """Where a depthwise layer leaves its outputs: in the planes that it reads, or with stride 2 in compact ones."""
    _, height, width, channels = graph.output_of(op).shape
    if cast("DepthwiseConv2DOptions", op.options).stride_h == 1:
        return read.at_corner(height, width)
    return Planes.compact(channels, height, width)
