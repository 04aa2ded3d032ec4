import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.dsp.context import look_at
from tinydeploy.engines.aot.dsp.winograd import (
    Shape,
    instructions_of,
    may_be_quadrupled,
    pack,
    smallest_lag,
    transform,
    winograd,
)
from tinydeploy.engines.aot.requantization import Fit, General, Requantization
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model


def layer(
    channels=8,
    *,
    shape=(1, 6, 5, 8),
    kernel=(3, 3),
    stride=1,
    dilation=1,
    padding="SAME",
    activation="RELU",
    zero_point=-128,
    output_scale=0.3,
    bias=None,
    seed=0,
):
    """A model of one convolution."""
    builder, rng = ModelBuilder(), np.random.default_rng(seed)
    spans = [(taps - 1) * dilation if padding == "VALID" else 0 for taps in kernel]
    size = [-(-(n - span) // stride) for n, span in zip(shape[1:3], spans, strict=True)]
    x = builder.tensor(shape, scale=0.05, zero_point=3)
    y = builder.tensor((shape[0], *size, channels), scale=output_scale, zero_point=zero_point)
    scales = rng.uniform(0.004, 0.012, channels)
    weights = rng.integers(-128, 128, (channels, *kernel, shape[3])).astype(np.int8)
    biases = rng.integers(-3000, 3000, channels) if bias is None else np.array(bias)
    builder.op(
        "CONV_2D",
        [
            x,
            builder.constant(weights, scale=scales, axis=0),
            builder.constant(biases.astype(np.int32), scale=0.05 * scales, axis=0),
        ],
        [y],
        strideH=stride,
        strideW=stride,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        padding=padding,
        fusedActivationFunction=activation,
    )
    return builder.finish(inputs=[x], outputs=[y])


def ways(model):
    graph = parse_model(model, name="model.tflite")
    return list(winograd(look_at(graph), graph.ops[0]))


def call_of(model):
    (way,) = ways(model)
    (call,) = way.lower().calls
    return call


def declared(header, struct):
    """The names of a struct's fields, in their order."""
    (body,) = re.findall(rf"struct {struct} \{{(.*?)\}};", header, re.DOTALL)
    declarations = re.findall(r"^    (?:const )?(?:struct )?\w+ (.*?);", body, re.MULTILINE)
    return [name.strip(" *") for names in declarations for name in names.split(",")]


def test_a_tile_is_the_sum_over_positions_that_the_header_says():
    rng = np.random.default_rng(0)
    patch, weights = rng.integers(-128, 128, (4, 4)), rng.integers(-128, 128, (1, 3, 3, 1)).astype(np.int8)
    of_data = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    of_outputs = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
    order = [(1, 1), (2, 1), (3, 1), (0, 1)] + [(row, column) for column in (2, 0, 3) for row in (3, 2, 1, 0)]

    product = np.zeros((4, 4), np.int64)
    for (row, column), weight in zip(order, transform(weights)[0, :, 0], strict=True):
        sign = -1 if row in {2, 3} else 1
        product[row, column] = sign * weight * (of_data @ patch @ of_data.T)[row, column]
    windows = np.lib.stride_tricks.sliding_window_view(patch, (3, 3))
    expected = (windows * weights[0, :, :, 0]).sum(axis=(2, 3))

    np.testing.assert_array_equal(of_outputs @ product @ of_outputs.T, 4 * expected)


def test_transformed_weights_are_far_from_leaving_int16():
    extreme = np.where(np.indices((8, 3, 3, 1)).sum(axis=0) % 2, -128, 127).astype(np.int8)

    assert abs(transform(extreme)).max() <= 9 * 128
    assert abs(transform(np.full((2, 3, 3, 4), -128, np.int8))).max() == 9 * 128


def test_the_stream_is_what_the_header_says():
    weights = np.random.default_rng(1).integers(-128, 128, (3, 3, 3, 8)).astype(np.int8)
    general = General(shift=np.array([5, 6, 7]), multiplier=np.array([50, 60, 70]), offset=np.array([-5, -6, -7]))
    fit = Fit(shift=9, bias_shift=np.array([1, 2, 3]), multiplier=np.array([50, 60, 70]), offset=np.array([-5, -6, -7]))
    bias = np.array([100, -200, 300])
    first, second = pack(weights, bias, general).view(np.int32).tolist()

    def word(channel, position, value):
        low, high = transform(weights)[channel, position, [value, value + 2]].tolist()
        return np.uint32((low & 0xFFFF) | (high & 0xFFFF) << 16).view(np.int32)

    def words(a, b):
        return [
            word(channel, position, group + value)
            for position in range(16)
            for group in (0, 4)
            for value in (0, 1)
            for channel in (a, b)
        ]

    assert first == [400, -800, *words(0, 1), 50, -5, 5, 0, 60, -6, 6, 1]
    assert second == [-800, 1200, *words(1, 2), 60, -6, 6, 1, 70, -7, 7, 2]
    assert pack(weights, bias, fit).view(np.int32)[1, :2].tolist() == [4 * (-200 + 2), 4 * (300 + 3)]
    assert pack(weights, bias, fit).view(np.int32)[1, -6:].tolist() == [60, -24, 1, 70, -28, 2]


def test_parameters_are_the_fields_of_the_structs_in_their_order():
    header = (data_dir("firmware") / "kernels" / "dsp" / "td_conv_2d_winograd.h").read_text()
    parameters = call_of(layer()).parameters

    assert list(parameters) == declared(header, "td_conv_2d_winograd")
    assert list(parameters["channels"]) == declared(header, "td_winograd_channels")


def test_the_cost_says_how_large_constants_are_before_they_are_made():
    for model in (layer(7), layer(4, activation="NONE", zero_point=5)):
        (way,) = ways(model)
        (call,) = way.lower().calls

        assert way.cost.constant_bytes == call.parameters["channels"]["stream"].nbytes
        assert way.cost.scratch_bytes == call.scratch_bytes == 161 * 8 + 16
        assert way.large


def test_layers_whose_negative_outputs_count_take_the_general_form():
    (fitted,), (general,) = ways(layer()), ways(layer(activation="NONE", zero_point=0))

    assert fitted.shifts["winograd"] > 0
    assert general.shifts == {"winograd": 0}
    assert fitted.cost.instructions < general.cost.instructions


@pytest.mark.parametrize(
    "other",
    [
        {"stride": 2},
        {"dilation": 2},
        {"kernel": (3, 1)},
        {"kernel": (5, 5)},
        {"shape": (1, 6, 5, 6)},
        {"channels": 1},
        {"zero_point": 0},  # where RELU's bound is not int8's
        {"output_scale": 0.0003},  # factors above 1/2
    ],
)
def test_other_layers_are_left_to_other_kernels(other):
    assert ways(layer())
    assert not ways(layer(**other))


@pytest.mark.parametrize(("lo", "hi"), [(-(2**29) - 1, 0), (0, 2**29)])
def test_sums_that_leave_int32_four_times_over_are_left_to_other_kernels(lo, hi):
    def is_possible(form, lo, hi):
        one = np.ones(1, np.int64)
        layer = Requantization(
            mantissa=2**30 * one, shift=-9 * one, lo=lo * one, hi=hi * one, zero_point=0, low=-128, high=127
        )
        return may_be_quadrupled(form, layer)

    one = np.ones(1, np.int64)
    general, fit = (
        General(shift=9 * one, multiplier=2**30 * one, offset=2**8 * one),
        Fit(shift=8, bias_shift=0 * one, multiplier=2**30 * one, offset=0 * one),
    )
    moved = Fit(shift=8, bias_shift=(-1 if lo else 1) * one, multiplier=2**30 * one, offset=0 * one)
    nearer = (lo + 1, hi) if lo else (lo, hi - 1)

    assert is_possible(general, *nearer)
    assert is_possible(fit, *nearer)
    assert not is_possible(general, lo, hi)
    assert not is_possible(fit, lo, hi)
    assert not is_possible(moved, *nearer)


def test_what_is_multiplied_by_0_may_have_any_size():
    one = np.ones(1, np.int64)
    requantization = Requantization(
        mantissa=0 * one, shift=0 * one, lo=-(2**31) * one, hi=2**30 * one, zero_point=0, low=-128, high=127
    )

    assert may_be_quadrupled(General(shift=one, multiplier=0 * one, offset=one), requantization)
    assert not may_be_quadrupled(General(shift=one, multiplier=one, offset=one), requantization)
    assert may_be_quadrupled(Fit(shift=8, bias_shift=0 * one, multiplier=0 * one, offset=one), requantization)
    assert not may_be_quadrupled(Fit(shift=8, bias_shift=0 * one, multiplier=one, offset=one), requantization)
    assert not may_be_quadrupled(
        Fit(shift=8, bias_shift=0 * one, multiplier=0 * one, offset=2**29 * one), requantization
    )


def test_only_speed_that_is_asked_for_takes_it():
    graph = parse_model(layer(16, shape=(1, 16, 16, 16)), name="model.tflite")

    assert compile_graph(graph, "dsp", "speed").program.kernels == ("conv_2d_winograd",)
    for other in (None, "size", "ram"):
        assert "conv_2d_winograd" not in compile_graph(graph, "dsp", other).program.kernels


def square(size, inputs, outputs):
    return Shape(
        input_size=(size, size),
        input_channels=inputs,
        output_size=(size, size),
        output_channels=outputs,
        padding=(1, 1),
    )


def test_output_starts_so_far_before_the_input_that_later_tiles_find_what_they_read():
    # 2 rows are written when the next 4 tiles read from the second of them on.
    assert smallest_lag(square(8, 4, 4)) == 8 * 4
    # Half of 2 rows, when the next tiles read from a row above, one column to the left of what was written.
    assert smallest_lag(square(16, 4, 4)) == (2 * 16 + 1) * 4
    assert smallest_lag(square(8, 16, 4)) == 0
    assert smallest_lag(square(4, 4, 8)) == 0  # read as a whole before any output


def test_odd_sizes_cost_hardly_more_than_the_next_even_ones():
    def cost(size):
        return instructions_of(square(size, 8, 8), fitted=True)

    assert cost(8) < cost(7) < 1.05 * cost(8)
    assert cost(16) == pytest.approx(4 * cost(8), rel=0.03)


def test_outputs_are_those_of_tflm():
    models = [
        layer(4, shape=(1, 7, 7, 4), seed=1),
        layer(5, shape=(1, 6, 9, 12), padding="VALID", seed=2),
        layer(16, shape=(1, 8, 8, 16), activation="NONE", zero_point=-7, seed=3),
        layer(7, shape=(1, 3, 3, 8), padding="VALID", seed=4),
        layer(3, shape=(1, 1, 6, 8), activation="NONE", zero_point=90, seed=5),
        layer(9, shape=(1, 5, 1, 36), activation="RELU6", output_scale=6 / 255, seed=6),
    ]
    for model in models[:3]:
        graph = parse_model(model, name="model.tflite")
        assert compile_graph(graph, "dsp", "speed").program.kernels == ("conv_2d_winograd",)
    check_on_host(models, kernels="dsp", objective="speed")
