"""The conditions of TensorFlow Lite Micro's kernels, as predicates with their sentences."""

import math
from collections.abc import Callable, Iterable
from typing import cast

from tinydeploy.engines.constraint import Constraint
from tinydeploy.model.graph import Activation, DType, Graph, LstmOptions, Op, Quantization, Tensor

INT8, INT16, INT32, INT64, BOOL = DType.INT8, DType.INT16, DType.INT32, DType.INT64, DType.BOOL
UINT8, UINT32, FLOAT32 = DType.UINT8, DType.UINT32, DType.FLOAT32

Where = Callable[[Graph, Op], bool]


def type_names(dtypes: Iterable[DType]) -> str:
    """``int8, int16 or int32``."""
    *first, last = [dtype.value.lower() for dtype in dtypes]
    return f"{', '.join(first)} or {last}" if first else last


def all_are(*dtypes: DType, inputs: Iterable[int] = (0,), what: str = "input and output") -> Constraint:
    """The inputs at these positions and all outputs are of one of the types, all of the same."""

    def holds(graph: Graph, op: Op) -> bool:
        kinds = {_dtype(graph, op, position) for position in inputs}
        kinds |= {graph.tensors[index].dtype for index in op.outputs}
        return len(kinds) == 1 and kinds <= set(dtypes)

    return Constraint(sentence=f"{what} are {type_names(dtypes)}", holds=holds)


def both_are(*dtypes: DType) -> Constraint:
    """`all_are` for two inputs."""
    return all_are(*dtypes, inputs=(0, 1), what="both inputs and the output")


def inputs_are(positions: Iterable[int], what: str, *dtypes: DType) -> Constraint:
    """The inputs at these positions are there and of one of the types, all of the same."""

    def holds(graph: Graph, op: Op) -> bool:
        kinds = {_dtype(graph, op, position) for position in positions}
        return len(kinds) == 1 and kinds <= set(dtypes)

    return Constraint(sentence=f"{what} {type_names(dtypes)}", holds=holds)


INT32_AXES = inputs_are((1,), "the axes are", INT32)


def types_pair(*pairs: tuple[DType, DType]) -> Constraint:
    """The types of the first input and the first output are one of these pairs."""
    by_source: dict[DType, list[DType]] = {}
    for source, output in pairs:
        by_source.setdefault(source, []).append(output)
    rows = [f"{source.value.lower()} to {type_names(outputs)}" for source, outputs in by_source.items()]

    def holds(graph: Graph, op: Op) -> bool:
        return (_dtype(graph, op, 0), graph.output_of(op).dtype) in pairs

    return Constraint(sentence=f"it goes from {'; from '.join(rows)}", holds=holds)


def constant(position: int, what: str) -> Constraint:
    """The input at this position is in the model file."""

    def holds(graph: Graph, op: Op) -> bool:
        tensor = graph.input_of(op, position)
        return tensor is not None and tensor.is_constant

    return Constraint(sentence=f"the {what} constant", holds=holds)


def at_most_dimensions(most: int, *, least: int = 0, positions: Iterable[int] = (0,)) -> Constraint:
    """Of the inputs at these positions and of the outputs."""

    def holds(graph: Graph, op: Op) -> bool:
        tensors = [graph.input_of(op, position) for position in positions]
        ranks = [len(tensor.shape) for tensor in (*tensors, *outputs_of(graph, op)) if tensor is not None]
        return all(least <= rank <= most for rank in ranks)

    span = f"from {least} to {most}" if least else f"at most {most}"
    return Constraint(sentence=f"tensors have {span} dimensions", holds=holds)


def at_most_inputs(most: int) -> Constraint:
    """The kernel has places for no more."""
    return Constraint(sentence=f"there are at most {most} inputs", holds=lambda _, op: len(op.inputs) <= most)


def broadcasts_at_most(most: int) -> Constraint:
    """Where the two inputs differ in shape."""

    def holds(graph: Graph, op: Op) -> bool:
        left, right = input_at(graph, op, 0), input_at(graph, op, 1)
        return left.shape == right.shape or max(len(left.shape), len(right.shape)) <= most

    return Constraint(sentence=f"inputs of different shapes have at most {most} dimensions", holds=holds)


def when(dtype: DType, sentence: str, where: Where) -> Constraint:
    """A condition that only ops whose first output is of this type have to meet."""

    def holds(graph: Graph, op: Op) -> bool:
        return graph.output_of(op).dtype is not dtype or where(graph, op)

    return Constraint(sentence=f"{sentence} ({dtype.value.lower()})", holds=holds)


def input_at(graph: Graph, op: Op, position: int) -> Tensor:
    """The tensor at an input position where the reader has made sure of one."""
    tensor = graph.input_of(op, position)
    assert tensor is not None, f"{op} has no input {position}"
    return tensor


def outputs_of(graph: Graph, op: Op) -> list[Tensor]:
    """All outputs."""
    return [graph.tensors[index] for index in op.outputs]


def bias_is(position: int, **dtypes: tuple[DType, ...]) -> Constraint:
    """The bias, where there is one, has one of the types that belong to the op's type: ``int8=(INT32,)``."""
    rows = [f"{type_names(allowed)} for {kind}" for kind, allowed in dtypes.items()]

    def holds(graph: Graph, op: Op) -> bool:
        bias = graph.input_of(op, position)
        return bias is None or bias.dtype in dtypes.get(graph.output_of(op).dtype.value.lower(), ())

    return Constraint(sentence=f"the bias is {', '.join(rows)}", holds=holds)


def _dtype(graph: Graph, op: Op, position: int) -> DType | None:
    tensor = graph.input_of(op, position)
    return None if tensor is None else tensor.dtype


def _quantization(tensor: Tensor) -> Quantization:
    return tensor.quantization or Quantization(scales=(1.0,), zero_points=(0,))


def _operands(graph: Graph, op: Op) -> list[Tensor]:
    return [*(graph.tensors[index] for index in op.inputs if index >= 0), *outputs_of(graph, op)]


def _scale_or_0(tensor: Tensor) -> float:
    """What TensorFlow Lite Micro has as the scale of a tensor, whether the file gives one or not."""
    return tensor.quantization.scale if tensor.quantization else 0.0


def _alike(tensors: Iterable[Tensor]) -> bool:
    return len({(_quantization(tensor).scale, _quantization(tensor).zero_point) for tensor in tensors}) == 1


def _all_alike(graph: Graph, op: Op) -> bool:
    return _alike(tensor for tensor in _operands(graph, op) if tensor.dtype is INT8)


def _addends_alike(graph: Graph, op: Op) -> bool:
    return _alike(graph.tensors[index] for index in op.inputs)


def _pad_value_alike(graph: Graph, op: Op) -> bool:
    value = graph.input_of(op, 2)
    return value is None or _alike((value, graph.output_of(op)))


def _unquantised(graph: Graph, op: Op) -> bool:
    return all(tensor.quantization is None for tensor in _operands(graph, op))


def _zero_points_are_0(graph: Graph, op: Op) -> bool:
    tensors = [tensor for tensor in _operands(graph, op) if tensor.dtype is INT16]
    return not any(any(_quantization(tensor).zero_points) for tensor in tensors)


ALIKE_INT8 = when(INT8, "inputs and output have one scale and zero point", _all_alike)
ADDENDS_ALIKE = when(INT8, "all inputs have one scale and zero point", _addends_alike)
PAD_VALUE_ALIKE = when(INT8, "the value to pad with is quantised like the output", _pad_value_alike)
SYMMETRIC_INT16 = when(INT16, "zero points are 0", _zero_points_are_0)
UNQUANTISED_INT32 = when(INT32, "nothing is quantised", _unquantised)


def _pools_alike(graph: Graph, op: Op) -> bool:
    source, output = _quantization(input_at(graph, op, 0)), _quantization(graph.output_of(op))
    return abs(source.scale - output.scale) <= 1e-6 and source.zero_point == output.zero_point


POOLS_ALIKE = Constraint(sentence="input and output are quantised alike (scales within 1e-6)", holds=_pools_alike)


def _no_negatives(graph: Graph, op: Op) -> bool:
    return _quantization(input_at(graph, op, 0)).zero_point == -128


NO_NEGATIVES = Constraint(sentence="the input's zero point is -128, so that nothing is negative", holds=_no_negatives)


def _no_activation(_: Graph, op: Op) -> bool:
    return getattr(op.options, "activation", Activation.NONE) is Activation.NONE


NO_ACTIVATION = Constraint(sentence="no activation is fused", holds=_no_activation)


def sums_stay_below(bound_int8: float, bound_int16: float) -> Constraint:
    """ADD and SUB abort the program (QuantizeMultiplierSmallerThanOneExp) where the output's scale is too small."""

    def holds(graph: Graph, op: Op) -> bool:
        output = graph.output_of(op)
        bounds = {INT8: bound_int8, INT16: bound_int16}
        scales = [_quantization(input_at(graph, op, position)).scale for position in (0, 1)]
        return max(scales) < bounds.get(output.dtype, math.inf) * _quantization(output).scale

    shown = [f"2**{round(math.log2(bound))}" for bound in (bound_int8, bound_int16)]
    return Constraint(
        sentence=f"each input's scale is less than {shown[0]} (int16: {shown[1]}) times the output's", holds=holds
    )


def _compares_below_1(graph: Graph, op: Op) -> bool:
    tensors = [input_at(graph, op, position) for position in (0, 1)]
    return all(tensor.dtype is not INT8 or _quantization(tensor).scale < 1 for tensor in tensors)


COMPARES_BELOW_1 = Constraint(sentence="int8 inputs have scales less than 1", holds=_compares_below_1)


def _bias_scale_fits(graph: Graph, op: Op) -> bool:
    weights, bias = _quantization(input_at(graph, op, 1)), graph.input_of(op, 2)
    if bias is None or weights.per_channel:
        return True
    product = _quantization(input_at(graph, op, 0)).scale * weights.scale
    return abs(product - _scale_or_0(bias)) <= 0.02 * _quantization(graph.output_of(op)).scale


BIAS_SCALE_FITS = Constraint(
    sentence="the bias has the scale of input times weights (within 0.02 of the output's), or weights have many",
    holds=_bias_scale_fits,
)


def _svdf_bias_scale_fits(graph: Graph, op: Op) -> bool:
    time, bias, state = (input_at(graph, op, position) for position in (2, 3, 4))
    return abs(_scale_or_0(bias) - _quantization(state).scale * _quantization(time).scale) < 1e-5


SVDF_BIAS_SCALE_FITS = Constraint(
    sentence="the bias has the scale of state times time weights (within 1e-5)", holds=_svdf_bias_scale_fits
)


def _swish_scales_down(graph: Graph, op: Op) -> bool:
    return _quantization(input_at(graph, op, 0)).scale < 128 * _quantization(graph.output_of(op)).scale


SWISH_SCALES_DOWN = Constraint(
    sentence="the input's scale is less than 128 times the output's", holds=_swish_scales_down
)


def output_quantized(dtype: DType, scale: float, zero_point: int, shown: str) -> Constraint:
    """The output's parameters are fixed for this type."""

    def where(graph: Graph, op: Op) -> bool:
        output = _quantization(graph.output_of(op))
        return math.isclose(output.scale, scale, rel_tol=1e-3) and output.zero_point == zero_point

    return when(dtype, f"the output's scale is {shown} and its zero point {zero_point}", where)


def _sigmoid_fills_range(graph: Graph, op: Op) -> bool:
    return _quantization(graph.output_of(op)).zero_point == -128


SIGMOID_FILLS_RANGE = when(INT8, "the output's zero point is -128", _sigmoid_fills_range)


def _one_scale_if_int16(graph: Graph, op: Op) -> bool:
    return not _quantization(input_at(graph, op, 1)).per_channel


PER_TENSOR_INT16 = when(INT16, "the weights have one scale", _one_scale_if_int16)


def _squashes(_: Graph, op: Op) -> bool:
    return cast("LstmOptions", op.options).activation is Activation.TANH


SQUASHES = Constraint(sentence="its fused activation is TANH", holds=_squashes)


def absent(positions: Iterable[int], what: str) -> Constraint:
    """The optional inputs at these positions are left out."""

    def holds(graph: Graph, op: Op) -> bool:
        return all(graph.input_of(op, position) is None for position in positions)

    return Constraint(sentence=f"it has no {what}", holds=holds)


def present(positions: Iterable[int], sentence: str) -> Constraint:
    """The inputs at these positions, optional elsewhere, are there."""

    def holds(graph: Graph, op: Op) -> bool:
        return all(graph.input_of(op, position) is not None for position in positions)

    return Constraint(sentence=sentence, holds=holds)
