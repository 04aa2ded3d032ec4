"""One op of a graph → what its kernel has to do, in amounts that its instructions are a linear function of.

    layer_work(graph, op) -> Work(row="CONV_2D 1x1", amounts={"calls": 1, "outputs": 8000, "macs": 512000, ...})

A row is a set of layers that one kernel computes in one way; each engine, set of kernels and core has coefficients for
its amounts (`coefficients`). Amounts that are rounded up to a multiple belong to kernels that go on in such steps.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from tinydeploy.cost.mve_work import mve_conv_amounts, mve_depthwise_amounts, mve_matrix_amounts
from tinydeploy.cost.scalar_work import (
    scalar_conv_amounts,
    scalar_depthwise_amounts,
    scalar_fully_connected_amounts,
    scalar_output_amounts,
)
from tinydeploy.cost.setting import CountedKernels, Setting
from tinydeploy.cost.windows import Side, sides_of
from tinydeploy.model.graph import ConcatenationOptions, Conv2DOptions, Graph, Op


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a layer has to do: which coefficients it is for, and how much of what."""

    row: str
    amounts: Mapping[str, float]


def layer_work(graph: Graph, op: Op, setting: Setting) -> Work | None:
    """None for ops of kinds that nobody has measured."""
    amounts = None if op.is_custom else _AMOUNTS.get(op.kind)
    if amounts is None:
        return None
    if setting.engine == "aot" and op.kind == "DEPTHWISE_CONV_2D" and _shape(graph, op, 0)[3] == 1:
        amounts = _conv_2d  # as the aot engine computes it
    work = amounts(graph, op)
    counted = _counted(graph, op, setting.counted, work.row) if setting.counted else None
    return replace(work, row=_row(work.row, setting), amounts=work.amounts if counted is None else counted)


def _row(row: str, setting: Setting) -> str:
    """The row of the kernel that computes it; CMSIS-NN has one for each shape."""
    kind = row.split(" ", maxsplit=1)[0]
    if setting.kernels == "reference" and kind in _WINDOWED:
        return kind
    if setting.engine == "aot" and (kind == "DEPTHWISE_CONV_2D" or row == "CONV_2D 1x1 strided"):
        return kind
    if setting.engine == "aot" and kind == "SUB":
        return row.replace("SUB", "ADD")  # one kernel for both
    if row.startswith(_OF_ONE_CHANNEL):
        is_by_4 = row.endswith(_BY_4[True])
        return _OF_ONE_CHANNEL if setting.core == "cortex-m55" else "DEPTHWISE_CONV_2D multiplied" + _BY_4[is_by_4]
    return row


_WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D")
_OF_ONE_CHANNEL = "DEPTHWISE_CONV_2D of one channel"


def _counted(graph: Graph, op: Op, kernels: CountedKernels, row: str) -> Mapping[str, float] | None:
    """The work as those kernels do it, of the layers in which that makes a difference."""
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    if kernels == "mve":
        return _mve(graph, op, row)
    return {**_scalar(graph, op, row, has_tiles=kernels == "scalar"), **scalar_output_amounts(graph, op)}


def _mve(graph: Graph, op: Op, row: str) -> Mapping[str, float]:
    inputs, outputs = _shape(graph, op, 0)[-1], graph.output_of(op).shape[-1]
    if op.kind == "FULLY_CONNECTED":
        units, depth = _shape(graph, op, 1)
        return mve_matrix_amounts(graph.output_of(op).elements // units, units, depth)
    down, across = sides_of(graph, op)
    if row == "CONV_2D 1x1":
        return mve_matrix_amounts(down.outputs * across.outputs, outputs, inputs)
    of_kind = mve_conv_amounts if row.startswith("CONV_2D") else mve_depthwise_amounts
    return of_kind(down, across, inputs, outputs)


def _scalar(graph: Graph, op: Op, row: str, *, has_tiles: bool) -> Mapping[str, float]:
    inputs, outputs = _shape(graph, op, 0)[-1], graph.output_of(op).shape[-1]
    if op.kind == "FULLY_CONNECTED":
        units, depth = _shape(graph, op, 1)
        return scalar_fully_connected_amounts(graph.output_of(op).elements // units, units, depth)
    down, across = sides_of(graph, op)
    if row.startswith("CONV_2D"):
        return scalar_conv_amounts(down, across, inputs, outputs, has_tiles=has_tiles)
    return scalar_depthwise_amounts(down, across, inputs, outputs)


def _shape(graph: Graph, op: Op, position: int) -> tuple[int, ...]:
    return graph.tensors[op.inputs[position]].shape


def _conv_2d(graph: Graph, op: Op) -> Work:
    down, across = sides_of(graph, op)
    inputs, outputs = _shape(graph, op, 0)[3], graph.output_of(op).shape[3]
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
            "kernel rows inside at edges": rows_at_edges * outputs,
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


def _depthwise(graph: Graph, op: Op) -> Work:
    down, across = sides_of(graph, op)
    options = cast("Conv2DOptions", op.options)
    inputs, outputs = _shape(graph, op, 0)[3], graph.output_of(op).shape[3]
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
            "inputs": math.prod(_shape(graph, op, 0)),
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
    if inputs == 1 and outputs > _MOST_OF_ONE_CHANNEL:
        return _OF_ONE_CHANNEL + _BY_4[outputs % 4 == 0 and not is_dilated]
    if is_dilated:
        return "DEPTHWISE_CONV_2D dilated"
    if outputs == inputs:
        return "DEPTHWISE_CONV_2D 3x3" if kernel == (3, 3) else "DEPTHWISE_CONV_2D"
    return "DEPTHWISE_CONV_2D multiplied" + _BY_4[outputs % (4 * inputs) == 0]


_MOST_OF_ONE_CHANNEL = 8
"""Output channels above which CMSIS-NN computes a depthwise layer of one input channel as a convolution, with MVE."""

_BY_4 = ("", " by 4")


def _fully_connected(graph: Graph, op: Op) -> Work:
    units, depth = _shape(graph, op, 1)
    rows = graph.output_of(op).elements // units
    return Work(
        row="FULLY_CONNECTED",
        amounts={
            "calls": 1,
            "channels": units,
            "rows": rows,
            "outputs": rows * units,
            "macs": rows * units * depth,
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


def _pool(graph: Graph, op: Op) -> Work:
    down, across = sides_of(graph, op)
    channels = graph.output_of(op).shape[3]
    pixels, inside = down.outputs * across.outputs, down.inside * across.inside
    vectors = -(-channels // 16)
    return Work(
        row=op.kind,
        amounts={
            "calls": 1,
            "pixels": pixels,
            "outputs": pixels * channels,
            "taps inside": inside,
            "values": inside * channels,
            "vectors of 16 channels": pixels * vectors,
            "vectors of 16 values": inside * vectors,
            "rows of windows": down.inside * across.outputs,
            "vectors of 8 channels": pixels * -(-channels // 8),
            "vectors of 8 values": inside * -(-channels // 8),
        },
    )


def _softmax(graph: Graph, op: Op) -> Work:
    *rows, depth = _shape(graph, op, 0)
    return Work(
        row="SOFTMAX", amounts={"calls": 1, "rows": math.prod(rows), "values": math.prod(rows) * depth, "depth": depth}
    )


def _arithmetic(graph: Graph, op: Op) -> Work:
    """A kernel goes over runs of values that neither operand repeats."""
    output = graph.output_of(op)
    first, second = _shape(graph, op, 0), _shape(graph, op, 1)
    row = op.kind if first == second else f"{op.kind} broadcast"
    return Work(row=row, amounts={"calls": 1, "values": output.elements, "vectors": -(-output.elements // 16)})


def _values(graph: Graph, op: Op) -> Work:
    return Work(row=op.kind, amounts={"calls": 1, "values": graph.output_of(op).elements})


def _mean(graph: Graph, op: Op) -> Work:
    read, written = math.prod(_shape(graph, op, 0)), graph.output_of(op).elements
    return Work(row="MEAN", amounts={"calls": 1, "outputs": written, "values": read})


def _quantize(graph: Graph, op: Op) -> Work:
    types = f"{graph.tensors[op.inputs[0]].dtype.value} to {graph.output_of(op).dtype.value}".lower()
    return Work(row=f"QUANTIZE {types}", amounts={"calls": 1, "values": graph.output_of(op).elements})


def _concatenation(graph: Graph, op: Op) -> Work:
    axis = cast("ConcatenationOptions", op.options).axis
    shape = graph.output_of(op).shape
    outer = math.prod(shape[: axis % len(shape)])
    amounts = {"calls": 1, "parts": len(op.inputs), "runs": outer * len(op.inputs), "values": math.prod(shape)}
    return Work(row="CONCATENATION", amounts=amounts)


def _movement(graph: Graph, op: Op) -> Work:
    """Values that go elsewhere, row by row."""
    output = graph.output_of(op)
    rows = output.elements // output.shape[-1]
    read = math.prod(_shape(graph, op, 0))
    return Work(row=op.kind, amounts={"calls": 1, "rows": rows, "values": output.elements, "inputs": read})


_AMOUNTS: Mapping[str, Callable[[Graph, Op], Work]] = {
    "ADD": _arithmetic,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _values,
    "LEAKY_RELU": _values,
    "LOGISTIC": _values,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MUL": _arithmetic,
    "PAD": _movement,
    "QUANTIZE": _quantize,
    "RELU": _values,
    "RELU6": _values,
    "RESHAPE": _values,
    "RESIZE_NEAREST_NEIGHBOR": _movement,
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _movement,
    "SUB": _arithmetic,
    "TANH": _values,
    "TRANSPOSE": _movement,
}
