"""How much working memory CMSIS-NN's kernels want: its *_get_buffer_size functions, restated (Source/, 7.x).

They choose at compile time: with ARM_MATH_MVEI where the compiler targets integer Helium, with ARM_MATH_DSP where the
core has the DSP extension, else plain C (Include/arm_nn_math_types.h). Compiled by GCC; Arm Compiler 6 differs in
1x1 convolutions with DSP and in depthwise ones with a single input channel.
"""

import enum
from dataclasses import dataclass, replace


class Instructions(enum.Enum):
    """The instruction set that CMSIS-NN is compiled for."""

    NONE = "none"
    """Cortex-M0, M0+, M3, M23, and M33 without the extension."""
    DSP = "dsp"
    """Cortex-M4, M7, M33 with the DSP extension."""
    MVE = "mve"
    """Cortex-M55, M85: Helium."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A convolution, as the functions here see it. ``pad_h`` and ``pad_w`` are what is before the image."""

    batch: int
    in_h: int
    in_w: int
    in_c: int
    filter_h: int
    filter_w: int
    filter_c: int
    out_w: int
    out_c: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_h: int
    pad_w: int

    @property
    def column(self) -> int:
        """Elements below one position of the filter."""
        return self.filter_h * self.filter_w * self.in_c

    @property
    def is_1x1(self) -> bool:
        """arm_nn_is_convolve_1x1: no im2col needed."""
        return (self.pad_h, self.pad_w, self.filter_h, self.filter_w, self.dilation_h, self.dilation_w) == (
            0,
            0,
            1,
            1,
            1,
            1,
        ) and self.in_c == self.filter_c

    @property
    def is_one_row(self) -> bool:
        """The part of `is_1xn` that does not depend on the stride."""
        return (self.in_h, self.filter_h, self.dilation_w) == (1, 1, 1)

    @property
    def is_1xn(self) -> bool:
        """arm_nn_is_convolve_1_x_n."""
        return self.is_one_row and self.stride_w * self.in_c % 4 == 0 and self.in_c == self.filter_c


# Of arm_nnsupportfunctions.h.
_MVE_CHANNELS_PER_BLOCK = 124
_REVERSE_ABOVE_CHANNELS = 16
_ONE_CHANNEL_TO_CONV_ABOVE = 1


def convolve_s8(window: Window, instructions: Instructions) -> int:
    """arm_convolve_wrapper_s8_get_buffer_size."""
    if window.is_1x1:
        return 0
    if instructions is Instructions.MVE:
        return _convolve_1xn_mve(window) if window.is_1xn else _im2col_s8_mve(window.column)
    return _im2col_s8(window.column)


def convolve_s16(window: Window, instructions: Instructions) -> int:
    """arm_convolve_wrapper_s16_get_buffer_size: also for 1x1."""
    if instructions is Instructions.MVE:
        return 4 * 2 * _up(window.column, 8)
    return 2 * 2 * window.column


def depthwise_s8(window: Window, instructions: Instructions) -> int:
    """arm_depthwise_conv_wrapper_s8_get_buffer_size."""
    if instructions is Instructions.MVE and becomes_convolution(window):
        im2col = 0 if replace(window, filter_c=1).is_1x1 else _im2col_s8_mve(window.column)
        return im2col + window.out_c * window.filter_h * window.filter_w
    optimised = (window.in_c, window.batch, window.dilation_h, window.dilation_w) == (window.out_c, 1, 1, 1)
    if not optimised or instructions is Instructions.NONE:
        return 0
    if instructions is Instructions.MVE:
        return 4 * _MVE_CHANNELS_PER_BLOCK * window.filter_h * window.filter_w
    is_3x3 = (window.filter_h, window.filter_w) == (3, 3) and window.pad_h <= 1 and window.pad_w <= 1
    return 0 if is_3x3 else 2 * window.column


def becomes_convolution(window: Window) -> bool:
    """Whether the MVE kernel runs a depthwise convolution of one input channel as an ordinary one."""
    return window.in_c == 1 and window.out_c > _ONE_CHANNEL_TO_CONV_ABOVE


def average_pool(channels: int, instructions: Instructions) -> int:
    """arm_avgpool_s8_get_buffer_size, arm_avgpool_s16_get_buffer_size: sums."""
    return 4 * channels if instructions is Instructions.DSP else 0


def kernel_sums(rows: int, instructions: Instructions) -> int:
    """arm_fully_connected_s8_get_buffer_size, arm_svdf_s8_get_buffer_size: one sum for each row of the weights."""
    return 4 * rows if instructions is Instructions.MVE else 0


def transpose_convolve_s8(window: Window, instructions: Instructions) -> tuple[int, int]:
    """arm_transpose_conv_s8_get_buffer_size, and arm_transpose_conv_s8_get_reverse_conv_buffer_size."""
    if max(window.stride_h, window.stride_w) <= 2 and window.in_c > _REVERSE_ABOVE_CHANNELS:
        im2col = _im2col_s8_mve if instructions is Instructions.MVE else _im2col_s8
        return im2col(window.column), window.column * window.out_c
    # The larger of filter width and stride *height*: so it stands upstream.
    width = (window.in_w - 1) * window.stride_w + max(window.filter_w, window.stride_h)
    return 4 * width * window.out_c * max(window.filter_h, window.stride_h), 0


def _im2col_s8(column: int) -> int:
    return 2 * 2 * _up(column, 4)


def _im2col_s8_mve(column: int) -> int:
    return 4 * _up(column, 16)


def _convolve_1xn_mve(window: Window) -> int:
    """arm_convolve_1_x_n_s8_get_buffer_size_mve. C's remainder is signed, and its `+` binds before `!=`."""
    odd = (window.out_w - 1) * window.stride_w + window.filter_w - window.in_w
    odd = odd % 2 if odd >= 0 else -(-odd % 2)
    right = max(1, _quotient(window.pad_w + odd + window.stride_w - 1, window.stride_w)) if window.pad_w + odd else 0
    left = max(1, (window.pad_w + window.stride_w - 1) // window.stride_w) if window.pad_w else 0
    middle = max(window.out_w - (right + left), 0)
    if right + middle + left != window.out_w:
        return _im2col_s8_mve(window.column)
    pad_left = window.pad_w * window.in_c
    pad_right = right * window.in_c if odd else pad_left
    whole = window.filter_w * window.in_c
    return max(whole + pad_left, whole - window.in_c + pad_right)


def _quotient(a: int, b: int) -> int:
    """C's division, towards zero."""
    return a // b if a >= 0 else -(-a // b)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
