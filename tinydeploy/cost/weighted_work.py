"""The work of ops with weights, in all the amounts that some library's kernel may depend on.

Amounts that are rounded up to a multiple belong to kernels that go on in such steps.
"""

import math
from typing import cast

from tinydeploy.cost.plain_work import Work, shape_at
from tinydeploy.cost.windows import Side, sides_of
from tinydeploy.model.graph import Conv2DOptions, Graph, Op


def conv_2d_work(graph: Graph, op: Op) -> Work:
    """Of a convolution, or of a depthwise one of one input channel that is computed as such."""
    down, across = sides_of(graph, op)
    inputs, outputs = shape_at(graph, op, 0)[3], graph.output_of(op).shape[3]
    pixels = down.outputs * across.outputs
    taps = down.taps * across.taps
    depth = taps * inputs
    inside = down.inside * across.inside
    whole = down.whole * across.whole if across.dilation == 1 else 0  # windows whose rows are contiguous values
    at_edges = pixels - whole
    rows_at_edges = down.inside * across.outputs - whole * down.taps
    taps_at_edges = inside - whole * taps
    return Work(
        row=_conv_row(down, across),
        amounts={
            "calls": 1,
            "turned weights": taps * outputs * (op.kind == "DEPTHWISE_CONV_2D"),
            "channels": outputs,
            "pixels": pixels,
            "taps inside": inside,
            "taps outside": pixels * taps - inside,
            "gathered bytes": pixels * depth,
            "outputs": pixels * outputs,
            "macs": pixels * outputs * depth,
            "macs inside": inside * inputs * outputs,
            "macs at edges": at_edges * outputs * depth,
            "outputs at edges": at_edges * outputs,
            "kernel rows": pixels * outputs * down.taps,
            "kernel rows inside": down.inside * across.outputs * outputs,
            "kernel rows inside at edges": rows_at_edges * outputs,
            "channel taps inside": inside * outputs,
            "channel taps inside at edges": taps_at_edges * outputs,
            "channel taps outside": (pixels * taps - inside) * outputs,
            "macs outside": (pixels * taps - inside) * inputs * outputs,
            "depth past a multiple of 4": pixels * outputs * (depth % 4),
            "row depth past a multiple of 4": pixels * outputs * down.taps * (across.taps * inputs % 4),
            "macs of an odd channel": pixels * (outputs % 2) * depth,
            "macs of an odd pixel": (pixels % 2) * outputs * depth,
            "macs of channels past a multiple of 4": pixels * (outputs % 4) * depth,
            "macs of pixels past a multiple of 3": _past(down, across, 3) * outputs * depth,
            "macs of pixels past a multiple of 4": (pixels % 4) * outputs * depth,
            "steps of 16 products": pixels * outputs * -(-depth // 16),
            "steps of 16 products in groups of 4 channels": pixels * -(-outputs // 4) * 4 * -(-depth // 16),
            "groups of 4 channels": pixels * -(-outputs // 4),
        },
    )


def _rows_at_edges(down: Side, across: Side) -> int:
    """Rows inside the input of windows that are not wholly inside."""
    return down.inside * across.outputs - down.whole * across.whole * down.taps


def _past(down: Side, across: Side, multiple: int) -> int:
    """Pixels that are left over where rows are cut into pieces."""
    return down.outputs * (across.outputs % multiple)


def _conv_row(down: Side, across: Side) -> str:
    is_whole = down.whole * across.whole == down.outputs * across.outputs
    if not is_whole or down.taps * across.taps > 1:
        return "CONV_2D"
    return "CONV_2D 1x1" if (down.stride, across.stride) == (1, 1) else "CONV_2D 1x1 strided"


def depthwise_work(graph: Graph, op: Op) -> Work:
    """Of a depthwise convolution."""
    down, across = sides_of(graph, op)
    options = cast("Conv2DOptions", op.options)
    inputs, outputs = shape_at(graph, op, 0)[3], graph.output_of(op).shape[3]
    pixels = down.outputs * across.outputs
    taps = down.taps * across.taps
    inside = down.inside * across.inside
    at_edges = pixels - down.whole * across.whole
    vectors = -(-outputs // 16)
    return Work(
        row=_depthwise_row(options, (down.taps, across.taps), inputs, outputs),
        amounts={
            "calls": 1,
            "channels": outputs,
            "rows": down.outputs,
            "channel rows": down.outputs * outputs,
            "pixels": pixels,
            "taps inside": inside,
            "taps outside": pixels * taps - inside,
            "outputs": pixels * outputs,
            "inputs": math.prod(shape_at(graph, op, 0)),
            "macs": pixels * outputs * taps,
            "macs inside": inside * outputs,
            "macs outside": (pixels * taps - inside) * outputs,
            "outputs at edges": at_edges * outputs,
            "kernel rows": pixels * outputs * down.taps,
            "kernel rows inside": down.inside * across.outputs * outputs,
            "kernel rows inside at edges": _rows_at_edges(down, across) * outputs,
            "macs of channels past a multiple of 4": pixels * (outputs % 4) * taps,
            "outputs of channels past a multiple of 4": pixels * (outputs % 4),
            "vectors of 16 channels": pixels * vectors,
            "vector products": pixels * vectors * taps,
            "row values in vectors": down.inputs * across.inputs * vectors,
            "weights in vectors": vectors * taps,
        },
    )


def _depthwise_row(options: Conv2DOptions, kernel: tuple[int, int], inputs: int, outputs: int) -> str:
    """By the kernels of CMSIS-NN: arm_depthwise_conv_wrapper_s8.c and arm_depthwise_conv_s8.c of 4ab83cc3."""
    is_dilated = (options.dilation_h, options.dilation_w) != (1, 1)
    if is_dilated:
        return "DEPTHWISE_CONV_2D dilated"
    if outputs == inputs:
        return "DEPTHWISE_CONV_2D 3x3" if kernel == (3, 3) else "DEPTHWISE_CONV_2D"
    return "DEPTHWISE_CONV_2D multiplied" + (" by 4" if outputs % (4 * inputs) == 0 else "")


def fully_connected_work(graph: Graph, op: Op) -> Work:
    """Of a fully connected layer; one factor for all channels is another kernel than one for each."""
    units, depth = shape_at(graph, op, 1)
    rows = graph.output_of(op).elements // units
    weights = graph.tensors[op.inputs[1]].quantization
    is_alike = weights is None or not weights.per_channel
    return Work(
        row="FULLY_CONNECTED",
        amounts={
            "calls": 1,
            "channels": units,
            "rows": rows,
            "outputs": rows * units,
            "outputs of one factor": is_alike * rows * units,
            "macs": rows * units * depth,
            "macs of one factor": is_alike * rows * units * depth,
            "weights": units * depth,
            "inputs": rows * depth,
            "depth past a multiple of 4": rows * units * (depth % 4),
            "macs of an odd channel": rows * (units % 2) * depth,
            "macs of channels past a multiple of 4": rows * (units % 4) * depth,
            "steps of 16 products": rows * units * -(-depth // 16),
            "steps of 16 products in groups of 4 channels": rows * -(-units // 4) * 4 * -(-depth // 16),
            "groups of 4 channels": rows * -(-units // 4),
        },
    )
