"""The options of an op, from the schema's tables to the graph's dataclasses."""

import enum
import math
from collections.abc import Callable
from typing import TypeVar

from tinydeploy.errors import ModelError
from tinydeploy.model.graph import (
    Activation,
    ArithmeticOptions,
    BatchMatMulOptions,
    ConcatenationOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    GatherOptions,
    LeakyReluOptions,
    LstmOptions,
    Options,
    Padding,
    PoolOptions,
    ReducerOptions,
    ResizeNearestNeighborOptions,
    SoftmaxOptions,
    SplitOptions,
    StridedSliceOptions,
    SvdfOptions,
    TransposeConvOptions,
)
from tinydeploy.model.raw import RawOp, Table, guarded

_Name = TypeVar("_Name", bound=enum.Enum)

# In the order of their codes in TFLite's schema.fbs.
_PADDINGS = (Padding.SAME, Padding.VALID)
_ACTIVATIONS = (
    Activation.NONE,
    Activation.RELU,
    Activation.RELU_N1_TO_1,
    Activation.RELU6,
    Activation.TANH,
    Activation.SIGN_BIT,
)
# Keeps every product of a stride, a dilation or a filter with a dimension far from overflowing 32 bits in C.
_MAX_STEP = 4096


def read_options(index: int, raw: RawOp) -> Options | None:
    """The options of op ``index``; None for kinds that have none or that no engine here reads options of.

    Strides, dilations and filters are in 1...4096; factors are finite.

    Raises:
        ModelError: Options are missing, damaged or out of range.
    """
    entry = None if raw.is_custom else _READERS.get(raw.kind)
    if entry is None:
        return None
    table_name, reader = entry
    where = f"op {index} {raw.kind}"
    if type(raw.options).__name__ != table_name:
        raise ModelError(f"{where} has no {table_name}", hint="convert the model again")
    with guarded(f"the options of {where}"):
        try:
            return reader(raw.options)
        except _BadOptionError as error:
            raise ModelError(f"{where}: {error}", hint="convert the model again") from None


class _BadOptionError(Exception):
    """A value that the option cannot have."""


def _choice(choices: tuple[_Name, ...], code: int, name: str) -> _Name:
    if not 0 <= code < len(choices):
        raise _BadOptionError(f"unknown {name} {code}")
    return choices[code]


def _activation(table: Table) -> Activation:
    return _choice(_ACTIVATIONS, table.FusedActivationFunction(), "fused activation")


def _step(value: int, name: str) -> int:
    if not 1 <= value <= _MAX_STEP:
        raise _BadOptionError(f"{name} is {value}, outside 1...{_MAX_STEP}")
    return value


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise _BadOptionError(f"{name} is {value}")
    return value


def _conv_2d(table: Table) -> Conv2DOptions:
    return Conv2DOptions(
        padding=_choice(_PADDINGS, table.Padding(), "padding"),
        stride_h=_step(table.StrideH(), "the vertical stride"),
        stride_w=_step(table.StrideW(), "the horizontal stride"),
        dilation_h=_step(table.DilationHFactor(), "the vertical dilation"),
        dilation_w=_step(table.DilationWFactor(), "the horizontal dilation"),
        activation=_activation(table),
    )


def _depthwise_conv_2d(table: Table) -> DepthwiseConv2DOptions:
    return DepthwiseConv2DOptions(
        **vars(_conv_2d(table)), depth_multiplier=_step(table.DepthMultiplier(), "the depth multiplier")
    )


def _transpose_conv(table: Table) -> TransposeConvOptions:
    return TransposeConvOptions(
        padding=_choice(_PADDINGS, table.Padding(), "padding"),
        stride_h=_step(table.StrideH(), "the vertical stride"),
        stride_w=_step(table.StrideW(), "the horizontal stride"),
        activation=_activation(table),
    )


def _pool(table: Table) -> PoolOptions:
    return PoolOptions(
        padding=_choice(_PADDINGS, table.Padding(), "padding"),
        stride_h=_step(table.StrideH(), "the vertical stride"),
        stride_w=_step(table.StrideW(), "the horizontal stride"),
        filter_h=_step(table.FilterHeight(), "the filter's height"),
        filter_w=_step(table.FilterWidth(), "the filter's width"),
        activation=_activation(table),
    )


def _fully_connected(table: Table) -> FullyConnectedOptions:
    return FullyConnectedOptions(
        activation=_activation(table),
        keep_num_dims=bool(table.KeepNumDims()),
        shuffled_weights=table.WeightsFormat() != 0,
    )


def _arithmetic(table: Table) -> ArithmeticOptions:
    return ArithmeticOptions(activation=_activation(table))


def _softmax(table: Table) -> SoftmaxOptions:
    beta = _finite(table.Beta(), "beta")
    if beta <= 0:
        raise _BadOptionError(f"beta is {beta}, not positive")
    return SoftmaxOptions(beta=beta)


def _concatenation(table: Table) -> ConcatenationOptions:
    return ConcatenationOptions(axis=table.Axis(), activation=_activation(table))


def _leaky_relu(table: Table) -> LeakyReluOptions:
    return LeakyReluOptions(alpha=_finite(table.Alpha(), "alpha"))


def _reducer(table: Table) -> ReducerOptions:
    return ReducerOptions(keep_dims=bool(table.KeepDims()))


def _split(table: Table) -> SplitOptions:
    return SplitOptions(num_splits=table.NumSplits())


def _strided_slice(table: Table) -> StridedSliceOptions:
    return StridedSliceOptions(
        begin_mask=table.BeginMask(),
        end_mask=table.EndMask(),
        ellipsis_mask=table.EllipsisMask(),
        new_axis_mask=table.NewAxisMask(),
        shrink_axis_mask=table.ShrinkAxisMask(),
        offset=bool(table.Offset()),
    )


def _resize_nearest_neighbor(table: Table) -> ResizeNearestNeighborOptions:
    return ResizeNearestNeighborOptions(
        align_corners=bool(table.AlignCorners()), half_pixel_centers=bool(table.HalfPixelCenters())
    )


def _batch_matmul(table: Table) -> BatchMatMulOptions:
    return BatchMatMulOptions(adjoint_x=bool(table.AdjX()), adjoint_y=bool(table.AdjY()))


def _gather(table: Table) -> GatherOptions:
    return GatherOptions(axis=table.Axis(), batch_dims=table.BatchDims())


def _svdf(table: Table) -> SvdfOptions:
    return SvdfOptions(rank=_step(table.Rank(), "the rank"), activation=_activation(table))


def _lstm(table: Table) -> LstmOptions:
    return LstmOptions(time_major=bool(table.TimeMajor()), activation=_activation(table))


# The kind of op: the name of its table in schema.fbs, and what reads it.
_READERS: dict[str, tuple[str, Callable[[Table], Options]]] = {
    "ADD": ("AddOptions", _arithmetic),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _pool),
    "BATCH_MATMUL": ("BatchMatMulOptions", _batch_matmul),
    "CONCATENATION": ("ConcatenationOptions", _concatenation),
    "CONV_2D": ("Conv2DOptions", _conv_2d),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _depthwise_conv_2d),
    "DIV": ("DivOptions", _arithmetic),
    "FULLY_CONNECTED": ("FullyConnectedOptions", _fully_connected),
    "GATHER": ("GatherOptions", _gather),
    "LEAKY_RELU": ("LeakyReluOptions", _leaky_relu),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "MEAN": ("ReducerOptions", _reducer),
    "MUL": ("MulOptions", _arithmetic),
    "REDUCE_ALL": ("ReducerOptions", _reducer),
    "REDUCE_MAX": ("ReducerOptions", _reducer),
    "REDUCE_MIN": ("ReducerOptions", _reducer),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _resize_nearest_neighbor),
    "SOFTMAX": ("SoftmaxOptions", _softmax),
    "SPLIT": ("SplitOptions", _split),
    "STRIDED_SLICE": ("StridedSliceOptions", _strided_slice),
    "SUB": ("SubOptions", _arithmetic),
    "SUM": ("ReducerOptions", _reducer),
    "SVDF": ("SVDFOptions", _svdf),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _transpose_conv),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("UnidirectionalSequenceLSTMOptions", _lstm),
}
