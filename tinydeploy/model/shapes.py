"""Checks of single ops: that shapes, types and quantisation are what the op's definition asks for.

One rule per kind, for the kinds that come in int8 models; others pass unchecked, and only with shapes that the file
fixes. The formulas are those of TFLite's Prepare functions
(tensorflow/lite/kernels, tensorflow/lite/micro/kernels).
"""

from collections.abc import Callable
from typing import cast

from tinydeploy.errors import ModelError
from tinydeploy.model.fit import Case, MisfitError, need_rank
from tinydeploy.model.graph import (
    BatchMatMulOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Op,
    Padding,
    PoolOptions,
    ReducerOptions,
    StridedSliceOptions,
    Tensor,
    TransposeConvOptions,
)
from tinydeploy.model.movement import MOVEMENT_RULES, slices_plainly
from tinydeploy.model.recurrent import RECURRENT_RULES
from tinydeploy.model.text import shape_text

_AGAIN = "convert the model again"


def checks_shapes_of(op: Op) -> bool:
    """Whether `check_op` derives the op's output shapes, so that those in the file are known to be right."""
    options = op.options
    if isinstance(options, StridedSliceOptions):
        return slices_plainly(options)
    return not op.is_custom and op.kind in _RULES


def check_op(tensors: tuple[Tensor, ...], op: Op) -> None:
    """Nothing, where the op's inputs, outputs and options fit together; its indices must be in range.

    Raises:
        ModelError: They do not.
    """
    rule = None if op.is_custom else _RULES.get(op.kind)
    if rule is None:
        return
    try:
        rule(Case(tensors, op))
    except MisfitError as error:
        raise ModelError(f"{op}: {error}", hint=_AGAIN) from None


def window_output(size: int, window: int, stride: int, dilation: int, padding: Padding) -> int:
    """How many positions a window has along a dimension of ``size``; 0 or less where it does not fit."""
    if padding is Padding.SAME:
        return -(-size // stride)
    return (size - (window - 1) * dilation - 1) // stride + 1


def _conv_2d(case: Case) -> None:
    case.arity(2, 3)
    options = cast("Conv2DOptions", case.op.options)
    batch, height, width, depth = need_rank(case.data(), 4, "input")
    weights = case.weights(0, may_be_asymmetric=False)
    channels, filter_h, filter_w, filter_depth = need_rank(weights, 4, "weights")
    # Fewer input channels than the input has: a grouped convolution.
    if depth % filter_depth or channels % (depth // filter_depth):
        raise MisfitError(f"weights {shape_text(weights.shape)} do not fit {depth} input channels")
    case.bias(channels)
    case.per_tensor(case.data(), case.output)
    case.same_type(case.data(), case.output)
    out_h = window_output(height, filter_h, options.stride_h, options.dilation_h, options.padding)
    out_w = window_output(width, filter_w, options.stride_w, options.dilation_w, options.padding)
    case.yields((batch, out_h, out_w, channels))


def _depthwise_conv_2d(case: Case) -> None:
    case.arity(2, 3)
    options = cast("DepthwiseConv2DOptions", case.op.options)
    batch, height, width, depth = need_rank(case.data(), 4, "input")
    weights = case.weights(3, may_be_asymmetric=False)
    ones, filter_h, filter_w, channels = need_rank(weights, 4, "weights")
    if ones != 1 or channels != depth * options.depth_multiplier:
        raise MisfitError(
            f"weights {shape_text(weights.shape)} do not fit {depth} input channels "
            f"and a depth multiplier of {options.depth_multiplier}"
        )
    case.bias(channels)
    case.per_tensor(case.data(), case.output)
    case.same_type(case.data(), case.output)
    out_h = window_output(height, filter_h, options.stride_h, options.dilation_h, options.padding)
    out_w = window_output(width, filter_w, options.stride_w, options.dilation_w, options.padding)
    case.yields((batch, out_h, out_w, channels))


def _transpose_conv(case: Case) -> None:
    """Inputs: the output's shape, weights, data, bias. TensorFlow Lite Micro does not read the first."""
    case.arity(3, 4)
    options = cast("TransposeConvOptions", case.op.options)
    batch, height, width, depth = need_rank(case.data(2), 4, "input")
    weights = case.weights(0, may_be_asymmetric=False)
    channels, filter_h, filter_w, filter_depth = need_rank(weights, 4, "weights")
    if filter_depth != depth:
        raise MisfitError(f"weights {shape_text(weights.shape)} do not fit {depth} input channels")
    case.bias(channels, position=3)
    case.per_tensor(case.data(2), case.output)
    case.same_type(case.data(2), case.output)
    _, out_h, out_w, _ = need_rank(case.output, 4, "output")
    # The convolution that this one turns round has to give the input's size again.
    if (
        window_output(out_h, filter_h, options.stride_h, 1, options.padding) != height
        or window_output(out_w, filter_w, options.stride_w, 1, options.padding) != width
    ):
        raise MisfitError(f"{shape_text(case.data(2).shape)} does not become {shape_text(case.output.shape)}")
    case.yields((batch, out_h, out_w, channels))
    if case.data(0).is_constant:
        case.yields(case.parameter(0))


def _batch_matmul(case: Case) -> None:
    case.arity(2, 2)
    options = cast("BatchMatMulOptions", case.op.options)
    left, right = case.data(0), case.data(1)
    case.same_type(left, right, case.output)
    case.per_tensor(left, right, case.output)
    if min(len(left.shape), len(right.shape)) < 2:
        raise MisfitError(f"{shape_text(left.shape)} times {shape_text(right.shape)}, expected matrices")
    rows, depth = left.shape[:-3:-1] if options.adjoint_x else left.shape[-2:]
    right_depth, columns = right.shape[:-3:-1] if options.adjoint_y else right.shape[-2:]
    if depth != right_depth:
        raise MisfitError(f"{shape_text(left.shape)} times {shape_text(right.shape)}: {depth} is not {right_depth}")
    case.yields([*_broadcast(left.shape[:-2], right.shape[:-2]), rows, columns])


def _fully_connected(case: Case) -> None:
    case.arity(2, 3)
    options = cast("FullyConnectedOptions", case.op.options)
    if options.shuffled_weights:
        raise MisfitError("shuffled weights are not supported")
    source, weights = case.data(), case.weights(0, may_be_asymmetric=True)
    units, depth = need_rank(weights, 2, "weights")
    if source.elements % depth or (options.keep_num_dims and source.shape[-1:] != (depth,)):
        raise MisfitError(f"weights {shape_text(weights.shape)} do not fit the input {shape_text(source.shape)}")
    case.bias(units)
    case.per_tensor(source, case.output)
    case.same_type(source, case.output)
    if options.keep_num_dims:
        case.yields((*source.shape[:-1], units))
    elif case.output.shape[-1:] != (units,) or case.output.elements != source.elements // depth * units:
        case.yields((source.elements // depth, units))


def _arithmetic(case: Case) -> None:
    case.arity(2, 2)
    left, right = case.data(0), case.data(1)
    case.same_type(left, right, case.output)
    case.per_tensor(left, right, case.output)
    case.yields(_broadcast(left.shape, right.shape))


def _comparison(case: Case) -> None:
    case.arity(2, 2)
    left, right = case.data(0), case.data(1)
    case.same_type(left, right)
    case.per_tensor(left, right)
    case.yields(_broadcast(left.shape, right.shape))


def _prelu(case: Case) -> None:
    case.arity(2, 2)
    case.same_type(case.data(), case.output)
    case.per_tensor(case.data(), case.data(1), case.output)
    case.yields(_broadcast(case.data().shape, case.data(1).shape))
    case.yields(case.data().shape)


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> list[int]:
    """The shape that both are stretched to, by numpy's rules."""
    rank = max(len(left), len(right))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (left, right)]
    if any(a != b and 1 not in (a, b) for a, b in zip(*padded, strict=True)):
        raise MisfitError(f"{shape_text(left)} and {shape_text(right)} do not broadcast")
    return [max(a, b) for a, b in zip(*padded, strict=True)]


def _pool(case: Case) -> None:
    case.arity(1, 1)
    options = cast("PoolOptions", case.op.options)
    batch, height, width, depth = need_rank(case.data(), 4, "input")
    case.same_type(case.data(), case.output)
    case.per_tensor(case.data(), case.output)
    out_h = window_output(height, options.filter_h, options.stride_h, 1, options.padding)
    out_w = window_output(width, options.filter_w, options.stride_w, 1, options.padding)
    case.yields((batch, out_h, out_w, depth))


def _reduction(case: Case) -> None:
    case.arity(2, 2)
    source = case.data()
    case.same_type(source, case.output)
    case.per_tensor(source, case.output)
    axes = set(case.axes(1, len(source.shape)))
    keep = cast("ReducerOptions", case.op.options).keep_dims
    sizes = [(1 if i in axes else size) for i, size in enumerate(source.shape) if keep or i not in axes]
    case.yields(sizes)


def _arg_extreme(case: Case) -> None:
    case.arity(2, 2)
    source = case.data()
    case.per_tensor(source)
    axes = case.axes(1, len(source.shape))
    if len(axes) != 1:
        raise MisfitError(f"{len(axes)} axes, expected 1")
    case.yields([size for axis, size in enumerate(source.shape) if axis != axes[0]])


def _cast(case: Case) -> None:
    case.arity(1, 1)
    case.yields(case.data().shape)


def _elementwise(*, changes_type: bool = False) -> Callable[[Case], None]:
    """One input, one output of its shape."""

    def rule(case: Case) -> None:
        case.arity(1, 1)
        source = case.data()
        if not changes_type:
            case.same_type(source, case.output)
        case.per_tensor(source, case.output)
        case.yields(source.shape)

    return rule


def _resize(case: Case) -> None:
    case.arity(2, 2)
    source, size = case.data(), case.parameter(1)
    case.same_type(source, case.output)
    batch, _, _, depth = need_rank(source, 4, "input")
    if len(size) != 2:
        raise MisfitError(f"{len(size)} sizes, expected height and width")
    case.yields((batch, size[0], size[1], depth))


_RULES: dict[str, Callable[[Case], None]] = {
    **MOVEMENT_RULES,
    **RECURRENT_RULES,
    **dict.fromkeys(("ABS", "ELU", "L2_NORMALIZATION", "LOGICAL_NOT", "LOG_SOFTMAX", "RSQRT"), _elementwise()),
    **dict.fromkeys(("DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"), _arithmetic),
    **dict.fromkeys(("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"), _comparison),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR"), _comparison),
    **dict.fromkeys(("REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduction),
    "ADD": _arithmetic,
    "AVERAGE_POOL_2D": _pool,
    "ARG_MAX": _arg_extreme,
    "ARG_MIN": _arg_extreme,
    "BATCH_MATMUL": _batch_matmul,
    "CAST": _cast,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _elementwise(changes_type=True),
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _elementwise(),
    "LEAKY_RELU": _elementwise(),
    "LOGISTIC": _elementwise(),
    "MAX_POOL_2D": _pool,
    "MEAN": _reduction,
    "MUL": _arithmetic,
    "PRELU": _prelu,
    "QUANTIZE": _elementwise(changes_type=True),
    "RELU": _elementwise(),
    "RELU6": _elementwise(),
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SOFTMAX": _elementwise(changes_type=True),
    "SUB": _arithmetic,
    "TANH": _elementwise(),
    "TRANSPOSE_CONV": _transpose_conv,
}
