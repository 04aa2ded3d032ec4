"""What is known of the values of a tensor: a lowest and a highest one for each channel."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval:
    """Bounds, both inclusive, of all values of each channel; channels are the indices of a tensor's last dimension."""

    low: Int64Array
    high: Int64Array

    @classmethod
    def full(cls, channels: int) -> Self:
        """All of int8."""
        return cls(low=np.full(channels, -128), high=np.full(channels, 127))

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Self:
        """Those of a constant tensor."""
        rows = values.reshape(-1, values.shape[-1] if values.shape else 1).astype(np.int64)
        return cls(low=rows.min(axis=0), high=rows.max(axis=0))

    @property
    def is_constant(self) -> BoolArray:
        """For each channel whether it has one value only."""
        same: BoolArray = self.low == self.high
        return same

    def hull(self, other: "Interval") -> "Interval":
        """What holds for the values of both, channel by channel."""
        return Interval(low=np.minimum(self.low, other.low), high=np.maximum(self.high, other.high))

    def clipped(self, low: int, high: int) -> "Interval":
        """Of the values bounded to [low, high]; the upper bound wins where they cross."""
        return Interval(low=_clip(self.low, low, high), high=_clip(self.high, low, high))

    def at(self, channels: npt.NDArray[np.intp] | slice) -> "Interval":
        """Of some channels, in their order."""
        return Interval(low=self.low[channels], high=self.high[channels])

    def regrouped(self, channels: int) -> "Interval":
        """Of the same elements as a tensor whose last dimension is ``channels``.

        An element keeps its place in memory, so an old channel c meets a new one f only where both leave the same
        remainder modulo the greatest common divisor of both counts.
        """
        count = len(self.low)
        if channels == count:
            return self
        shared = math.gcd(count, channels)
        low, high = self.low.reshape(-1, shared).min(axis=0), self.high.reshape(-1, shared).max(axis=0)
        return Interval(low=np.tile(low, channels // shared), high=np.tile(high, channels // shared))


def _clip(values: Int64Array, low: int, high: int) -> Int64Array:
    return np.minimum(np.maximum(values, low), high)
