import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.dsp.context import look_at
from tinydeploy.engines.aot.dsp.fully_connected import fully_connected_rows, pack, scratch_bytes
from tinydeploy.engines.aot.requantization import General
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model


def layer(weights, *, rows=1, scales=0.01, zero_point=-128, output_scale=0.5, activation="NONE", bias=None):
    """A model of one fully connected layer."""
    channels, depth = weights.shape
    builder = ModelBuilder()
    x = builder.tensor((1, rows, depth), scale=0.05, zero_point=3)
    y = builder.tensor((1, rows, channels), scale=output_scale, zero_point=zero_point)
    inputs = [x, builder.constant(weights.astype(np.int8), scale=scales)]
    if bias is not None:
        inputs.append(builder.constant(np.array(bias, np.int32), scale=0.05 * np.asarray(scales)))
    builder.op("FULLY_CONNECTED", inputs, [y], fusedActivationFunction=activation, keepNumDims=True)
    return builder.finish(inputs=[x], outputs=[y])


def noise(channels, depth, seed=0):
    return np.random.default_rng(seed).integers(-127, 127, (channels, depth), endpoint=True)


def ways(model):
    graph = parse_model(model, name="model.tflite")
    return list(fully_connected_rows(look_at(graph), graph.ops[0]))


def call_of(model):
    (way,) = ways(model)
    (call,) = way.lower().calls
    return call


def words(array):
    return array.view(np.int32).reshape(-1).tolist()


def test_the_stream_is_what_the_header_says():
    rows = np.array([[1, 2, 3, 4, 5], [6, -7, 8, 9, 10], [-11, 12, 13, 14, 15]], np.int8)
    general = General(shift=np.array([5, 6, 7]), multiplier=np.array([50, 60, 70]), offset=np.array([-5, -6, -7]))

    stream = words(pack(rows, np.array([1_000, -20, 300], np.int32), general))

    def pair(first, second):
        return (first & 0xFFFF) | second << 16

    assert stream == [
        *(256 * 1_000 - 20, -20, 256 * 300, 0),
        *(pair(256 * 1 + 6, 256 * 3 + 8), pair(256 * -11, 256 * 13)),
        *(pair(256 * 2 - 7, 256 * 4 + 9), pair(256 * 12, 256 * 14)),
        *(pair(256 * 5 + 10, 0), pair(256 * 15, 0), 0, 0),
        *(50, -5, 5, 60, -6, 6, 70, -7, 7, 0, 0, 0),
    ]


def test_parameters_are_the_fields_of_the_struct_in_their_order():
    header = (data_dir("firmware") / "kernels" / "dsp" / "td_fully_connected_rows.h").read_text()
    (body,) = re.findall(r"struct td_fully_connected_rows \{(.*?)\};", header, re.DOTALL)
    declarations = re.findall(r"^    (?:const )?\w+ (.*?);", body, re.MULTILINE)
    fields = [name.strip(" *") for names in declarations for name in names.split(",")]

    assert list(call_of(layer(noise(4, 8))).parameters) == fields


def test_factors_that_all_channels_share_are_not_in_the_stream():
    shared, own = (
        call_of(layer(noise(8, 12))),
        call_of(layer(noise(8, 12), scales=[0.01 + 0.001 * i for i in range(8)])),
    )

    assert shared.parameters["shift"] > 0
    assert own.parameters["shift"] == 0
    assert own.parameters["stream"].nbytes - shared.parameters["stream"].nbytes == 8 * 12
    assert shared.parameters["stream"].nbytes == 8 * (12 + 4)


def test_a_row_is_expanded_in_scratch_memory():
    assert [scratch_bytes(depth) for depth in (1, 4, 5, 640)] == [8, 8, 16, 1280]
    call = call_of(layer(noise(2, 5), rows=3))
    assert call.scratch_bytes == 16
    assert [call.parameters[name] for name in ("rows", "input_depth", "output_depth")] == [3, 5, 2]


def test_the_cost_is_of_all_rows():
    (one,), (three,) = ways(layer(noise(8, 64))), ways(layer(noise(8, 64), rows=3))

    assert three.cost.instructions == 3 * one.cost.instructions
    assert three.cost.constant_bytes == one.cost.constant_bytes == 8 * 64 + 8 * 4


def test_a_factor_above_a_half_is_left_to_other_kernels():
    assert ways(layer(noise(4, 8), output_scale=0.001))
    assert not ways(layer(noise(4, 8), output_scale=0.0005))


def test_bounds_that_saturation_does_not_keep_are_left_to_other_kernels():
    assert ways(layer(noise(4, 8), activation="RELU"))
    assert not ways(layer(noise(4, 8), activation="RELU", zero_point=-20))
    assert ways(layer(noise(4, 8), activation="RELU", zero_point=-20, bias=[100_000] * 4))


def test_weights_that_cannot_be_paired_are_left_to_other_kernels():
    weights = np.ones((3, 4), int)
    weights[0, 1], weights[2, 3] = -128, -128
    assert ways(layer(weights))
    weights[1, 1] = -1
    assert not ways(layer(weights))


@pytest.mark.parametrize(("channel", "proposed"), [(0, 0), (1, 1)])
def test_sums_too_large_for_256_times_are_left_to_other_kernels_where_they_come_first(channel, proposed):
    bias = [0, 0]
    bias[channel] = 2**23

    assert len(ways(layer(noise(2, 8), bias=bias, output_scale=50.0))) == proposed


def test_a_constant_channel_may_have_sums_of_any_size():
    assert ways(layer(noise(2, 8), bias=[2**30 - 2**24, 0]))


def test_outputs_are_those_of_tflm():
    models = [
        layer(noise(channels, depth, seed), rows=rows, zero_point=zero_point, output_scale=0.02 * depth**0.5)
        for seed, (channels, depth, rows, zero_point) in enumerate(
            [(1, 1, 1, -128), (2, 3, 1, 0), (3, 16, 2, 127), (4, 4, 1, -5), (5, 7, 3, 60), (12, 64, 1, 14)]
        )
    ]
    models.append(
        layer(noise(9, 10), scales=[0.002 * 2**i for i in range(9)], output_scale=0.1, bias=range(0, 900, 100))
    )
    models.append(layer(noise(2, 8), bias=[2**30 - 2**24, 0]))
    models.append(layer(noise(6, 20), activation="RELU"))

    assert all(map(ways, models))
    check_on_host(models, kernels="dsp")
