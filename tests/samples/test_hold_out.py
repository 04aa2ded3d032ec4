"""Dividing samples, and those that are made up."""

import numpy as np
import pytest
from sample_graphs import graph_of, int8_graph

from tinydeploy.samples import UNLABELLED, Samples, hold_out, join_samples, random_samples


def numbered(count, labels=None):
    """Samples whose only value is their number."""
    numbers = None if labels is None else np.asarray(labels, np.int64)
    return Samples(inputs=(np.arange(count, dtype=np.float32).reshape(count, 1, 1),), labels=numbers, notes=("a note",))


def numbers_of(samples):
    return samples.inputs[0].ravel().astype(int).tolist()


def test_samples_are_taken_with_their_labels_in_the_order_that_is_asked_for():
    taken = numbered(5, labels=[0, 1, 2, 0, 1]).take([3, 1])
    assert numbers_of(taken) == [3, 1]
    assert taken.labels is not None
    assert taken.labels.tolist() == [0, 1]
    assert taken.notes == ("a note",)


def test_a_part_does_not_say_how_many_values_of_the_whole_were_clipped():
    whole = Samples(inputs=(np.zeros((4, 1), np.int8),), saturated=(3,), is_random=True)
    assert whole.take([0]).saturated == ()
    assert whole.take([0]).is_random


@pytest.mark.parametrize(("count", "held"), [(5, 1), (10, 2), (100, 20), (103, 21)])
def test_a_fifth_is_held_out_and_nothing_is_in_both_parts(count, held):
    first, second = hold_out(numbered(count))
    assert (first.count, second.count) == (count - held, held)
    assert sorted(numbers_of(first) + numbers_of(second)) == list(range(count))
    assert numbers_of(first) == sorted(numbers_of(first))
    assert first.notes == ("a note",)


def test_which_samples_are_held_out_is_drawn_by_the_seed():
    def held(seed):
        return numbers_of(hold_out(numbered(100), seed=seed)[1])

    assert held(0) == held(0)
    assert held(0) != held(1)
    assert held(0) != list(range(0, 100, 5))
    assert max(np.diff(held(0))) > 8, "drawn, not every fifth"


def test_of_each_class_its_share_is_held_out():
    labels = [0] * 60 + [1] * 30 + [2] * 10
    _, held = hold_out(numbered(100, labels=labels))
    assert held.labels is not None
    assert np.bincount(held.labels).tolist() == [12, 6, 2]


def test_of_classes_too_small_for_a_share_some_are_held_out_all_the_same():
    calibration, held = hold_out(numbered(20, labels=list(range(10)) * 2))
    assert held.labels is not None
    assert held.count == 4
    assert len(set(held.labels.tolist())) == 4
    assert calibration.labels is not None
    assert set(calibration.labels.tolist()) == set(range(10))


def test_samples_without_a_label_are_a_class_like_any_other():
    _, held = hold_out(numbered(20, labels=[UNLABELLED] * 10 + [1] * 10))
    assert held.labels is not None
    assert sorted(held.labels.tolist()) == [UNLABELLED] * 2 + [1] * 2


@pytest.mark.parametrize(("fraction", "held"), [(0.0, 1), (0.5, 5), (1.0, 9)])
def test_both_parts_have_a_sample_whatever_the_fraction(fraction, held):
    assert hold_out(numbered(10), fraction=fraction)[1].count == held


def test_of_a_sequence_the_end_is_held_out_in_one_piece():
    first, held = hold_out(numbered(11, labels=[0, 1] * 5 + [0]), in_sequence=True)
    assert (numbers_of(first), numbers_of(held)) == (list(range(9)), [9, 10])
    assert held.labels is not None
    assert held.labels.tolist() == [1, 0]
    assert hold_out(numbered(4), in_sequence=True)[0].count == 4


def test_of_few_samples_none_is_held_out_and_a_note_says_so():
    first, second = hold_out(numbered(4))
    assert numbers_of(first) == numbers_of(second) == [0, 1, 2, 3]
    expected = "of 4 samples none is held out: quality is measured on those that were calibrated with"
    assert first.notes == second.notes == ("a note", expected)


def test_random_samples_are_the_same_every_time_and_marked():
    graph = graph_of((1, 50))
    samples = random_samples(graph, 20, seed=3)
    assert samples.is_random
    assert samples.notes == ("20 samples are random numbers (seed 3), not data: results say nothing about real inputs",)
    (values,) = samples.inputs
    assert (values.shape, values.dtype) == ((20, 1, 50), np.float32)
    assert -1 <= values.min() < -0.99
    assert 0.99 < values.max() <= 1
    assert abs(values.mean()) < 0.05
    assert values.tobytes() == random_samples(graph, 20, seed=3).inputs[0].tobytes()
    assert values.tobytes() != random_samples(graph, 20, seed=4).inputs[0].tobytes()


def test_random_samples_of_integers_have_the_whole_range():
    (values,) = random_samples(int8_graph((1, 500)), 20).inputs
    assert (values.dtype, values.min(), values.max()) == (np.int8, -128, 127)


def test_samples_with_noise_among_them_are_marked():
    noise = random_samples(graph_of((1, 1)), 2)
    assert join_samples(numbered(3), noise).is_random
    assert not join_samples(numbered(3), numbered(3)).is_random
