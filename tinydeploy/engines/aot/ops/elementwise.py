"""ADD, SUB and MUL, with broadcasting."""

from typing import cast

import numpy as np

from tinydeploy.engines.aot.fixed_point import Multiplier, activation_range, quantize_multiplier
from tinydeploy.engines.aot.operator import Operator, tensor_at
from tinydeploy.engines.aot.ops.loops import Loop, merged_loops, padded
from tinydeploy.engines.aot.ops.tensors import ACTIVATION_FITS, MAX_FACTOR, multiplier_fields, quantization_of
from tinydeploy.engines.aot.program import Call, Layer, Operand, Parameter
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, output_is
from tinydeploy.model.graph import ArithmeticOptions, DType, Graph, Op, Tensor

_LEFT_SHIFT = 20
"""By how much ADD and SUB raise their inputs before they scale them; td_add.h has the same number."""

_DEPTH = 4
"""Loops in ``struct td_broadcast``."""


def lower_add(graph: Graph, op: Op) -> Layer:
    """One call of ``td_add``, for SUB with the second input's sign turned."""
    factors = _sum_factors(graph, op)
    return _one_call(
        graph,
        op,
        "add",
        {
            **_common(graph, op),
            "first": multiplier_fields(factors[0]),
            "second": multiplier_fields(factors[1]),
            "result": multiplier_fields(factors[2]),
            "sign": -1 if op.kind == "SUB" else 1,
        },
    )


def lower_mul(graph: Graph, op: Op) -> Layer:
    """One call of ``td_mul``."""
    factor = quantize_multiplier(_product_factor(graph, op))
    return _one_call(graph, op, "mul", {**_common(graph, op), "result": multiplier_fields(factor)})


def _operands(graph: Graph, op: Op) -> tuple[Tensor, Tensor, Tensor]:
    return tensor_at(graph, op, 0), tensor_at(graph, op, 1), graph.output_of(op)


def _one_call(graph: Graph, op: Op, kernel: str, parameters: dict[str, Parameter]) -> Layer:
    first, second, output = _operands(graph, op)
    whole = [
        position
        for position, tensor in enumerate((first, second))
        if tensor.elements == output.elements and not tensor.is_constant
    ]
    call = Call(
        kernel=kernel,
        parameters=parameters,
        inputs=(Operand(tensor=first.index), Operand(tensor=second.index)),
        output=Operand(tensor=output.index),
        in_place=dict.fromkeys(whole, 0),
    )
    return Layer(op=op.index, calls=(call,))


def _common(graph: Graph, op: Op) -> dict[str, Parameter]:
    first, second, output = _operands(graph, op)
    low, high = activation_range(cast("ArithmeticOptions", op.options).activation, output)
    loops = padded(_loops(graph, op), _DEPTH, arrays=2)
    return {
        "broadcast": {
            "count": tuple(loop.count for loop in loops),
            "first_step": tuple(loop.steps[0] for loop in loops),
            "second_step": tuple(loop.steps[1] for loop in loops),
        },
        "first_zero_point": quantization_of(first).zero_point,
        "second_zero_point": quantization_of(second).zero_point,
        "zero_point": quantization_of(output).zero_point,
        "min": low,
        "max": high,
    }


def _loops(graph: Graph, op: Op) -> tuple[Loop, ...]:
    """Loops over the output; an input stands still along dimensions that it is repeated in."""
    first, second, output = _operands(graph, op)
    views = (np.broadcast_to(np.empty(tensor.shape, np.int8), output.shape) for tensor in (first, second))
    return merged_loops(output.shape, *(view.strides for view in views))


def _sum_factors(graph: Graph, op: Op) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Factors for both inputs, to half the larger scale, and for their sum."""
    first, second, output = (quantization_of(tensor).scale for tensor in _operands(graph, op))
    twice_larger = 2 * max(first, second)
    return (
        quantize_multiplier(first / twice_larger),
        quantize_multiplier(second / twice_larger),
        quantize_multiplier(twice_larger / (2.0**_LEFT_SHIFT * output)),
    )


def _product_factor(graph: Graph, op: Op) -> float:
    first, second, output = (quantization_of(tensor).scale for tensor in _operands(graph, op))
    return first * second / output


def _sum_is_scaled_down(graph: Graph, op: Op) -> bool:
    return _sum_factors(graph, op)[2].shift <= 0


_SHARED = (
    input_is(0, "first input", DType.INT8),
    input_is(1, "second input", DType.INT8),
    output_is(DType.INT8),
    QUANTIZED_PER_TENSOR,
    ACTIVATION_FITS,
    Constraint(
        sentence=f"at most {_DEPTH} dimensions are left after merging neighbours that broadcast alike",
        holds=lambda graph, op: len(_loops(graph, op)) <= _DEPTH,
    ),
)
_SUM = (
    *_SHARED,
    Constraint(sentence="each input's scale is less than 2**19 times the output's", holds=_sum_is_scaled_down),
)
_PRODUCT = (
    *_SHARED,
    Constraint(
        sentence="the product of the inputs' scales is less than 2**14 times the output's",
        holds=lambda graph, op: _product_factor(graph, op) < MAX_FACTOR,
    ),
)

OPERATORS = (
    Operator(kind="ADD", constraints=_SUM, lower=lower_add),
    Operator(kind="SUB", constraints=_SUM, lower=lower_add),
    Operator(kind="MUL", constraints=_PRODUCT, lower=lower_mul),
)
