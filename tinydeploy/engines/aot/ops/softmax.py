"""SOFTMAX along the last dimension."""

import math
from typing import cast

import numpy as np

from tinydeploy.engines.aot.fixed_point import Multiplier, multiply, quantize_multiplier
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.tensors import quantization_of
from tinydeploy.engines.aot.program import Array, Layer, Parameter
from tinydeploy.engines.aot.transcendental import exp_of_negative
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, output_is
from tinydeploy.model.graph import DType, Graph, Op, SoftmaxOptions

_DIFFERENCE_BITS = 5
"""Integer bits of the difference from the row's maximum."""

_NEGLIGIBLE = 1 << 11
"""Exponentials (in Q0) below this add 0 to the sum, which has 19 fractional bits, and give the lowest output."""

_MAX_DEPTH = 4095
"""Any more elements of the same value would overflow the sum, which has 12 integer bits."""


def lower_softmax(graph: Graph, op: Op) -> Layer:
    """One call of ``td_softmax``."""
    source = tensor_at(graph, op, 0)
    table = _exponentials(_input_factor(graph, op))
    depth = source.shape[-1]
    parameters: dict[str, Parameter] = {
        "rows": source.elements // depth,
        "depth": depth,
        "entries": len(table),
        "exponentials": Array(values=np.array(table, np.int32)),
    }
    return one_call(op, "softmax", parameters, in_place=True)


def _exponentials(factor: Multiplier) -> list[int]:
    """exp(-d) in Q0 for differences d of 0, 1, ... quantised steps, as far as they are not negligible."""
    # CalculateInputRadius in quantization_util.cc
    reach = math.floor((2**_DIFFERENCE_BITS - 1) * 2.0 ** (31 - _DIFFERENCE_BITS) / 2.0**factor.shift)
    table = [exp_of_negative(multiply(-d, factor), _DIFFERENCE_BITS) for d in range(min(reach, 255) + 1)]
    while table[-1] < _NEGLIGIBLE:
        table.pop()
    return table


def _real_input_factor(graph: Graph, op: Op) -> float:
    """PreprocessSoftmaxScaling in quantization_util.cc: from quantised steps to the difference's fixed point."""
    beta = cast("SoftmaxOptions", op.options).beta
    scale = quantization_of(tensor_at(graph, op, 0)).scale
    return min(beta * scale * 2.0 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1)


def _input_factor(graph: Graph, op: Op) -> Multiplier:
    return quantize_multiplier(_real_input_factor(graph, op))


def _output_is_a_probability(graph: Graph, op: Op) -> bool:
    quantization = quantization_of(graph.output_of(op))
    return quantization.scale == 1 / 256 and quantization.zero_point == -128


def _row_fits(graph: Graph, op: Op) -> bool:
    shape = tensor_at(graph, op, 0).shape
    return len(shape) > 0 and shape[-1] <= _MAX_DEPTH


OPERATORS = (
    Operator(
        kind="SOFTMAX",
        constraints=(
            input_is(0, "input", DType.INT8),
            output_is(DType.INT8),
            QUANTIZED_PER_TENSOR,
            Constraint(sentence="the output's scale is 1/256 and its zero point -128", holds=_output_is_a_probability),
            Constraint(
                sentence="beta times the input's scale is larger than 2**-26",
                holds=lambda graph, op: _real_input_factor(graph, op) > 1,
            ),
            Constraint(sentence=f"the last dimension is there and at most {_MAX_DEPTH:,}", holds=_row_fits),
        ),
        lower=lower_softmax,
    ),
)
