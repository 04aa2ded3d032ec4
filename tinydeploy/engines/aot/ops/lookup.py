"""Ops from one 8-bit value to another: LOGISTIC, TANH, RELU, RELU6, LEAKY_RELU and HARD_SWISH, each as a table.

The functions below are TFLM's kernels (tensorflow/lite/micro/kernels, tensorflow/lite/kernels/internal/reference) for
one element.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np

from tinydeploy.engines.aot.fixed_point import (
    INT32_MAX,
    Multiplier,
    clamp,
    multiply,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
)
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.hard_swish import hard_swish, hard_swish_is_in_range
from tinydeploy.engines.aot.ops.tensors import MAX_FACTOR, SCALE_RATIO_IS_BOUNDED, quantization_of, rescaling
from tinydeploy.engines.aot.program import Array, Layer, Parameter
from tinydeploy.engines.aot.transcendental import logistic, tanh
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, output_is
from tinydeploy.model.graph import DType, Graph, LeakyReluOptions, Op, Tensor

Function = Callable[[int], int]
"""A quantised output for a quantised input."""

Maker = Callable[[Op, Tensor, Tensor], Function]
"""The function of an op between these two tensors; it depends on the op's options and on both quantisations only."""

_TABLES_KEPT = 4096
"""Of each kind of op; every pass asks for the tables of all ops anew, and that of a TANH takes 17 ms to compute."""

_INPUT_BITS = 4
"""Integer bits with which LOGISTIC and TANH read their input."""


def lower_by_table(graph: Graph, op: Op, function: Function) -> Layer:
    """One call of ``td_lookup`` with the table of ``function``, indexed by the input's bits as an unsigned number."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    domain = np.arange(256, dtype=np.uint8).view(source.dtype.numpy)
    table = np.array([function(int(value)) for value in domain], output.dtype.numpy)
    parameters: dict[str, Parameter] = {"count": output.elements, "table": Array(values=table.view(np.int8))}
    return one_call(op, "lookup", parameters, in_place=True)


def _logistic(_: Op, source: Tensor, __: Tensor) -> Function:
    return _saturating(source, lambda value: rounding_divide_by_pot(logistic(value, _INPUT_BITS), 23) - 128)


def _tanh(_: Op, source: Tensor, __: Tensor) -> Function:
    return _saturating(source, lambda value: rounding_divide_by_pot(tanh(value, _INPUT_BITS), 24))


def _saturating(source: Tensor, function: Function) -> Function:
    """``function`` of the input in Q4, or the lowest and highest output where the input is beyond Q4."""
    quantization = quantization_of(source)
    fraction, shift = math.frexp(quantization.scale * 2.0 ** (31 - _INPUT_BITS))
    factor = Multiplier(mantissa=round_half_away(fraction * 2**31), shift=shift)
    # CalculateInputRadius in quantization_util.cc
    radius = math.floor((2**_INPUT_BITS - 1) * 2.0 ** (31 - _INPUT_BITS) / 2.0**shift)

    def apply(quantized: int) -> int:
        value = quantized - quantization.zero_point
        if value <= -radius:
            return -128
        if value >= radius:
            return 127
        return clamp(function(multiply(value, factor)), -128, 127)

    return apply


def _relu(_: Op, source: Tensor, output: Tensor) -> Function:
    factor = rescaling(source, output)
    before, after = quantization_of(source).zero_point, quantization_of(output).zero_point
    return lambda value: clamp(after + multiply(value - before, factor), after, 127)


def _relu6(_: Op, source: Tensor, __: Tensor) -> Function:
    """A clamp in the input's quantisation: TFLM does not look at the output's."""
    quantization = quantization_of(source)
    zero = quantization.zero_point
    six = clamp(round_half_away(float(np.float32(6) / np.float32(quantization.scale))) + zero, -128, 127)
    return lambda value: clamp(value, zero, six)


def _leaky_relu(op: Op, source: Tensor, output: Tensor) -> Function:
    identity, slope = rescaling(source, output), quantize_multiplier(abs(_leak(op, source, output)))
    sign = 1 if _leak(op, source, output) >= 0 else -1
    before, after = quantization_of(source).zero_point, quantization_of(output).zero_point

    def apply(quantized: int) -> int:
        value = quantized - before
        scaled = multiply(value, identity) if value >= 0 else sign * multiply(value, slope)
        return clamp(after + scaled, -128, 127)

    return apply


def _leak(op: Op, source: Tensor, output: Tensor) -> float:
    """The factor of negative inputs."""
    alpha = cast("LeakyReluOptions", op.options).alpha
    return quantization_of(source).scale * alpha / quantization_of(output).scale


def _hard_swish(_: Op, source: Tensor, output: Tensor) -> Function:
    return hard_swish(quantization_of(source), quantization_of(output))


def _input_resolves_4_bits(graph: Graph, op: Op) -> bool:
    return quantization_of(tensor_at(graph, op, 0)).scale >= 2.0**-27


def _output_starts_at_0(graph: Graph, op: Op) -> bool:
    return quantization_of(graph.output_of(op)).zero_point == -128


def _six_fits(graph: Graph, op: Op) -> bool:
    return 6.0 / quantization_of(tensor_at(graph, op, 0)).scale < INT32_MAX


def _leak_is_bounded(graph: Graph, op: Op) -> bool:
    return abs(_leak(op, tensor_at(graph, op, 0), graph.output_of(op))) < MAX_FACTOR


def _swish_is_in_range(graph: Graph, op: Op) -> bool:
    return hard_swish_is_in_range(quantization_of(tensor_at(graph, op, 0)), quantization_of(graph.output_of(op)))


def _tabulated(make: Maker) -> Maker:
    """``make``, whose functions are tables, computed once for the same options and quantisations."""
    known: dict[object, Function] = {}

    def made(op: Op, source: Tensor, output: Tensor) -> Function:
        key = (op.options, source.quantization, output.quantization)
        if key not in known:
            if len(known) >= _TABLES_KEPT:
                known.clear()
            function = make(op, source, output)
            known[key] = {value: function(value) for value in range(-128, 128)}.__getitem__
        return known[key]

    return made


def _operator(kind: str, make: Maker, *constraints: Constraint) -> Operator:
    function = _tabulated(make)
    return Operator(
        kind=kind,
        constraints=(input_is(0, "input", DType.INT8), output_is(DType.INT8), QUANTIZED_PER_TENSOR, *constraints),
        lower=lambda graph, op: lower_by_table(graph, op, function(op, tensor_at(graph, op, 0), graph.output_of(op))),
    )


_FINE_INPUT = Constraint(sentence="the input's scale is at least 2**-27", holds=_input_resolves_4_bits)

OPERATORS = (
    _operator(
        "LOGISTIC",
        _logistic,
        _FINE_INPUT,
        Constraint(sentence="the output's zero point is -128", holds=_output_starts_at_0),
    ),
    _operator("TANH", _tanh, _FINE_INPUT),
    _operator("RELU", _relu, SCALE_RATIO_IS_BOUNDED),
    _operator(
        "RELU6",
        _relu6,
        Constraint(sentence="6 is a 32-bit number in the input's quantisation", holds=_six_fits),
    ),
    _operator(
        "LEAKY_RELU",
        _leaky_relu,
        SCALE_RATIO_IS_BOUNDED,
        Constraint(
            sentence="alpha times the input's scale is less than 2**14 times the output's", holds=_leak_is_bounded
        ),
    ),
    _operator(
        "HARD_SWISH",
        _hard_swish,
        Constraint(
            sentence="the input's scale is from 2**-22 to 2**20 and from 2**-8 to 2**7 times the output's",
            holds=_swish_is_in_range,
        ),
    ),
)
