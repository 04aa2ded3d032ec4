"""What is said of samples that look wrong, and that nothing is said of those that do not."""

import numpy as np
import pytest
from sample_graphs import graph_of, int8_graph
from tflite_builder import ModelBuilder

from tinydeploy.model.reader import parse_model
from tinydeploy.samples import Samples, input_ranges, ranges, suspicions

GRAPH = graph_of((1, 50))
RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=(20, 1, 50))


def told(*inputs, graph=GRAPH, saturated=()):
    dtypes = [graph.tensors[index].dtype.numpy for index in graph.inputs]
    arrays = tuple(np.asarray(values).astype(dtype) for values, dtype in zip(inputs, dtypes, strict=True))
    return suspicions(Samples(inputs=arrays, saturated=saturated), graph)


# Ranges


def test_a_range_has_all_that_describes_an_input(monkeypatch):
    monkeypatch.setattr(ranges, "_BLOCK_ELEMENTS", 100)
    values = (NORMAL * 3 + 5).astype(np.float32)
    (spread,) = input_ranges(Samples(inputs=(values,)), GRAPH)
    assert (spread.name, spread.shape, spread.count) == ("a", (1, 50), 20)
    assert (spread.low, spread.high) == (values.min(), values.max())
    assert spread.mean == pytest.approx(values.mean(dtype=float), rel=1e-9)
    assert spread.std == pytest.approx(values.std(dtype=float), rel=1e-9)
    assert spread.magnitude == values.max()


def test_the_range_of_a_quantised_input_is_in_real_numbers():
    graph = int8_graph((1, 2), scale=0.5, zero_point=-10)
    (spread,) = input_ranges(Samples(inputs=(np.array([[[-10, 0]]], np.int8),)), graph)
    assert (spread.low, spread.high, spread.mean, spread.std) == (0, 5, 2.5, 2.5)


# Silence


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        NORMAL * 0.02,
        NORMAL * 20,
        RANDOM.uniform(0, 1, (20, 1, 50)),
        RANDOM.integers(0, 17, (20, 1, 50)),
        RANDOM.integers(0, 2, (20, 1, 50)),
        RANDOM.integers(-40, 41, (20, 1, 50)),
    ],
)
def test_nothing_is_said_of_good_samples(values):
    assert told(values) == ()


def test_nothing_is_said_of_good_quantised_samples():
    graph = int8_graph((1, 50), scale=1 / 255, zero_point=-128)
    assert told(RANDOM.integers(-128, 128, (20, 1, 50)), graph=graph, saturated=(10,)) == ()
    pixels = int8_graph((1, 50), scale=1.0, zero_point=-128)
    assert told(RANDOM.integers(-128, 128, (20, 1, 50)), graph=pixels) == ()


# Words


@pytest.mark.parametrize(("count", "there"), [(1, "there is only 1 sample"), (9, "there are only 9 samples")])
def test_few_samples_are_told(count, there):
    expected = f"{there}: the ranges that they show are likely too narrow; give 100 or more, of all kinds"
    assert told(NORMAL[:count]) == (expected,)


def test_samples_that_are_all_the_same_are_told():
    expected = "all 20 samples are the same: give different ones, as the model will see them"
    assert told(np.repeat(NORMAL[:1], 20, axis=0)) == (expected,)


def test_samples_of_which_one_input_differs_are_not_the_same():
    same, graph = np.repeat(NORMAL[:1], 20, axis=0), graph_of((1, 50), (1, 50))
    assert told(same, NORMAL, graph=graph) == ()


def test_a_constant_input_is_told():
    graph = graph_of((1, 50), (1, 50))
    expected = "all 1,000 values of input b are 0.25: check how they were made"
    assert told(NORMAL, np.full((20, 1, 50), 0.25), graph=graph) == (expected,)


def test_pixels_that_are_not_scaled_are_told():
    values = RANDOM.integers(0, 256, (20, 1, 50))
    values.flat[:2] = 0, 255
    expected = (
        "input a ranges from 0 to 255, whole numbers only: it looks like pixels that are not scaled; "
        "give it as the model was trained with"
    )
    assert told(values) == (expected,)


def test_quantised_data_for_a_float_input_is_told():
    values = RANDOM.integers(-128, 128, (20, 1, 50))
    values.flat[:2] = -128, 127
    expected = (
        "input a ranges from -128 to 127, whole numbers only: it looks like data that is quantised already; "
        "give it as the model was trained with"
    )
    assert told(values) == (expected,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(-300.5, 20, 1000), "input a ranges from -300.5 to 20: more than 100 is unusual"),
        (np.linspace(0, 300, 301 * 50), "input a ranges from 0 to 300: more than 100 is unusual"),
        (np.linspace(-0.001, 0.009, 1000), "input a ranges from -0.001 to 0.009: less than 0.01 is unusual"),
    ],
)
def test_values_a_hundred_times_off_are_told(values, expected):
    assert told(values.reshape(-1, 1, 50)) == (f"{expected}; scale it as the model was trained with",)


def test_inputs_a_hundred_times_apart_are_told():
    a, b = NORMAL.copy(), NORMAL * 0.01
    a.flat[0], b.flat[0] = 8, 0.05
    expected = "input a reaches 8, b only 0.05: check that each is scaled as in training"
    assert told(a, b, graph=graph_of((1, 50), (1, 50))) == (expected,)


def test_values_that_were_clipped_are_told():
    graph = int8_graph((1, 50), scale=1 / 64)
    expected = (
        "input a: 12% of the values were clipped to -2 to 1.984, for which the model was quantised; "
        "scale them as in training"
    )
    assert told(RANDOM.integers(-128, 128, (20, 1, 50)), graph=graph, saturated=(120,)) == (expected,)


def test_values_over_a_small_part_of_the_quantised_range_are_told():
    graph = int8_graph((1, 50), scale=1.0, zero_point=-128)
    expected = (
        "input a ranges from 0 to 1, 0.39% of 0 to 255, for which the model was quantised; scale it as in training"
    )
    assert told(RANDOM.integers(-128, -126, (20, 1, 50)), graph=graph) == (expected,)


def test_a_name_that_obeys_a_terminal_is_not_repeated():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 50), "FLOAT32", name="\x1b[31mx"), builder.tensor((1, 3), scale=1.0)
    builder.op("SOME_OP", [x], [y])
    graph = parse_model(builder.finish(inputs=[x], outputs=[y]), name="m.tflite")
    assert told(NORMAL * 0, graph=graph)[-1].startswith("all 1,000 values of input _[31mx are 0")


# Models that scale their inputs themselves


def rescaling(*steps):
    """A model that does these steps, pairs of op and constant, with its input first."""
    builder = ModelBuilder()
    x = last = builder.tensor((1, 5, 10), "FLOAT32", name="a")
    for kind, constant in steps:
        value = builder.constant(np.asarray(constant, np.float32))
        result = builder.tensor((1, 5, 10), "FLOAT32")
        builder.op(kind, [last, value], [result])
        last = result
    y = builder.tensor((1, 3), "FLOAT32")
    builder.op("SOME_OP", [last], [y])
    return parse_model(builder.finish(inputs=[x], outputs=[y]), name="m.tflite")


PIXELS = RANDOM.integers(0, 256, (20, 1, 5, 10))


@pytest.mark.parametrize(
    "steps", [[("MUL", 1 / 127.5), ("ADD", -1.0)], [("DIV", 255.0)], [("SUB", np.full(10, 128.0))]]
)
def test_pixels_for_a_model_that_scales_them_itself_are_right(steps):
    assert told(PIXELS, graph=rescaling(*steps)) == ()


def test_scaled_pixels_for_a_model_that_scales_them_itself_are_told():
    expected = (
        "input a ranges from 0 to 1, and the model multiplies it by 0.003922 itself: "
        "give it unscaled (images: --image-range 0 255)"
    )
    values = PIXELS / 255
    values.flat[:2] = 0, 1
    assert told(values, graph=rescaling(("MUL", 1 / 255), ("ADD", 0.0))) == (expected,)


@pytest.mark.parametrize("steps", [[("MAXIMUM", 1.0)], [("ADD", np.zeros((5, 10)))]])
def test_other_first_steps_are_no_scaling(steps):
    assert "looks like pixels" in told(PIXELS, graph=rescaling(*steps))[0]
