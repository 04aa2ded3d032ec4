"""The figures of quality, from sums over all values of a tensor."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.convert.quality_pairs import Pair
from tinydeploy.convert.quality_run import Sums
from tinydeploy.model.graph import Graph, Tensor

_CENTRAL = 0.999
"""The share of values that counts as all but the outliers."""


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """How close values x' of the integer model are to the float model's x, all samples together.

    ``sqnr_db`` is the signal to quantisation noise ratio, 10 log10(sum x² / sum (x - x')²): infinite where there is no
    error, minus infinity where there is nothing but error. ``cosine`` is that of the angle between all x and all x', 1
    where both are nothing but zeros.
    """

    sqnr_db: float
    cosine: float
    max_abs_error: float


@dataclass(frozen=True, kw_only=True)
class RangeUse:
    """How values of the float model lie in the range that the scale of the integer tensor covers.

    ``saturated`` is the share of values beyond it; ``used`` the part of it that 99.9 % of the values, and zero, need;
    ``limit_db`` the SQNR of the float model's values if nothing but that range and its steps is wrong with them.
    """

    saturated: float
    used: float
    limit_db: float


def decibels(signal: float, error: float) -> float:
    """The ratio of two powers; infinite where there is no error, minus infinity where there is no signal then."""
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal else -math.inf


def cosine(dot: float, signal: float, energy: float) -> float:
    """Of the angle between x and x', from sum x x', sum x² and sum x'²; 1 where both are nothing but zeros."""
    if signal == 0 or energy == 0:
        return 1.0 if signal == energy else 0.0
    return float(dot / math.sqrt(signal) / math.sqrt(energy))


def close(sums: Sums, rows: Sequence[int]) -> Closeness:
    """Of the pairs in ``rows``, together."""
    indices = list(rows)
    signal = float(sums.signal[indices].sum())
    return Closeness(
        sqnr_db=decibels(signal, float(sums.error[indices].sum())),
        cosine=cosine(float(sums.dot[indices].sum()), signal, float(sums.energy[indices].sum())),
        max_abs_error=float(sums.largest[indices].max()),
    )


def range_use(graph: Graph, sums: Sums, rows: Mapping[int, Pair]) -> RangeUse:
    """Of all rows together; the part of the range that is used is that of the row that uses the most.

    ``rows`` has the pairs by their place in the sums.
    """
    indices = list(rows)
    counts = sums.histogram[indices]
    return RangeUse(
        saturated=float(counts[:, [0, -1]].sum() / counts.sum()),
        used=max(_used(graph.tensors[pair.in_integer], sums.histogram[row]) for row, pair in rows.items()),
        limit_db=decibels(float(sums.signal[indices].sum()), float(sums.rounding[indices].sum())),
    )


def _used(tensor: Tensor, counts: npt.NDArray[np.int64]) -> float:
    """The part of the range between the lowest and the highest bin that all but the outliers, and zero, need."""
    assert tensor.quantization is not None  # as `matched` has it
    inner = counts[1:-1].copy()
    inner[[0, -1]] += counts[[0, -1]]
    below = np.cumsum(inner) / inner.sum()
    tail = (1 - _CENTRAL) / 2
    lowest, highest = tensor.dtype.integer_range
    zero = (tensor.quantization.zero_point - lowest) * len(inner) // (highest - lowest + 1)
    first, last = int(np.searchsorted(below, tail, side="right")), int(np.searchsorted(below, 1 - tail))
    return (max(zero, last) - min(zero, first) + 1) / len(inner)
