"""Ops that only move elements: CONCATENATION, SPLIT, SPLIT_V, STRIDED_SLICE, SLICE, TRANSPOSE, PAD and PADV2."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from types import EllipsisType
from typing import cast

from tinydeploy.engines.aot.operator import Operator, tensor_at
from tinydeploy.engines.aot.ops.strided_copy import Part, View, can_copy, part, strided_copy, whole
from tinydeploy.engines.aot.ops.tensors import integers, quantization_of
from tinydeploy.engines.aot.program import Call, Layer, Operand
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, Constraint, input_is, input_is_constant, output_is
from tinydeploy.model.graph import Activation, ConcatenationOptions, DType, Graph, Op, StridedSliceOptions, Tensor

Copies = list[tuple[Part, Part]]
"""What an op moves: from parts of its inputs to parts of its outputs."""

Index = int | slice | EllipsisType | None


def _concatenation(graph: Graph, op: Op) -> Copies:
    output = graph.output_of(op)
    parts = [graph.tensors[index] for index in op.inputs]
    axis = cast("ConcatenationOptions", op.options).axis % len(output.shape)
    return [
        (whole(tensor), part(output, _range_of(axis, start, tensor.shape[axis])))
        for tensor, start in zip(parts, _starts(parts, axis), strict=True)
    ]


def _split(graph: Graph, op: Op, *, source_at: int, axis_at: int) -> Copies:
    source = tensor_at(graph, op, source_at)
    axis = integers(tensor_at(graph, op, axis_at))[0] % len(source.shape)
    parts = [graph.tensors[index] for index in op.outputs]
    return [
        (part(source, _range_of(axis, start, tensor.shape[axis])), whole(tensor))
        for tensor, start in zip(parts, _starts(parts, axis), strict=True)
    ]


def _starts(parts: Sequence[Tensor], axis: int) -> list[int]:
    """Where each of the parts begins when they stand in a row along the axis."""
    return [0, *accumulate(tensor.shape[axis] for tensor in parts)][:-1]


def _range_of(axis: int, start: int, size: int) -> Callable[[View], View]:
    return lambda view: view[(slice(None),) * axis + (slice(start, start + size),)]


def _transpose(graph: Graph, op: Op) -> Copies:
    order = integers(tensor_at(graph, op, 1))
    return [(part(tensor_at(graph, op, 0), lambda view: view.transpose(order)), whole(graph.output_of(op)))]


def _strided_slice(graph: Graph, op: Op) -> Copies:
    index = _slice_index(graph, op)
    return [(part(tensor_at(graph, op, 0), lambda view: view[index]), whole(graph.output_of(op)))]


def _slice_index(graph: Graph, op: Op) -> tuple[Index, ...]:
    """The op's begins, ends, strides and masks as an index of numpy's, whose rules are TFLite's."""
    options = cast("StridedSliceOptions", op.options)
    bounds = zip(*(integers(tensor_at(graph, op, position)) for position in (1, 2, 3)), strict=True)
    index: list[Index] = []
    for i, (begin, end, stride) in enumerate(bounds):
        first = None if options.begin_mask >> i & 1 else begin
        last = None if options.end_mask >> i & 1 else end
        if options.ellipsis_mask >> i & 1:
            index.append(...)
        elif options.new_axis_mask >> i & 1:
            index.append(None)
        elif options.shrink_axis_mask >> i & 1:
            # TFLM's begin mask holds for single indices too.
            index.append(first or 0)
        else:
            index.append(slice(first, last, stride))
    return tuple(index)


def _slice(graph: Graph, op: Op) -> Copies:
    """A size of -1 reaches to the end."""
    begins, sizes = integers(tensor_at(graph, op, 1)), integers(tensor_at(graph, op, 2))
    index = tuple(slice(begin, None if size == -1 else begin + size) for begin, size in zip(begins, sizes, strict=True))
    return [(part(tensor_at(graph, op, 0), lambda view: view[index]), whole(graph.output_of(op)))]


def _pad(graph: Graph, op: Op) -> Copies:
    source, before = tensor_at(graph, op, 0), integers(tensor_at(graph, op, 1))[::2]
    inside = tuple(slice(start, start + size) for start, size in zip(before, source.shape, strict=True))
    return [(whole(source), part(graph.output_of(op), lambda view: view[inside]))]


def lower_pad(graph: Graph, op: Op) -> Layer:
    """One call of ``td_fill`` for the whole output, then one of ``td_strided_copy``."""
    output = graph.output_of(op)
    value = graph.input_of(op, 2)
    fill = Call(
        kernel="fill",
        parameters={
            "count": output.elements,
            "value": quantization_of(output).zero_point if value is None else integers(value)[0],
        },
        inputs=(),
        output=Operand(tensor=output.index),
    )
    return Layer(op=op.index, calls=(fill, *_copy_calls(_pad(graph, op))))


def _copy_calls(copies: Copies) -> tuple[Call, ...]:
    return tuple(strided_copy(source, target) for source, target in copies)


def _operator(kind: str, copies: Callable[[Graph, Op], Copies], *constraints: Constraint, data: int = 0) -> Operator:
    """An op kind that is nothing but copies; ``data`` is the position of its first data input."""
    return Operator(
        kind=kind,
        constraints=(input_is(data, "input", DType.INT8), output_is(DType.INT8), *constraints, _copyable(copies)),
        lower=lambda graph, op: Layer(op=op.index, calls=_copy_calls(copies(graph, op))),
    )


def _copyable(copies: Callable[[Graph, Op], Copies]) -> Constraint:
    return Constraint(
        sentence="shapes fit, and the elements stand in at most 5 nested runs after merging contiguous dimensions",
        holds=lambda graph, op: all(can_copy(source, target) for source, target in copies(graph, op)),
    )


def _numbers(position: int, what: str) -> tuple[Constraint, Constraint]:
    """An input that parametrises the op."""
    return input_is(position, what, DType.INT32), input_is_constant(position, what)


def _inputs_like_output(graph: Graph, op: Op) -> bool:
    tensors = [graph.tensors[index] for index in op.inputs if index >= 0]
    return len(tensors) == len(op.inputs) and all(
        tensor.dtype is DType.INT8 and quantization_of(tensor) == quantization_of(graph.output_of(op))
        for tensor in tensors
    )


def _one_value_like_output(graph: Graph, op: Op) -> bool:
    value = graph.input_of(op, 2)
    return value is None or (
        value.dtype is DType.INT8 and value.elements == 1 and value.quantization == graph.output_of(op).quantization
    )


def _paddings_fit(graph: Graph, op: Op) -> bool:
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    paddings = integers(tensor_at(graph, op, 1))
    pairs = list(zip(paddings[::2], paddings[1::2], strict=False))
    return (
        len(paddings) == 2 * len(source.shape)
        and min(paddings, default=0) >= 0
        and output.shape == tuple(sum(sizes) + sum(pair) for sizes, pair in zip(zip(source.shape), pairs, strict=True))
    )


def _bounds_fit(graph: Graph, op: Op) -> bool:
    rank = len(tensor_at(graph, op, 0).shape)
    begins, sizes = integers(tensor_at(graph, op, 1)), integers(tensor_at(graph, op, 2))
    return len(begins) == len(sizes) == rank and min(begins, default=0) >= 0 and min(sizes, default=0) >= -1


def _split_covers(graph: Graph, op: Op) -> bool:
    source, axes = tensor_at(graph, op, 0), integers(tensor_at(graph, op, 2))
    rank = len(source.shape)
    if len(axes) != 1 or not -rank <= axes[0] < rank:
        return False
    parts = [graph.tensors[index].shape for index in op.outputs]
    return all(len(shape) == rank for shape in parts) and source.shape[axes[0]] == sum(
        shape[axes[0]] for shape in parts
    )


def _slices_as_tflm(graph: Graph, op: Op) -> bool:
    options = cast("StridedSliceOptions", op.options)
    strides = integers(tensor_at(graph, op, 3))
    single = [stride for i, stride in enumerate(strides) if options.shrink_axis_mask >> i & 1]
    return not options.offset and all(strides) and min(single, default=1) > 0


def _index_is_valid(graph: Graph, op: Op) -> bool:
    try:
        _strided_slice(graph, op)
    except IndexError:
        return False
    return True


_ONE_OUTPUT = Constraint(sentence="there is one output", holds=lambda _, op: len(op.outputs) == 1)

_PAD = (
    input_is(0, "input", DType.INT8),
    output_is(DType.INT8),
    *_numbers(1, "list of paddings"),
    input_is_constant(2, "padded value"),
    QUANTIZED_PER_TENSOR,
    _ONE_OUTPUT,
    Constraint(
        sentence="the padded value, where there is one, is a single int8 quantised like the output",
        holds=_one_value_like_output,
    ),
    Constraint(sentence="paddings are not negative and fit the shapes", holds=_paddings_fit),
    _copyable(_pad),
)

OPERATORS = (
    _operator(
        "CONCATENATION",
        _concatenation,
        QUANTIZED_PER_TENSOR,
        Constraint(sentence="all inputs are int8 and quantised like the output", holds=_inputs_like_output),
        Constraint(
            sentence="no activation is fused",
            holds=lambda _, op: cast("ConcatenationOptions", op.options).activation is Activation.NONE,
        ),
    ),
    _operator(
        "SPLIT",
        lambda graph, op: _split(graph, op, source_at=1, axis_at=0),
        *_numbers(0, "axis"),
        data=1,
    ),
    _operator(
        "SPLIT_V",
        lambda graph, op: _split(graph, op, source_at=0, axis_at=2),
        *_numbers(2, "axis"),
        Constraint(sentence="the parts add up to the input", holds=_split_covers),
    ),
    _operator(
        "STRIDED_SLICE",
        _strided_slice,
        *_numbers(1, "list of begins"),
        *_numbers(2, "list of ends"),
        *_numbers(3, "list of strides"),
        Constraint(
            sentence="ends are not offsets, strides are not 0, and those of single indices are positive",
            holds=_slices_as_tflm,
        ),
        Constraint(sentence="begins, ends and masks fit the input's shape", holds=_index_is_valid),
    ),
    _operator(
        "SLICE",
        _slice,
        *_numbers(1, "list of begins"),
        *_numbers(2, "list of sizes"),
        _ONE_OUTPUT,
        Constraint(sentence="begins and sizes fit the input's shape", holds=_bounds_fit),
    ),
    _operator("TRANSPOSE", _transpose, *_numbers(1, "permutation")),
    Operator(kind="PAD", constraints=_PAD, lower=lower_pad),
    Operator(kind="PADV2", constraints=_PAD, lower=lower_pad),
)
