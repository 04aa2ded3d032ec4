"""MEAN over any dimensions."""

import math

import numpy as np

from tinydeploy.engines.aot.fixed_point import INT32_MAX, Multiplier
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.loops import Loop, merged_loops, padded
from tinydeploy.engines.aot.ops.tensors import (
    SCALE_RATIO_IS_BOUNDED,
    integers,
    multiplier_fields,
    quantization_of,
    rescaling,
)
from tinydeploy.engines.aot.program import Layer, Parameter
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, input_is_constant, output_is
from tinydeploy.model.graph import DType, Graph, Op

_DEPTH = 3
"""Loops over kept and over averaged dimensions in ``struct td_mean``: enough for 6 dimensions, as neighbours merge."""


def lower_mean(graph: Graph, op: Op) -> Layer:
    """One call of ``td_mean``."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    averaged = _averaged_elements(graph, op)
    parameters: dict[str, Parameter] = {
        **_loops(graph, op),
        "start": -averaged * quantization_of(source).zero_point,
        "multiplier": multiplier_fields(_divided(rescaling(source, output), averaged)),
        "zero_point": quantization_of(output).zero_point,
    }
    return one_call(op, "mean", parameters)


def _axes(graph: Graph, op: Op) -> set[int]:
    rank = len(tensor_at(graph, op, 0).shape)
    return {axis % rank for axis in integers(tensor_at(graph, op, 1))} if rank else set()


def _averaged_elements(graph: Graph, op: Op) -> int:
    shape = tensor_at(graph, op, 0).shape
    return math.prod(shape[axis] for axis in _axes(graph, op))


def _loops(graph: Graph, op: Op) -> dict[str, Parameter]:
    shape, axes = tensor_at(graph, op, 0).shape, _axes(graph, op)
    strides = np.empty(shape, np.int8).strides
    fields: dict[str, Parameter] = {}
    for name, dimensions in (("kept", [i for i in range(len(shape)) if i not in axes]), ("averaged", sorted(axes))):
        loops: tuple[Loop, ...] = merged_loops([shape[i] for i in dimensions], [strides[i] for i in dimensions])
        loops = padded(loops, _DEPTH, arrays=1)
        fields[f"{name}_count"] = tuple(loop.count for loop in loops)
        fields[f"{name}_step"] = tuple(loop.steps[0] for loop in loops)
    return fields


def _divided(factor: Multiplier, divisor: int) -> Multiplier:
    """The factor divided by a number of elements, as QuantizedMeanOrSum in reference/reduce.h does it."""
    shift = min(divisor.bit_length() - 1, 32, 31 + factor.shift)
    return Multiplier(mantissa=(factor.mantissa << shift) // divisor, shift=factor.shift - shift)


def _sum_fits(graph: Graph, op: Op) -> bool:
    return _averaged_elements(graph, op) * 255 <= INT32_MAX


OPERATORS = (
    Operator(
        kind="MEAN",
        constraints=(
            input_is(0, "input", DType.INT8),
            input_is(1, "list of axes", DType.INT32),
            output_is(DType.INT8),
            input_is_constant(1, "list of axes"),
            QUANTIZED_PER_TENSOR,
            SCALE_RATIO_IS_BOUNDED,
            Constraint(sentence="at most 8,421,504 elements are averaged", holds=_sum_fits),
        ),
        lower=lower_mean,
    ),
)
