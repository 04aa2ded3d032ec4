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


# Models that tell what values they expect


def model_of(kind, *operands, output=(1, 5, 10), shape=(1, 5, 10), **options):
    """A model whose first op has these constants behind its input."""
    builder = ModelBuilder()
    x = builder.tensor(shape, "FLOAT32", name="a")
    constants = [builder.constant(np.asarray(values, np.float32)) for values in operands]
    result, y = builder.tensor(output, "FLOAT32"), builder.tensor((1, 3), "FLOAT32")
    builder.op(kind, [x, *constants], [result], **options)
    builder.op("SOME_OP", [result], [y])
    return parse_model(builder.finish(inputs=[x], outputs=[y]), name="m.tflite")


def image_model(kind, scale):
    """A layer that sees an image of 4x6 with 3 channels, with new weights times ``scale``."""
    options = {"padding": "VALID", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    weights, shape, output, options = {
        "CONV_2D": ((8, 3, 3, 3), (1, 4, 6, 3), (1, 2, 4, 8), options),
        "DEPTHWISE_CONV_2D": ((1, 3, 3, 3), (1, 4, 6, 3), (1, 2, 4, 3), {**options, "depthMultiplier": 1}),
        "FULLY_CONNECTED": ((8, 27), (1, 27), (1, 8), {}),
    }[kind]
    values = np.random.default_rng(0).uniform(-1, 1, weights) * scale
    return model_of(kind, values, np.zeros(output[-1]), output=output, shape=shape, **options)


PIXELS = RANDOM.integers(0, 256, (20, 1, 5, 10))
PIXELS.flat[:2] = 0, 255


@pytest.mark.parametrize(("kind", "constant"), [("MUL", 1 / 127.5), ("DIV", 255.0), ("SUB", np.full(10, 128.0))])
def test_pixels_for_a_model_that_scales_them_itself_are_right(kind, constant):
    assert told(PIXELS, graph=model_of(kind, constant)) == ()
    assert "it expects larger values" in told(PIXELS / 255, graph=model_of(kind, constant))[0]


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_pixels_for_a_first_layer_with_tiny_weights_are_right(kind):
    small, usual = image_model(kind, 1 / 255), image_model(kind, 1)
    shape = small.tensors[small.inputs[0]].shape
    pixels = np.resize(PIXELS, (20, *shape))
    assert told(pixels, graph=small) == ()
    assert "it expects larger values" in told(pixels / 255, graph=small)[0]
    assert "looks like pixels" in told(pixels, graph=usual)[0]
    assert told(pixels / 255, graph=usual) == ()


def test_values_that_are_too_small_for_the_first_step_are_told_with_what_it_makes_of_them():
    expected = (
        "input a ranges from 0 to 1, of which the model's first step makes 0.0039 at most: "
        "it expects larger values (--image-range 0 255)"
    )
    assert told(PIXELS / 255, graph=model_of("MUL", 1 / 255)) == (expected,)


@pytest.mark.parametrize(
    ("kind", "constant"),
    [("MAXIMUM", 1.0), ("ADD", np.full((5, 10), 200)), ("ADD", 0.5), ("MUL", 2.0), ("DIV", 0.0)],
)
def test_other_first_steps_tell_nothing(kind, constant):
    assert "looks like pixels" in told(PIXELS, graph=model_of(kind, constant))[0]
    assert told(PIXELS / 255, graph=model_of(kind, constant)) == ()


def test_an_input_that_several_ops_read_tells_nothing():
    builder = ModelBuilder()
    x, y, z = (builder.tensor((1, 50), "FLOAT32", name=name) for name in ("a", "y", "z"))
    tiny = builder.constant(np.float32(1 / 255).reshape(1))
    builder.op("MUL", [x, tiny], [y])
    builder.op("ADD", [x, y], [z])
    graph = parse_model(builder.finish(inputs=[x], outputs=[z]), name="m.tflite")
    assert "looks like pixels" in told(PIXELS.reshape(20, 1, 50), graph=graph)[0]
