"""How often which latency came, in buckets that never change: records of different runs can be laid side by side."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

BUCKETS_PER_DOUBLING = 8
"""A bucket is 9 % wide (2**(1/8)), so that a quantile is at most 4.5 % off."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """So many values from ``low`` up to, but without, ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Values of at least 1: quantiles to 4.5 %, the extremes exactly. Where all are one value, so are the quantiles.

    ``buckets`` are those with something in them, from the lowest on.
    """

    count: int
    least: float
    p50: float
    p95: float
    most: float
    buckets: tuple[Bucket, ...]


class Histogram:
    """Takes values one by one, in memory that does not grow with them."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._counts: Counter[int] = Counter()
        self._least, self._most = math.inf, 0.0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """Counts a value; one below 1 counts as 1."""
        value = max(1.0, value)
        self._counts[math.floor(math.log2(value) * BUCKETS_PER_DOUBLING)] += 1
        self._least, self._most = min(self._least, value), max(self._most, value)

    def distribution(self) -> Distribution | None:
        """What there is so far; None before the first value."""
        if not self._counts:
            return None
        return Distribution(
            count=self._counts.total(),
            least=self._least,
            p50=self._quantile(0.5),
            p95=self._quantile(0.95),
            most=self._most,
            buckets=tuple(
                Bucket(low=_edge(number), high=_edge(number + 1), count=count)
                for number, count in sorted(self._counts.items())
            ),
        )

    def _quantile(self, share: float) -> float:
        """The middle of the bucket that it is in, but never beyond the extremes."""
        wanted, seen = math.ceil(share * self._counts.total()), 0
        for number, count in sorted(self._counts.items()):
            seen += count
            if seen >= wanted:
                return min(max(_edge(number + 0.5), self._least), self._most)
        raise AssertionError


def _edge(number: float) -> float:
    return float(2 ** (number / BUCKETS_PER_DOUBLING))
