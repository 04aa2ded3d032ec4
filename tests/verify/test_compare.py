"""Comparing outputs: what counts as a difference, and which one is the first."""

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinydeploy.model.graph import Quantization
from tinydeploy.model.reader import parse_model
from tinydeploy.samples import UNLABELLED
from tinydeploy.verify.compare import Accuracy, Comparison, Difference, compare, lsb_sizes
from tinydeploy.verify.oracle import Reference


def against(*expected: np.ndarray, got: list[np.ndarray] | None = None, tolerance: int = 0, **more) -> Comparison:
    reference = Reference(outputs=expected, oracle="the oracle", tolerance=tolerance)
    more.setdefault("lsb_sizes", [1.0] * len(expected))
    return compare(list(expected) if got is None else got, reference, **more)


def changed(array: np.ndarray, **at: object) -> np.ndarray:
    copy = array.copy()
    copy[at["index"]] = at["value"]
    return copy


SCORES = np.arange(30, dtype=np.int8).reshape(5, 1, 6)


def test_identical_outputs_are_exact():
    result = against(SCORES, SCORES)
    assert (result.exact, result.passed, result.max_abs_diff, result.first_difference) == (True, True, 0, None)
    assert (result.samples, result.values, result.differing_values, result.differing_samples) == (5, 60, 0, 0)
    assert (result.oracle, result.accuracy) == ("the oracle", None)


def test_one_lsb_is_a_difference_with_its_place():
    result = against(SCORES, got=[changed(SCORES, index=(3, 0, 4), value=23)])
    assert (result.exact, result.passed, result.max_abs_diff) == (False, False, 1)
    assert result.first_difference == Difference(sample=3, output=0, index=(0, 4), device=23, reference=22)
    assert (result.differing_values, result.differing_samples) == (1, 1)


def test_the_first_difference_is_that_of_the_first_sample_not_the_first_output():
    first, second = changed(SCORES, index=(4, 0, 0), value=-1), changed(SCORES, index=(2, 0, 5), value=-1)
    result = against(SCORES, SCORES, got=[first, second])
    assert result.first_difference == Difference(sample=2, output=1, index=(0, 5), device=-1, reference=17)
    assert (result.differing_values, result.differing_samples, result.max_abs_diff) == (2, 2, 25)


def test_differences_do_not_overflow_the_type():
    low, high = np.full((1, 1, 2), -128, np.int8), np.full((1, 1, 2), 127, np.int8)
    assert against(low, got=[high]).max_abs_diff == 255


def test_a_stand_in_oracle_has_a_tolerance_but_exact_stays_exact():
    result = against(SCORES, got=[SCORES + np.int8(2)], tolerance=2)
    assert (result.exact, result.passed) == (False, True)
    assert not against(SCORES, got=[SCORES + np.int8(3)], tolerance=2).passed


@pytest.mark.parametrize(("lsb", "passed"), [(2, True), (3, False)])
def test_the_tolerance_of_a_float_output_is_in_the_steps_it_was_dequantised_with(lsb, passed):
    scale = 0.00390625
    reals = np.float32(scale) * np.arange(20, dtype=np.float32).reshape(5, 4)
    result = against(SCORES, reals, got=[SCORES, reals + np.float32(lsb * scale)], tolerance=2, lsb_sizes=[1.0, scale])
    assert (result.exact, result.passed) == (False, passed)


def test_an_output_without_a_step_has_to_be_the_same():
    reals = np.ones((1, 4), np.float32)
    assert not against(reals, got=[reals + np.float32(1e-6)], tolerance=16, lsb_sizes=[0.0]).passed
    assert against(reals, tolerance=16, lsb_sizes=[0.0]).passed


def test_the_step_of_an_output_is_one_or_the_scale_of_what_was_dequantised():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.5), builder.tensor((1, 4), scale=0.25)
    reals, others = builder.tensor((1, 4), "FLOAT32"), builder.tensor((1, 4), "FLOAT32")
    builder.op("RELU", [x], [y])
    builder.op("DEQUANTIZE", [y], [reals])
    builder.op("EXP", [reals], [others])
    graph = parse_model(builder.finish(inputs=[x], outputs=[y, reals, others]), name="m.tflite")
    assert lsb_sizes(graph) == (1.0, 0.25, 0.0)


def test_floats_are_compared_by_their_bits():
    reals = np.array([[0.0, np.nan, np.inf]], np.float32)
    assert against(reals, got=[reals.copy()]).exact
    negative_zero = against(reals, got=[changed(reals, index=(0, 0), value=-0.0)])
    assert (negative_zero.exact, negative_zero.passed, negative_zero.max_abs_diff) == (False, False, 0)
    assert against(reals, got=[changed(reals, index=(0, 1), value=1.0)]).max_abs_diff == np.inf


def test_accuracy_is_counted_for_both_sides():
    scores = np.eye(5, dtype=np.int8).reshape(5, 1, 5)
    device = changed(scores, index=(2, 0, 4), value=9)
    result = against(scores, got=[device], labels=np.array([0, 1, 2, 3, 0]))
    assert result.accuracy == Accuracy(labels=(0, 1, 2, 3, 0), device=(0, 1, 4, 3, 4), reference=(0, 1, 2, 3, 4))
    assert (result.accuracy.samples, result.accuracy.device_correct, result.accuracy.reference_correct) == (5, 3, 4)


def test_samples_without_a_label_do_not_count_in_the_accuracy():
    scores = np.eye(3, dtype=np.int8).reshape(3, 1, 3)
    accuracy = against(scores, labels=np.array([UNLABELLED, 1, UNLABELLED])).accuracy
    assert accuracy == Accuracy(labels=(1,), device=(1,), reference=(1,))


def test_classes_of_one_value_are_those_of_its_reals_or_itself():
    values = np.array([[-128], [-1], [0], [127]], np.int8)
    sigmoid = Quantization(scales=(1 / 256,), zero_points=(-128,))
    labels = np.array([0, 1, 1, 1])
    accuracy = against(
        values, got=[values + np.int8([[0], [1], [0], [0]])], labels=labels, quantization=sigmoid
    ).accuracy
    assert accuracy == Accuracy(labels=(0, 1, 1, 1), device=(0, 1, 1, 1), reference=(0, 0, 1, 1))
    indices = np.array([[7], [3]], np.int32)
    assert against(indices, labels=np.array([7, 4])).accuracy == Accuracy(
        labels=(7, 4), device=(7, 3), reference=(7, 3)
    )


def test_outputs_of_another_shape_or_type_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"outputs are int8\(5, 6\), expected int8\(5, 1, 6\)"):
        against(SCORES, got=[SCORES.reshape(5, 6)])
    with pytest.raises(ValueError, match=r"outputs are uint8\(5, 1, 6\)"):
        against(SCORES, got=[SCORES.view(np.uint8)])
