"""Convolutions as matrix products on DSP cores: the geometry of firmware/kernels/dsp/td_conv_2d_gemm.h."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.dsp.product import (
    PIXELS,
    Grid,
    Product,
    expansion_instructions,
    product_parameters,
    tile_instructions,
)
from tinydeploy.engines.aot.program import Parameter

Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Window:
    """The geometry of a convolution: pairs are (vertical, horizontal), ``padding`` is what lies in front."""

    input_size: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    output_size: tuple[int, int]

    @property
    def row_values(self) -> int:
        """Values in a row of the kernel."""
        return self.kernel[1] * self.channels

    @property
    def inside(self) -> BoolArray:
        """Which windows are read straight from the input, [rows, columns]; others are copied first."""
        rows, columns = (
            _lies_inside(*side)
            for side in zip(
                self.output_size, self.stride, self.padding, self.kernel, self.dilation, self.input_size, strict=True
            )
        )
        return rows[:, None] & columns & (self.dilation[1] == 1)

    @property
    def copy_bytes(self) -> int:
        """Scratch memory for copied windows."""
        return 0 if self.inside.all() else PIXELS * -(-self.kernel[0] * self.row_values // 16) * 16


def _lies_inside(outputs: int, stride: int, padding: int, taps: int, dilation: int, size: int) -> BoolArray:
    begin = np.arange(outputs) * stride - padding
    return np.asarray((begin >= 0) & (begin + (taps - 1) * dilation < size))


def smallest_lag(window: Window, output_channels: int) -> int:
    """How many bytes before its input an NHWC output must at least start so that none is overwritten too early.

    All input of 4 pixels is read before any of their outputs is written, in raster order.
    """
    rows, columns = window.output_size
    first_rows = np.maximum(np.arange(rows) * window.stride[0] - window.padding[0], 0)
    first_columns = np.maximum(np.arange(columns) * window.stride[1] - window.padding[1], 0)
    reads = (first_rows[:, None] * window.input_size[1] + first_columns).reshape(-1) * window.channels
    earliest = np.minimum.accumulate(reads[::-1])[::-1]  # that this pixel or a later one reads
    begins = np.arange(PIXELS, rows * columns, PIXELS)
    return max(int(np.max(begins * output_channels - earliest[begins], initial=0)), 0)


def convolution_order(kernel_height: int, row_values: int) -> Int64Array:
    """Which tap stands at which depth: of every kernel row the whole groups of 4, then what is left of every row."""
    taps = np.arange(kernel_height * row_values).reshape(kernel_height, row_values)
    whole = row_values // 4 * 4
    return np.concatenate([taps[:, :whole].reshape(-1), taps[:, whole:].reshape(-1)])


def convolution_parameters(product: Product, window: Window, target: Grid, zero_point: int) -> dict[str, Parameter]:
    """The fields of ``struct td_conv_2d_gemm``; the product's weights are in `convolution_order`."""
    return {
        "gemm": product_parameters(product, target),
        "input_height": window.input_size[0],
        "input_width": window.input_size[1],
        "input_channels": window.channels,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
        "input_zero_point": zero_point,
    }


def convolution_instructions(product: Product, window: Window) -> float:
    """Of one call of ``td_conv_2d_gemm``; measured on a Cortex-M4."""
    rows, groups, rest = window.kernel[0], window.row_values // 4, window.row_values % 4
    inside = window.inside
    tiles = -(-inside.size // PIXELS)
    plain = int(np.count_nonzero(_tiles_inside(inside)))
    copies = int(np.count_nonzero(~inside))
    singles = 25 + -(-rows // 4) * 95 if rest == 1 else 0
    several = (60 + 4 * (20 + rows * 20)) if rest > 1 else 0
    expansion = expansion_instructions(rows, groups) + singles + several
    return 100 + tiles * (91 + expansion + tile_instructions(product)) + (tiles - plain) * 190 + copies * _copy(window)


def _copy(window: Window) -> float:
    """Of one window that is copied, as if it were all inside."""
    runs, run = (1, window.row_values) if window.dilation[1] == 1 else (window.kernel[1], window.channels)
    of_run = 12 + 11 * (run // 16) + 6 * (run % 16 // 4) + (6 if run % 4 else 0)
    return 100 + 9 * -(-window.kernel[0] * window.row_values // 16) + runs * (18 + window.kernel[0] * of_run)


def _tiles_inside(inside: BoolArray) -> BoolArray:
    """Which tiles of 4 pixels lie in one row, with all their windows inside; [tiles]."""
    rows, columns = inside.shape
    begins = np.arange(0, rows * columns, PIXELS)
    in_row = begins % columns + PIXELS <= columns
    runs = np.stack([inside.reshape(-1)[np.minimum(begins + i, inside.size - 1)] for i in range(PIXELS)])
    return np.asarray(in_row & runs.all(axis=0))
