"""HARD_SWISH of one 8-bit value, in TFLM's 16-bit arithmetic (reference/hard_swish.h)."""

from collections.abc import Callable

from tinydeploy.engines.aot.fixed_point import clamp, quantize_multiplier, rounding_divide_by_pot
from tinydeploy.model.graph import Quantization

_INT16 = (-(2**15), 2**15 - 1)


def hard_swish(source: Quantization, output: Quantization) -> Callable[[int], int]:
    """The quantised ``x * relu6(x + 3) / 6`` of a quantised x."""
    to_output, output_shift = _multiplier(source.scale / 128 / output.scale)
    # 2**15 stands for 3 in what follows.
    to_three, three_shift = _multiplier(source.scale / 128 / (3 / 2**15))

    def apply(quantized: int) -> int:
        value = (quantized - source.zero_point) << 7
        result = _rounding_high_mul(value, to_output)
        gate = (_rescaled(value, to_three, three_shift) + (1 << 15)) >> 1
        product = gate * result
        high = (abs(product) >> 15) * (1 if product >= 0 else -1)  # towards 0
        return clamp(rounding_divide_by_pot(high, -output_shift) + output.zero_point, -128, 127)

    return apply


def hard_swish_is_in_range(source: Quantization, output: Quantization) -> bool:
    """Whether every shift above is one that TFLM accepts and that 16-bit numbers have."""
    ratio = source.scale / output.scale
    return 2.0**-22 <= source.scale < 2.0**20 and 2.0**-8 <= ratio < 2.0**7 and _multiplier(ratio / 128)[1] <= 0


def _multiplier(real: float) -> tuple[int, int]:
    """A factor as 16-bit mantissa (DownScaleInt32ToInt16Multiplier in common.h) and shift."""
    factor = quantize_multiplier(real)
    return min((factor.mantissa + (1 << 15)) >> 16, _INT16[1]), factor.shift


def _rescaled(value: int, mantissa: int, shift: int) -> int:
    """``value`` times a factor, saturating; the last bit of a shift to the left comes after the multiplication."""
    if shift > 0:
        value = clamp(value << (shift - 1), *_INT16)
        return clamp(_rounding_high_mul(value, mantissa) << 1, *_INT16)
    return rounding_divide_by_pot(_rounding_high_mul(value, mantissa), -shift)


def _rounding_high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of two int16, of which b is positive."""
    return (a * b + (1 << 14)) >> 15
