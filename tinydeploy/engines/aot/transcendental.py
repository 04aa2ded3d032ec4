"""Exponential, logistic and tanh in gemmlowp's fixed point, bit for bit, on Python integers.

A number in *Qm* is an int32 with m integer bits; its real value is ``raw * 2**(m - 31)``. The largest value of Q0
stands for 1. Source: fixedpoint/fixedpoint.h of gemmlowp, whose int32 specialisations these are; none of the additions
below can leave int32 for arguments in the documented range.
"""

import math

from tinydeploy.engines.aot.fixed_point import (
    INT32_MAX,
    rounding_divide_by_pot,
    rounding_doubling_high_mul,
    saturating_left_shift,
)

_ONE_Q0 = INT32_MAX
_ONE_Q2 = 1 << 29
_EXP_MINUS_EIGHTH = round(math.exp(-1 / 8) * 2**31)
_THIRD = round(2**31 / 3)
_EXP_MINUS_POWERS = {power: round(math.exp(-(2.0**power)) * 2**31) for power in range(-2, 5)}
"""exp(-2**power) in Q0."""

_NEWTON_START, _NEWTON_SLOPE = round(48 / 17 * 2**29), round(-32 / 17 * 2**29)
"""The usual first approximation of 1/d for d in [1/2, 1], 48/17 - 32/17 d, in Q2."""


def exp_of_negative(value: int, integer_bits: int) -> int:
    """exp(value) in Q0, for a value in Q ``integer_bits`` (4 or 5) that is not positive."""
    if value == 0:
        return _ONE_Q0
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    last_quarter = (value & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(saturating_left_shift(last_quarter, integer_bits))
    quarters = last_quarter - value
    for power, factor in _EXP_MINUS_POWERS.items():
        if power < integer_bits and quarters >> (fraction_bits + power) & 1:
            result = rounding_doubling_high_mul(result, factor)
    return result


def logistic(value: int, integer_bits: int) -> int:
    """1 / (1 + exp(-value)) in Q0, for any value in Q ``integer_bits``."""
    if value == 0:
        return 1 << 30
    half_inverse = _inverse_of_half_sum(exp_of_negative(-abs(value), integer_bits))
    result = saturating_left_shift(half_inverse, 1)
    return result if value > 0 else _ONE_Q0 - result


def tanh(value: int, integer_bits: int) -> int:
    """The hyperbolic tangent in Q0, for any value in Q ``integer_bits``: (1 - e) / (1 + e) with e = exp(-2 |value|)."""
    if value == 0:
        return 0
    # Read with one integer bit more, the same bits are twice the value.
    inverse = _inverse_of_half_sum(exp_of_negative(-abs(value), integer_bits + 1))
    result = saturating_left_shift(inverse - _ONE_Q2, 2)
    return result if value > 0 else -result


def _exp_of_last_quarter(value: int) -> int:
    """exp(value) in Q0 for a value in Q0 from -1/4 to 0: Taylor's series around -1/8, four terms."""
    x = value + (1 << 28)
    x2 = rounding_doubling_high_mul(x, x)
    x3 = rounding_doubling_high_mul(x2, x)
    x4 = rounding_doubling_high_mul(x2, x2)
    cubic = rounding_doubling_high_mul(rounding_divide_by_pot(x4, 2) + x3, _THIRD)
    series = x + rounding_divide_by_pot(cubic + x2, 1)
    return _EXP_MINUS_EIGHTH + rounding_doubling_high_mul(_EXP_MINUS_EIGHTH, series)


def _inverse_of_half_sum(value: int) -> int:
    """1 / ((1 + value) / 2) in Q2, for a value in Q0 from 0 to 1: three steps of Newton and Raphson."""
    half_sum = (value + _ONE_Q0 + 1) // 2
    x = _NEWTON_START + rounding_doubling_high_mul(half_sum, _NEWTON_SLOPE)
    for _ in range(3):
        error = _ONE_Q2 - rounding_doubling_high_mul(half_sum, x)
        x += saturating_left_shift(rounding_doubling_high_mul(x, error), 2)
    return x
