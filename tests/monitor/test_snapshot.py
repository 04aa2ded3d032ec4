"""The rate of late, and the best classes."""

import numpy as np
import pytest

from tinydeploy.model.graph import Quantization
from tinydeploy.monitor.snapshot import RECENT_S, Tally, best_classes


def test_the_rate_is_that_of_the_last_seconds_and_forgets_what_was_before():
    tally = Tally()
    for number in range(100):
        tally.add(10, at_s=number * 0.01)  # 100 a second
    assert tally.per_second() == pytest.approx(100)
    for number in range(100):
        tally.add(10, at_s=1 + RECENT_S + number * 0.1)  # 10 a second, long after
    assert tally.per_second() == pytest.approx(10)
    assert len(tally.arrivals) <= 10 * RECENT_S + 2, "what is forgotten takes no memory"
    assert tally.inferences == 200


def test_one_result_is_no_rate():
    tally = Tally()
    assert tally.per_second() is None
    tally.add(10, at_s=1)
    assert tally.per_second() is None


def test_classes_come_in_order_of_their_real_values_and_of_equals_the_first_first():
    output = np.array([[-128, 127, 5, 127]], np.int8)
    best = best_classes(
        output, Quantization(scales=(1 / 256,), zero_points=(-128,)), names=["a", "b", "c", "d"], count=3
    )
    assert [(score.name, score.value) for score in best] == [("b", 255 / 256), ("d", 255 / 256), ("c", 133 / 256)]


def test_without_names_classes_have_numbers_and_without_a_scale_values_are_as_they_are():
    best = best_classes(np.array([3, 9], np.int32), None, names=None, count=5)
    assert [(score.name, score.value) for score in best] == [("class 1", 9), ("class 0", 3)]
