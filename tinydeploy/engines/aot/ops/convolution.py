"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

import math
from typing import cast

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.fixed_point import INT32_MAX, Multiplier, quantize_multiplier
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.output_stage import output_stage
from tinydeploy.engines.aot.ops.tensors import ACTIVATION_FITS, ONE_IMAGE, dimensions_fit, quantization_of
from tinydeploy.engines.aot.program import Array, Layer, Parameter
from tinydeploy.engines.constraint import Constraint, input_is, input_is_constant, output_is
from tinydeploy.model.graph import (
    Activation,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    DType,
    FullyConnectedOptions,
    Graph,
    Op,
    Padding,
    Tensor,
)

Int32Array = npt.NDArray[np.int32]
Int8Array = npt.NDArray[np.int8]
Int64Array = npt.NDArray[np.int64]

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Op kinds with weights, whose sums are requantised."""


def padding_before(padding: Padding, size: int, output: int, stride: int, span: int) -> int:
    """Padding in front of one dimension (ComputePadding in tensorflow/lite/kernels/padding.h).

    ``span`` is what the dilated kernel covers. The odd one of an uneven padding goes behind.
    """
    if padding is Padding.VALID:
        return 0
    return max((output - 1) * stride + span - size, 0) // 2


def convolution_padding(graph: Graph, op: Op) -> tuple[int, int, int, int]:
    """How far the windows of a CONV_2D or DEPTHWISE_CONV_2D reach beyond its input: top, left, bottom, right.

    Never negative. What they meet there counts as the input's zero point.
    """
    options = cast("Conv2DOptions", op.options)
    if options.explicit_padding is not None:
        return options.explicit_padding
    before, behind = [], []
    strides, dilations = (options.stride_h, options.stride_w), (options.dilation_h, options.dilation_w)
    sizes, kernel = tensor_at(graph, op, 0).shape[1:3], tensor_at(graph, op, 1).shape[1:3]
    outputs = graph.output_of(op).shape[1:3]
    for size, output, stride, taps, dilation in zip(sizes, outputs, strides, kernel, dilations, strict=True):
        span = (taps - 1) * dilation + 1
        before.append(padding_before(options.padding, size, output, stride, span))
        behind.append(max((output - 1) * stride + span - size - before[-1], 0))
    return before[0], before[1], behind[0], behind[1]


def lower_conv_2d(graph: Graph, op: Op) -> Layer:
    """One call of ``td_conv_2d``."""
    options = cast("Conv2DOptions", op.options)
    weights = tensor_at(graph, op, 1)
    parameters = {**_geometry(graph, op, options), **_sums(graph, op, _int8(weights), options.activation)}
    return one_call(op, "conv_2d", parameters)


def lower_depthwise_conv_2d(graph: Graph, op: Op) -> Layer:
    """One call of ``td_depthwise_conv_2d``; the weights are turned so that each channel's are contiguous.

    Of ``td_conv_2d`` where there is one input channel, which all outputs read.
    """
    options = cast("DepthwiseConv2DOptions", op.options)
    weights = np.ascontiguousarray(_int8(tensor_at(graph, op, 1))[0].transpose(2, 0, 1))
    if tensor_at(graph, op, 0).shape[-1] == 1:
        parameters = {**_geometry(graph, op, options), **_sums(graph, op, weights, options.activation)}
        return one_call(op, "conv_2d", parameters)
    multiplier: dict[str, Parameter] = {"depth_multiplier": options.depth_multiplier}
    parameters = {**_geometry(graph, op, options), **multiplier, **_sums(graph, op, weights, options.activation)}
    return one_call(op, "depthwise_conv_2d", parameters)


def lower_fully_connected(graph: Graph, op: Op) -> Layer:
    """One call of ``td_fully_connected``."""
    options = cast("FullyConnectedOptions", op.options)
    source, weights = tensor_at(graph, op, 0), tensor_at(graph, op, 1)
    depth = weights.shape[-1]
    sizes: dict[str, Parameter] = {
        "rows": source.elements // depth,
        "input_depth": depth,
        "output_depth": weights.elements // depth,
    }
    return one_call(op, "fully_connected", {**sizes, **_sums(graph, op, _int8(weights), options.activation)})


def _sums(graph: Graph, op: Op, weights: Int8Array, activation: Activation) -> dict[str, Parameter]:
    """What makes the sums and what becomes of them. ``weights`` are in the kernel's order, output channels first."""
    return {
        "weights": Array(values=weights),
        "bias": Array(values=folded_bias(graph, op, _rows(weights))),
        "output_stage": output_stage(multipliers(graph, op), activation, graph.output_of(op)),
    }


def _geometry(graph: Graph, op: Op, options: Conv2DOptions) -> dict[str, Parameter]:
    source = tensor_at(graph, op, 0)
    _, height, width, channels = source.shape
    _, output_height, output_width, output_channels = graph.output_of(op).shape
    _, kernel_height, kernel_width, _ = tensor_at(graph, op, 1).shape
    pad_top, pad_left, _, _ = convolution_padding(graph, op)
    return {
        "input_height": height,
        "input_width": width,
        "input_channels": channels,
        "output_height": output_height,
        "output_width": output_width,
        "output_channels": output_channels,
        "kernel_height": kernel_height,
        "kernel_width": kernel_width,
        "stride_height": options.stride_h,
        "stride_width": options.stride_w,
        "dilation_height": options.dilation_h,
        "dilation_width": options.dilation_w,
        "pad_top": pad_top,
        "pad_left": pad_left,
        "input_zero_point": quantization_of(source).zero_point,
    }


def multipliers(graph: Graph, op: Op) -> list[Multiplier]:
    """The factors from accumulators to outputs, one or one for each output channel.

    PopulateConvolutionQuantizationParams (kernel_util.cc): in double precision.
    """
    source, weights, output = tensor_at(graph, op, 0), tensor_at(graph, op, 1), graph.output_of(op)
    return [
        quantize_multiplier(quantization_of(source).scale * scale / quantization_of(output).scale)
        for scale in quantization_of(weights).scales
    ]


def folded_bias(graph: Graph, op: Op, rows: Int8Array) -> Int32Array:
    """The bias minus what the input's zero point contributes: ``bias - zero_point * sum(weights)`` per channel.

    With it, ``sum(weights * (input - zero_point)) + bias`` needs no subtraction in the inner loop.
    """
    return _wide_folded_bias(graph, op, rows).astype(np.int32)


def _wide_folded_bias(graph: Graph, op: Op, rows: Int8Array) -> Int64Array:
    bias = graph.input_of(op, 2)
    start = np.zeros(len(rows), np.int64) if bias is None or bias.data is None else bias.data.astype(np.int64)
    zero_point = quantization_of(tensor_at(graph, op, 0)).zero_point
    folded: Int64Array = start.reshape(-1) - zero_point * rows.sum(axis=1, dtype=np.int64)
    return folded


def weight_rows(graph: Graph, op: Op) -> Int8Array:
    """The weights as [output channels, taps], taps in the order height, width, input channels."""
    weights = _int8(tensor_at(graph, op, 1))
    return _rows(weights[0].transpose(2, 0, 1) if op.kind == "DEPTHWISE_CONV_2D" else weights)


def activation_of(op: Op) -> Activation:
    """The activation that is fused into an op with weights."""
    return cast("Conv2DOptions | FullyConnectedOptions", op.options).activation


def _accumulators_fit(graph: Graph, op: Op) -> bool:
    """Whether no input can bring an accumulator out of int32, however it is summed up, and while it is scaled."""
    rows = weight_rows(graph, op)
    reach = np.abs(_wide_folded_bias(graph, op, rows)) + 128 * np.abs(rows.astype(np.int64)).sum(axis=1)
    left_shifts = np.array([max(factor.shift, 0) for factor in multipliers(graph, op)])
    limit = INT32_MAX - 256  # the output's zero point is added at the end
    return bool(np.all(left_shifts < 31) and np.all(reach <= limit >> left_shifts))


def _weights_are_symmetric(graph: Graph, op: Op) -> bool:
    return not any(quantization_of(tensor_at(graph, op, 1)).zero_points)


def _scales_match_channels(graph: Graph, op: Op) -> bool:
    weights = tensor_at(graph, op, 1)
    quantization = quantization_of(weights)
    axis = 3 if op.kind == "DEPTHWISE_CONV_2D" else 0
    return not quantization.per_channel or quantization.axis == axis


def _reach_fits(graph: Graph, op: Op) -> bool:
    options = cast("Conv2DOptions", op.options)
    _, _, width, channels = tensor_at(graph, op, 0).shape
    _, kernel_height, kernel_width, _ = tensor_at(graph, op, 1).shape
    rows = (kernel_height - 1) * options.dilation_h + 1
    columns = (kernel_width - 1) * options.dilation_w + 1
    return max(rows, columns) < 2**16 and rows * max(width, columns) * channels <= INT32_MAX


def _is_not_grouped(graph: Graph, op: Op) -> bool:
    return tensor_at(graph, op, 0).shape[-1] == tensor_at(graph, op, 1).shape[-1]


def _rows(values: Int8Array) -> Int8Array:
    return values.reshape(values.shape[0], math.prod(values.shape[1:]))


def _int8(tensor: Tensor) -> Int8Array:
    assert tensor.data is not None
    return tensor.data.view(np.int8)


_CONSTRAINTS = (
    input_is(0, "input", DType.INT8),
    input_is(1, "weights tensor", DType.INT8),
    output_is(DType.INT8),
    input_is_constant(1, "weights tensor"),
    input_is_constant(2, "bias"),
    Constraint(sentence="the weights' zero points are 0", holds=_weights_are_symmetric),
    dimensions_fit((0, 1)),
    ACTIVATION_FITS,
    Constraint(sentence="weights have one scale, or one per output channel", holds=_scales_match_channels),
    Constraint(sentence="no input can overflow the 32-bit accumulators", holds=_accumulators_fit),
)

_REACH_FITS = Constraint(
    sentence="the dilated kernel covers at most 65,535 rows and columns, and 2**31 values", holds=_reach_fits
)
_NOT_GROUPED = Constraint(sentence="every output channel reads all input channels (no groups)", holds=_is_not_grouped)

OPERATORS = (
    Operator(kind="CONV_2D", constraints=(*_CONSTRAINTS, ONE_IMAGE, _REACH_FITS, _NOT_GROUPED), lower=lower_conv_2d),
    Operator(
        kind="DEPTHWISE_CONV_2D", constraints=(*_CONSTRAINTS, ONE_IMAGE, _REACH_FITS), lower=lower_depthwise_conv_2d
    ),
    Operator(kind="FULLY_CONNECTED", constraints=_CONSTRAINTS, lower=lower_fully_connected),
)
