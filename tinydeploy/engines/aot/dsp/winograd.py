"""CONV_2D, 3x3 with stride 1, by Winograd's exact F(2x2, 3x3): firmware/kernels/dsp/td_conv_2d_winograd.h.

16 multiplications instead of 36 for 4 outputs, for 3.6 bytes of constants a weight. What the kernel takes for granted
is checked here: that 4 times each accumulator stays within int32, and what becomes of it too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.fixed_point import INT32_MAX, INT32_MIN
from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding, folded_bias, weight_rows
from tinydeploy.engines.aot.ops.tensors import quantization_of
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter
from tinydeploy.engines.aot.requantization import Fit, General, Requantization, bounds_are_natural
from tinydeploy.model.graph import Conv2DOptions, Graph, Op

Int64Array = npt.NDArray[np.int64]
Uint32Array = npt.NDArray[np.uint32]

_TILES = 4
"""Tiles of 2x2 outputs that are computed at a time."""

_GROUP = 4
"""Input channels that are transformed at a time."""

_DOUBLED_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
"""The transform of weights, times 2: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015."""

_ROW_SIGNS = np.array([1, 1, -1, -1])
"""With what sign the sums of a patch's rows come into the running sums."""

_POSITIONS = [*((row, 1) for row in (1, 2, 3, 0)), *((row, column) for column in (2, 0, 3) for row in (3, 2, 1, 0))]
"""The order in which the 16 positions (row, column) are summed up. Only column 1 begins with the bias."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The geometry of a convolution: pairs are (vertical, horizontal), ``padding`` is what lies in front."""

    input_size: tuple[int, int]
    input_channels: int
    output_size: tuple[int, int]
    output_channels: int
    padding: tuple[int, int]

    @property
    def groups(self) -> int:
        """Of 4 input channels."""
        return self.input_channels // _GROUP

    @property
    def scratch_bytes(self) -> int:
        """Values and offsets of 4 tiles, 4 columns of a patch, and a pixel of zero points."""
        return 161 * self.input_channels + 16

    @property
    def begins(self) -> tuple[list[int], list[int]]:
        """The first row and the first column of each tile: the last overlaps the one before if the size is odd."""
        rows, columns = ([max(min(at, size - 2), 0) for at in range(0, size, 2)] for size in self.output_size)
        return rows, columns


def winograd(context: Context, op: Op) -> Iterable[Candidate]:
    """One way, where saturation is all that bounds outputs and where 4 times all sums stay within int32.

    Only for a multiple of 4 input channels and at least 2 output channels; only where speed is asked for explicitly.
    """
    graph, layer = context.graph, context.requantization[op.index]
    forms = [form for form in (context.fits.get(op.index), context.general.get(op.index)) if form is not None]
    form = next((form for form in forms if may_be_quadrupled(form, layer)), None)
    if form is None or not _is_3x3(graph, op) or not bounds_are_natural(layer):
        return
    shape = _shape(graph, op)
    if shape.input_channels % _GROUP or shape.output_channels < 2:
        return
    yield Candidate(
        name="Winograd, tiles of 2x2",
        cost=Cost(
            instructions=instructions_of(shape, fitted=isinstance(form, Fit)),
            constant_bytes=_words(shape, form) * 4,
            scratch_bytes=shape.scratch_bytes,
        ),
        lower=lambda: _lower(graph, op, shape, form),
        large=True,
        shifts={"winograd": form.shift if isinstance(form, Fit) else 0},
    )


def may_be_quadrupled(form: Fit | General, layer: Requantization) -> bool:
    """Whether 4 times the accumulators, and what the kernel makes of them, stay within int32 for all channels.

    Sums that are multiplied by 0 may be any.
    """
    sums = np.stack([layer.lo, layer.hi])
    if isinstance(form, General):
        return _is_int32(np.where(form.multiplier == 0, 0, 4 * sums))
    sums = np.where(form.multiplier == 0, 0, 4 * (sums + form.bias_shift))
    return (
        _is_int32(sums) and _is_int32(4 * form.offset) and _is_int32(4 * form.offset + (sums * form.multiplier >> 32))
    )


def transform(weights: npt.NDArray[np.int8]) -> Int64Array:
    """Weights [channels, 3, 3, inputs] as the kernel multiplies by them, [channels, 16 positions, inputs].

    No more than 9 * 128: each is a sum of at most 9 weights, or of at most 3, doubled, or one times 4.
    """
    transformed = np.einsum("ia,jb,cabk->cijk", _DOUBLED_G, _DOUBLED_G, weights.astype(np.int64))
    transformed *= _ROW_SIGNS[:, None, None]
    rows, columns = zip(*_POSITIONS, strict=True)
    return np.asarray(transformed[:, rows, columns])


def pack(weights: npt.NDArray[np.int8], bias: Int64Array, form: Fit | General) -> Uint32Array:
    """The stream of constants of weights [channels, 3, 3, inputs] as the kernel's header lists it, [pairs, words]."""
    channels = len(weights)
    first = np.minimum(np.arange(0, channels, 2), channels - 2)
    pairs = np.stack([first, first + 1], axis=1)
    halves = transform(weights)[pairs]  # [pair, channel, position, input]
    halves = halves.reshape(*halves.shape[:3], -1, 2, 2) & 0xFFFF  # the last: inputs (k, k + 1), (k + 2, k + 3)
    words = halves[..., 0, :] | halves[..., 1, :] << 16
    start = 4 * (bias + (form.bias_shift if isinstance(form, Fit) else 0))
    ends = [form.multiplier, 4 * form.offset] if isinstance(form, Fit) else [form.multiplier, form.offset, form.shift]
    end = np.stack([*ends, np.arange(channels)], axis=1)[pairs]
    parts = [start[pairs], words.transpose(0, 2, 3, 4, 1), end]
    return (np.hstack([part.reshape(len(pairs), -1) for part in parts]) & 0xFFFFFFFF).astype(np.uint32)


def parameters_of(shape: Shape, stream: Uint32Array, form: Fit | General, zero_point: int) -> dict[str, Parameter]:
    """The fields of ``struct td_conv_2d_winograd``."""
    height, width = shape.output_size
    channels: dict[str, Parameter] = {
        "stream": Array(values=stream),
        "words": stream.size,
        "groups": shape.groups,
        "column_step": shape.output_channels if width > 1 else 0,
        "row_step": width * shape.output_channels if height > 1 else 0,
    }
    return {
        "tile": f"td_winograd_tile_shift_{form.shift}" if isinstance(form, Fit) else "td_winograd_tile_general",
        "channels": channels,
        "input_height": shape.input_size[0],
        "input_width": shape.input_size[1],
        "input_channels": shape.input_channels,
        "output_height": height,
        "output_width": width,
        "output_channels": shape.output_channels,
        "pad_top": shape.padding[0],
        "pad_left": shape.padding[1],
        "input_zero_point": zero_point,
    }


def smallest_lag(shape: Shape) -> int:
    """How many bytes before its input the output must at least start so that no input is overwritten too early.

    All input of 4 tiles is read before any of their outputs is written.
    """
    rows, columns = shape.begins
    height, width = shape.output_size
    reads = [
        max(row - shape.padding[0], 0) * shape.input_size[1] + max(column - shape.padding[1], 0)
        for row in rows
        for column in columns
    ]
    writes = [min(row + 1, height - 1) * width + min(column + 2, width) for row in rows for column in columns]
    earliest = np.minimum.accumulate(reads[::-1])[::-1] * shape.input_channels  # that this tile or a later one reads
    written = np.maximum.accumulate(writes) * shape.output_channels  # by this tile or an earlier one
    begins = np.arange(_TILES, len(reads), _TILES)
    return int(np.max(written[begins - 1] - earliest[begins], initial=0))


def instructions_of(shape: Shape, *, fitted: bool) -> float:
    """Of one call: the tile function counted in its code, what is around it measured on a Cortex-M4."""
    rows, columns = shape.begins
    calls = -(-len(rows) * len(columns) // _TILES)
    groups, pairs = shape.groups, -(-shape.output_channels // 2)
    position = 7 + 22 * groups + 3 * -(-groups // 8)
    pair = 16 + 16 * position + (350 if fitted else 450)
    is_odd = len(columns) > 1 and shape.output_size[1] % 2 > 0
    patch_columns = len(rows) * 2 * (len(columns) + 1 + is_odd)
    tiles = calls * _TILES
    transformed = tiles * (53 + 103 * groups) + patch_columns * (45 + 27 * groups)
    return 90 + 62 * len(rows) + transformed + calls * (45 + pairs * pair)


def _is_3x3(graph: Graph, op: Op) -> bool:
    options = cast("Conv2DOptions", op.options)
    strides, dilations = (options.stride_h, options.stride_w), (options.dilation_h, options.dilation_w)
    is_single = tensor_at(graph, op, 0).shape[0] == 1
    return is_single and tensor_at(graph, op, 1).shape[1:3] == (3, 3) and strides == dilations == (1, 1)


def _shape(graph: Graph, op: Op) -> Shape:
    _, height, width, channels = tensor_at(graph, op, 0).shape
    _, output_height, output_width, output_channels = graph.output_of(op).shape
    return Shape(
        input_size=(height, width),
        input_channels=channels,
        output_size=(output_height, output_width),
        output_channels=output_channels,
        padding=convolution_padding(graph, op)[:2],
    )


def _words(shape: Shape, form: Fit | General) -> int:
    of_channel = 3 if isinstance(form, Fit) else 4
    return -(-shape.output_channels // 2) * (2 + 16 * shape.input_channels + 2 * of_channel)


def _lower(graph: Graph, op: Op, shape: Shape, form: Fit | General) -> Layer:
    rows = weight_rows(graph, op)
    bias = folded_bias(graph, op, rows).astype(np.int64)
    stream = pack(rows.reshape(-1, 3, 3, shape.input_channels), bias, form)
    call = Call(
        kernel="conv_2d_winograd",
        parameters=parameters_of(shape, stream, form, quantization_of(tensor_at(graph, op, 0)).zero_point),
        inputs=(Operand(tensor=op.inputs[0]),),
        output=Operand(tensor=op.outputs[0]),
        in_place={0: smallest_lag(shape)},
        scratch_bytes=shape.scratch_bytes,
    )
    return Layer(op=op.index, calls=(call,))


def _is_int32(values: Int64Array) -> bool:
    return bool(np.all((values >= INT32_MIN) & (values <= INT32_MAX)))
