"""Latencies in fixed buckets: quantiles, extremes, and memory that does not grow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydeploy.monitor.histogram import Histogram


def test_before_the_first_value_there_is_nothing():
    assert Histogram().distribution() is None


def test_where_all_are_one_value_the_quantiles_are_that_value():
    found = Histogram([84_291] * 100).distribution()
    assert (found.least, found.p50, found.p95, found.most) == (84_291,) * 4
    (bucket,) = found.buckets
    assert bucket.low <= 84_291 < bucket.high
    assert bucket.count == 100


def test_the_95th_percentile_is_not_moved_by_four_of_a_hundred():
    found = Histogram([100.0] * 96 + [10_000.0] * 4).distribution()
    assert found.p95 == pytest.approx(100, rel=0.045)
    assert found.most == 10_000
    assert Histogram([100.0] * 94 + [10_000.0] * 6).distribution().p95 == pytest.approx(10_000, rel=0.045)


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=200))
def test_quantiles_are_within_half_a_bucket_and_no_value_is_lost(values):
    found = Histogram(values).distribution()
    ordered = np.sort(values)
    for share, quantile in ((0.5, found.p50), (0.95, found.p95)):
        exact = ordered[int(np.ceil(share * len(values))) - 1]
        assert quantile == pytest.approx(exact, rel=0.046)
    assert sum(bucket.count for bucket in found.buckets) == found.count == len(values)
    assert (found.least, found.most) == (min(values), max(values))


def test_buckets_are_the_same_in_every_run():
    first, second = (Histogram(values).distribution().buckets for values in ([1000.0], [1000.0, 5.0, 80_000.0]))
    assert first[0].low in {bucket.low for bucket in second}


def test_a_timer_that_told_nothing_counts_as_1():
    assert Histogram([0.0]).distribution().most == 1
