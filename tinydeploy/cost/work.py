"""One op of a graph → what its kernel has to do, in amounts that its instructions are a linear function of.

    layer_work(graph, op, setting) -> Work(row="CONV_2D 1x1", amounts={"calls": 1, "outputs": 8000, "macs": 512000})

A row is a set of layers that one kernel computes in one way; each engine, set of kernels and core has coefficients for
its amounts (`coefficients`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinydeploy.cost.mve_work import mve_conv_amounts, mve_depthwise_amounts, mve_matrix_amounts
from tinydeploy.cost.plain_work import (
    Work,
    arithmetic_work,
    concatenation_work,
    mean_work,
    movement_work,
    pool_work,
    quantize_work,
    shape_at,
    softmax_work,
    values_work,
)
from tinydeploy.cost.scalar_work import (
    scalar_conv_amounts,
    scalar_depthwise_amounts,
    scalar_fully_connected_amounts,
    scalar_output_amounts,
)
from tinydeploy.cost.setting import CountedKernels, Setting
from tinydeploy.cost.weighted_work import conv_2d_work, depthwise_work, fully_connected_work
from tinydeploy.cost.windows import sides_of
from tinydeploy.model.graph import Graph, Op

__all__ = ["Work", "layer_work"]


def layer_work(graph: Graph, op: Op, setting: Setting) -> Work | None:
    """None for ops of kinds that nobody has measured."""
    amounts = None if op.is_custom else _AMOUNTS.get(op.kind)
    if amounts is None:
        return None
    if op.kind == "DEPTHWISE_CONV_2D" and shape_at(graph, op, 0)[3] == 1 and _convolves_one_channel(graph, op, setting):
        amounts = conv_2d_work
    work = amounts(graph, op)
    counted = _counted(graph, op, setting.counted, work.row) if setting.counted else None
    row = _row(work.row, setting)
    is_plain = row.startswith(_PLAIN_ROWS) or (setting.kernels == "reference" and row in _WINDOWED)
    if is_plain and counted is None:
        counted = {name: amount for name, amount in work.amounts.items() if name in _PLAIN_AMOUNTS}
    return replace(work, row=row, amounts=work.amounts if counted is None else counted)


def _convolves_one_channel(graph: Graph, op: Op, setting: Setting) -> bool:
    """Whether a depthwise layer of one input channel is computed as a convolution.

    The aot engine does so, and CMSIS-NN with MVE: arm_depthwise_conv_wrapper_s8.c of 4ab83cc3, where GCC compiles it.
    """
    if setting.engine == "aot":
        return True
    return setting.kernels == "optimized" and setting.core == "cortex-m55" and graph.output_of(op).shape[3] > 1


def _row(row: str, setting: Setting) -> str:
    """The row of the kernel that computes it; CMSIS-NN has one for each shape."""
    kind = row.split(" ", maxsplit=1)[0]
    if setting.kernels == "reference" and kind in _WINDOWED:
        return kind
    if setting.engine == "aot" and (kind == "DEPTHWISE_CONV_2D" or row == "CONV_2D 1x1 strided"):
        return kind
    if setting.engine == "aot" and kind == "SUB":
        return row.replace("SUB", "ADD")  # one kernel for both
    return row


_PLAIN_ROWS = ("DEPTHWISE_CONV_2D multiplied", "DEPTHWISE_CONV_2D dilated")

_PLAIN_AMOUNTS = (
    *("calls", "pixels", "outputs", "kernel rows", "kernel rows inside", "kernel rows inside at edges"),
    *("channel taps inside", "channel taps inside at edges", "channel taps outside"),
    *("macs inside", "macs outside", "macs of an odd channel"),
)
"""All that counts for kernels that go from output to output and from tap to tap; more would only fit chance."""

_WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D")


def _counted(graph: Graph, op: Op, kernels: CountedKernels, row: str) -> Mapping[str, float] | None:
    """The work as those kernels do it, of the layers in which that makes a difference."""
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    if kernels == "mve":
        return _mve(graph, op, row)
    return {**_scalar(graph, op, row, has_tiles=kernels == "scalar"), **scalar_output_amounts(graph, op)}


def _mve(graph: Graph, op: Op, row: str) -> Mapping[str, float]:
    inputs, outputs = shape_at(graph, op, 0)[-1], graph.output_of(op).shape[-1]
    if op.kind == "FULLY_CONNECTED":
        units, depth = shape_at(graph, op, 1)
        return mve_matrix_amounts(graph.output_of(op).elements // units, units, depth)
    down, across = sides_of(graph, op)
    if row == "CONV_2D 1x1":
        return mve_matrix_amounts(down.outputs * across.outputs, outputs, inputs)
    of_kind = mve_conv_amounts if row.startswith("CONV_2D") else mve_depthwise_amounts
    return of_kind(down, across, inputs, outputs)


def _scalar(graph: Graph, op: Op, row: str, *, has_tiles: bool) -> Mapping[str, float]:
    inputs, outputs = shape_at(graph, op, 0)[-1], graph.output_of(op).shape[-1]
    if op.kind == "FULLY_CONNECTED":
        units, depth = shape_at(graph, op, 1)
        return scalar_fully_connected_amounts(graph.output_of(op).elements // units, units, depth)
    down, across = sides_of(graph, op)
    if row.startswith("CONV_2D"):
        return scalar_conv_amounts(down, across, inputs, outputs, has_tiles=has_tiles)
    return scalar_depthwise_amounts(down, across, inputs, outputs)


_AMOUNTS: Mapping[str, Callable[[Graph, Op], Work]] = {
    "ADD": arithmetic_work,
    "AVERAGE_POOL_2D": pool_work,
    "CONCATENATION": concatenation_work,
    "CONV_2D": conv_2d_work,
    "DEPTHWISE_CONV_2D": depthwise_work,
    "FULLY_CONNECTED": fully_connected_work,
    "HARD_SWISH": values_work,
    "LEAKY_RELU": values_work,
    "LOGISTIC": values_work,
    "MAX_POOL_2D": pool_work,
    "MEAN": mean_work,
    "MUL": arithmetic_work,
    "PAD": movement_work,
    "QUANTIZE": quantize_work,
    "RELU": values_work,
    "RELU6": values_work,
    "RESHAPE": values_work,
    "RESIZE_NEAREST_NEIGHBOR": movement_work,
    "SOFTMAX": softmax_work,
    "STRIDED_SLICE": movement_work,
    "SUB": arithmetic_work,
    "TANH": values_work,
    "TRANSPOSE": movement_work,
}
