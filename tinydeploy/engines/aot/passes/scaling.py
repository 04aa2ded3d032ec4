"""The fixed-point arithmetic of ../fixed_point.py for arrays: int64 in and out, all values within int32.

Every function is monotone in ``values``, rounding included, since mantissas are not negative: that is why the ends of
an interval decide what its values become.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinydeploy.engines.aot.passes.intervals import Int64Array, Interval


def multiply(values: Int64Array, mantissa: Int64Array | int, shift: Int64Array | int) -> Int64Array:
    """`fixed_point.multiply`; mantissas and shifts are one for all values, or one for each."""
    left, right = np.maximum(shift, 0), np.maximum(np.negative(shift), 0)
    high = np.minimum(((values << left) * mantissa + 2**30) >> 31, 2**31 - 1)
    mask = (np.int64(1) << right) - 1
    rounded: Int64Array = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def scaled_by(factor: Mapping[str, int], values: Int64Array) -> Int64Array:
    """``values`` times a factor, given as the fields of a ``struct td_multiplier``."""
    return multiply(values, factor["mantissa"], factor["shift"])


def requantized(stage: Mapping[str, Any], sums: Interval) -> Interval:
    """The outputs that accumulators become by the fields of a ``struct td_output_stage``, channel by channel."""
    mantissa, shift = (stage[name].values.astype(np.int64) for name in ("mantissa", "shift"))
    ends = (multiply(end, mantissa, shift) + stage["zero_point"] for end in (sums.low, sums.high))
    return Interval(low=next(ends), high=next(ends)).clipped(stage["min"], stage["max"])
