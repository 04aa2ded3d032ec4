"""QUANTIZE and DEQUANTIZE: between integer types, and to and from float32 at the ends of a model."""

from tinydeploy.engines.aot.fixed_point import clamp, dtype_range, multiply
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.lookup import lower_by_table
from tinydeploy.engines.aot.ops.tensors import (
    SCALE_RATIO_IS_BOUNDED,
    multiplier_fields,
    quantization_of,
    rescaling,
)
from tinydeploy.engines.aot.program import Layer, Parameter
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, output_is
from tinydeploy.model.graph import DType, Graph, Op

_C_TYPES = {DType.INT8: "TD_ELEMENT_INT8", DType.UINT8: "TD_ELEMENT_UINT8", DType.INT16: "TD_ELEMENT_INT16"}
"""``enum td_element`` in td_element.h."""

_PAIRS = {
    (DType.FLOAT32, DType.INT8),
    (DType.FLOAT32, DType.INT16),
    (DType.INT8, DType.INT8),
    (DType.INT8, DType.UINT8),
    (DType.INT8, DType.INT16),
    (DType.UINT8, DType.INT8),
    (DType.INT16, DType.INT8),
    (DType.INT16, DType.INT16),
}
"""The conversions of TFLM's QUANTIZE, but for those that have int32 at one end."""


def lower_quantize(graph: Graph, op: Op) -> Layer:
    """One call of ``td_quantize_float`` for floats, ``td_quantize`` where 16 bits are involved, else ``td_lookup``."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    target = quantization_of(output)
    low, high = dtype_range(output.dtype)
    ends: dict[str, Parameter] = {"zero_point": target.zero_point, "min": low, "max": high}
    if source.dtype is DType.FLOAT32:
        return one_call(
            op,
            "quantize_float",
            {"count": output.elements, **_type("output", output.dtype), "scale": target.scale, **ends},
        )
    factor, before = rescaling(source, output), quantization_of(source).zero_point
    if source.dtype.itemsize == output.dtype.itemsize == 1:
        return lower_by_table(
            graph, op, lambda value: clamp(target.zero_point + multiply(value - before, factor), low, high)
        )
    parameters: dict[str, Parameter] = {
        "count": output.elements,
        **_type("input", source.dtype),
        **_type("output", output.dtype),
        "input_zero_point": before,
        "multiplier": multiplier_fields(factor),
        **ends,
    }
    return one_call(op, "quantize", parameters)


def lower_dequantize(graph: Graph, op: Op) -> Layer:
    """One call of ``td_dequantize``."""
    source = tensor_at(graph, op, 0)
    quantization = quantization_of(source)
    parameters: dict[str, Parameter] = {
        "count": source.elements,
        **_type("input", source.dtype),
        "scale": quantization.scale,
        "zero_point": quantization.zero_point,
    }
    return one_call(op, "dequantize", parameters)


def _type(end: str, dtype: DType) -> dict[str, Parameter]:
    return {f"{end}_type": _C_TYPES[dtype]}


def _types_pair(graph: Graph, op: Op) -> bool:
    return (tensor_at(graph, op, 0).dtype, graph.output_of(op).dtype) in _PAIRS


def _ratio_is_bounded(graph: Graph, op: Op) -> bool:
    return tensor_at(graph, op, 0).dtype is DType.FLOAT32 or SCALE_RATIO_IS_BOUNDED.holds(graph, op)


OPERATORS = (
    Operator(
        kind="QUANTIZE",
        constraints=(
            input_is(0, "input", DType.FLOAT32, DType.INT8, DType.UINT8, DType.INT16),
            output_is(DType.INT8, DType.UINT8, DType.INT16),
            Constraint(
                sentence="it goes from int8 to any of these, from uint8 to int8, or else to int8 or int16",
                holds=_types_pair,
            ),
            QUANTIZED_PER_TENSOR,
            Constraint(sentence=SCALE_RATIO_IS_BOUNDED.sentence, holds=_ratio_is_bounded),
        ),
        lower=lower_quantize,
    ),
    Operator(
        kind="DEQUANTIZE",
        constraints=(
            input_is(0, "input", DType.INT8, DType.UINT8, DType.INT16),
            output_is(DType.FLOAT32),
            QUANTIZED_PER_TENSOR,
        ),
        lower=lower_dequantize,
    ),
)
