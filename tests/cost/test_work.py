"""What layers have to do, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinydeploy.cost.mve_work import mve_depthwise_amounts, mve_matrix_amounts
from tinydeploy.cost.scalar_work import scalar_conv_amounts
from tinydeploy.cost.setting import Setting
from tinydeploy.cost.windows import Side, sides_of
from tinydeploy.cost.work import Work, layer_work
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

TFLM = Setting(core="cortex-m4", engine="tflm", kernels="optimized")
SCALAR = Setting(core="cortex-m3", engine="aot", kernels="optimized")


def graph_of(kind: str, shape: tuple[int, ...], weights: tuple[int, ...], output: tuple[int, ...], **options) -> Graph:
    builder = ModelBuilder()
    x = builder.tensor(shape, scale=0.1)
    w = builder.constant(np.ones(weights, np.int8), scale=0.1)
    y = builder.tensor(output, scale=0.1)
    builder.op(kind, [x, w], [y], **options)
    return parse_model(builder.finish(inputs=[x], outputs=[y]), name="one")


def conv(height: int, width: int, *, stride: int = 1, padding: str = "SAME", taps: int = 3, dilation: int = 1) -> Graph:
    span = (taps - 1) * dilation + 1
    sizes = [-(-(size if padding == "SAME" else size - span + 1) // stride) for size in (height, width)]
    steps = {"strideH": stride, "strideW": stride, "dilationHFactor": dilation, "dilationWFactor": dilation}
    return graph_of("CONV_2D", (1, height, width, 2), (4, taps, taps, 2), (1, *sizes, 4), padding=padding, **steps)


def work_of(graph: Graph, setting: Setting = TFLM) -> Work:
    work = layer_work(graph, graph.ops[0], setting)
    assert work is not None
    return work


def counted_windows(size: int, taps: int, stride: int, padding: str, dilation: int = 1) -> list[int]:
    """Taps inside the input of each window, counted one by one."""
    span = (taps - 1) * dilation + 1
    outputs = -(-size // stride) if padding == "SAME" else (size - span) // stride + 1
    before = max((outputs - 1) * stride + span - size, 0) // 2 if padding == "SAME" else 0
    places = [[o * stride - before + t * dilation for t in range(taps)] for o in range(outputs)]
    return [sum(0 <= place < size for place in window) for window in places]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_the_taps_of_all_windows_that_are_inside_the_input_are_counted(padding, stride, dilation):
    graph = conv(7, 9, stride=stride, padding=padding, dilation=dilation)
    down, across = sides_of(graph, graph.ops[0])
    for side, size in ((down, 7), (across, 9)):
        counts = counted_windows(size, 3, stride, padding, dilation)
        assert side.inside == sum(counts)
        assert side.whole == counts.count(3)
        assert sum(number for number, _ in side.alike) == side.outputs == len(counts)
        assert sum(number * taps for number, taps in side.alike) == side.inside


def test_a_convolution_has_its_multiply_accumulates_and_outputs():
    amounts = work_of(conv(6, 5)).amounts
    assert amounts["macs"] == 6 * 5 * 4 * 3 * 3 * 2
    assert amounts["outputs"] == 6 * 5 * 4
    assert amounts["taps inside"] + amounts["taps outside"] == 6 * 5 * 9


@pytest.mark.parametrize(
    ("graph", "row"),
    [
        (conv(6, 6), "CONV_2D"),
        (conv(6, 6, taps=1), "CONV_2D 1x1"),
        (conv(6, 6, taps=1, stride=2), "CONV_2D 1x1 strided"),
    ],
)
def test_a_layer_goes_to_the_kernel_of_its_shape(graph, row):
    assert work_of(graph).row == row


@pytest.mark.parametrize(
    ("inputs", "outputs", "taps", "dilation", "row"),
    [
        (8, 8, 3, 1, "DEPTHWISE_CONV_2D 3x3"),
        (8, 8, 5, 1, "DEPTHWISE_CONV_2D"),
        (4, 8, 3, 1, "DEPTHWISE_CONV_2D multiplied"),
        (1, 8, 3, 1, "DEPTHWISE_CONV_2D multiplied by 4"),
        (8, 8, 3, 2, "DEPTHWISE_CONV_2D dilated"),
    ],
)
def test_a_depthwise_layer_goes_to_the_kernel_of_its_shape(inputs, outputs, taps, dilation, row):
    graph = depthwise(inputs, outputs, taps, dilation)
    assert work_of(graph).row == row


def depthwise(inputs: int, outputs: int, taps: int, dilation: int = 1) -> Graph:
    options = {"padding": "SAME", "strideH": 1, "strideW": 1, "depthMultiplier": outputs // inputs}
    steps = {"dilationHFactor": dilation, "dilationWFactor": dilation}
    shape = (1, 8, 8, inputs)
    return graph_of("DEPTHWISE_CONV_2D", shape, (1, taps, taps, outputs), (1, 8, 8, outputs), **options, **steps)


@pytest.mark.parametrize("setting", [SCALAR, replace(TFLM, core="cortex-m55")])
def test_a_depthwise_layer_of_one_channel_can_be_a_convolution(setting):
    assert work_of(depthwise(1, 8, 3), setting).row == "CONV_2D"
    assert work_of(depthwise(2, 8, 3), setting).row.startswith("DEPTHWISE_CONV_2D")


def test_tiles_of_three_and_single_positions_make_all_products_inside():
    graph = conv(10, 11)
    down, across = sides_of(graph, graph.ops[0])
    amounts = scalar_conv_amounts(down, across, 2, 4, has_tiles=False)
    inside = down.inside * across.inside * 2 * 4
    assert 4 * amounts["four products"] + amounts["one products"] == inside
    tiled = scalar_conv_amounts(down, across, 2, 4, has_tiles=True)
    computed = 3 * 2 * tiled["tile products"] + 4 * tiled["four products"] + tiled["one products"]
    assert inside <= computed <= 1.5 * inside  # the last tile of a line may lie over the one before


def test_vectors_of_three_positions_and_four_channels_make_all_products():
    amounts = mve_matrix_amounts(10, 8, 32)
    assert (amounts["tiles"], amounts["singles"]) == (3, 1)
    assert amounts["tile steps"] == 3 * 2 * 2
    assert amounts["single steps"] == 1 * 2 * 2


def test_a_depthwise_kernel_too_large_for_the_buffer_is_computed_plainly():
    side = Side(inputs=64, outputs=64, taps=11, stride=1, dilation=1, before=5, inside=674, whole=54, alike=((64, 11),))
    assert "plain products" in mve_depthwise_amounts(side, side, 16, 16)
    assert "fast vectors" in mve_depthwise_amounts(side_3(), side_3(), 16, 16)


def side_3() -> Side:
    return Side(inputs=8, outputs=8, taps=3, stride=1, dilation=1, before=1, inside=22, whole=6, alike=((8, 3),))


def test_an_op_that_nobody_has_measured_is_none():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.1), builder.tensor((1, 4), scale=0.1)
    builder.op("ABS", [x], [y])
    graph = parse_model(builder.finish(inputs=[x], outputs=[y]), name="one")
    assert layer_work(graph, graph.ops[0], TFLM) is None
