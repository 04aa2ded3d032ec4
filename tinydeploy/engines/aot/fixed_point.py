"""TensorFlow Lite's fixed-point arithmetic, on Python integers, bit for bit.

The compiler evaluates with it what does not depend on the input: multipliers, activation ranges, whole look-up
tables. Sources: tensorflow/lite/kernels/internal/{quantization_util,common}.cc and kernel_util.cc of tflite-micro
(2026-08), and gemmlowp's fixedpoint/fixedpoint.h. All functions follow the double-rounding variant that TFLM uses.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinydeploy.model.graph import Activation, DType, Tensor

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """A real factor as ``mantissa * 2**(shift - 31)``: mantissa in [2**30, 2**31) or 0, shift in [-31, 30]."""

    mantissa: int
    shift: int


@lru_cache(maxsize=1 << 14)  # each channel's is asked for several times, by every set of kernels
def quantize_multiplier(real: float) -> Multiplier:
    """QuantizeMultiplier: a non-negative real factor as mantissa and shift; factors below 2**-32 become 0."""
    if real == 0.0:
        return Multiplier(mantissa=0, shift=0)
    fraction, shift = math.frexp(real)
    mantissa = round_half_away(fraction * 2**31)
    if mantissa == 2**31:
        mantissa //= 2
        shift += 1
    if shift < -31:
        return Multiplier(mantissa=0, shift=0)
    return Multiplier(mantissa=mantissa, shift=shift)


def multiply(value: int, factor: Multiplier) -> int:
    """MultiplyByQuantizedMultiplier: ``value`` times the factor, rounded to nearest twice."""
    left, right = max(factor.shift, 0), max(-factor.shift, 0)
    return rounding_divide_by_pot(rounding_doubling_high_mul(value << left, factor.mantissa), right)


def rounding_doubling_high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of two int32: ``a * b / 2**31``, ties towards plus infinity."""
    return min((a * b + 2**30) >> 31, INT32_MAX)


def saturating_left_shift(value: int, exponent: int) -> int:
    """SaturatingRoundingMultiplyByPOT for positive exponents: ``value * 2**exponent``, bounded to int32."""
    return clamp(value << exponent, INT32_MIN, INT32_MAX)


def rounding_divide_by_pot(value: int, exponent: int) -> int:
    """RoundingDivideByPOT: ``value / 2**exponent``, ties away from zero."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> exponent) + ((value & mask) > threshold)


def round_half_away(value: float) -> int:
    """C's round(): to nearest, ties away from zero."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def activation_range(activation: Activation, output: Tensor) -> tuple[int, int]:
    """CalculateActivationRangeQuantized: the quantised bounds that a fused activation puts on ``output``.

    ``output`` is quantised per tensor. TANH and SIGN_BIT bound nothing, as in TFLM.
    """
    low, high = dtype_range(output.dtype)

    def quantize(real: float) -> int:
        assert output.quantization is not None
        scaled = float(np.float32(real) / np.float32(output.quantization.scale))
        return output.quantization.zero_point + round_half_away(scaled)

    bounds = {
        Activation.RELU: (0.0, None),
        Activation.RELU6: (0.0, 6.0),
        Activation.RELU_N1_TO_1: (-1.0, 1.0),
    }.get(activation)
    if bounds is None:
        return low, high
    lower, upper = bounds
    return max(low, quantize(lower)), high if upper is None else min(high, quantize(upper))


def dtype_range(dtype: DType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    info = np.iinfo(dtype.numpy.name)
    return int(info.min), int(info.max)


def clamp(value: int, low: int, high: int) -> int:
    """``value`` bounded to [low, high]; the upper bound wins where they cross, as in TFLM."""
    return min(max(value, low), high)
