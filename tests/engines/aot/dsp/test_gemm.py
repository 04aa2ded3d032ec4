import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.dsp.context import look_at
from tinydeploy.engines.aot.dsp.gemm import products
from tinydeploy.engines.aot.dsp.pointwise import may_run_in_place
from tinydeploy.engines.aot.dsp.product import (
    Grid,
    Product,
    can_be_packed,
    dense_grid,
    planes_grid,
    product_parameters,
)
from tinydeploy.engines.aot.dsp.window import Window, convolution_order, smallest_lag
from tinydeploy.engines.aot.program import Array
from tinydeploy.engines.aot.requantization import Fit, General, Requantization
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model

HEADERS = data_dir("firmware") / "kernels" / "dsp"


def model_of(*layers, shape=(1, 6, 5, 8), seed=0):
    """A model of the given layers, each a function of a builder, a tensor, its shape and a generator."""
    builder, rng = ModelBuilder(), np.random.default_rng(seed)
    first = last = builder.tensor(shape, scale=0.05, zero_point=3)
    for layer in layers:
        last, shape = layer(builder, last, shape, rng)
    return builder.finish(inputs=[first], outputs=[last])


def convolution(
    channels,
    kernel=(1, 1),
    *,
    stride=1,
    dilation=1,
    padding="SAME",
    activation="RELU",
    kind="CONV_2D",
    zero_point=-128,
    lowest=-127,
):
    def add(builder, x, shape, rng):
        _, height, width, depth = shape
        weights = rng.integers(lowest, 128, (channels, *kernel, depth)).astype(np.int8)
        axis = 0
        if kind == "DEPTHWISE_CONV_2D":
            weights, axis = np.moveaxis(weights, 0, 3).reshape(1, *kernel, channels), 3
        spans = [(taps - 1) * dilation if padding == "VALID" else 0 for taps in kernel]
        size = tuple(-(-(n - span) // stride) for n, span in zip((height, width), spans, strict=True))
        y = builder.tensor((1, *size, channels), scale=0.3, zero_point=zero_point)
        scales = rng.uniform(0.004, 0.012, channels)
        more = {"depthMultiplier": channels} if kind == "DEPTHWISE_CONV_2D" else {}
        builder.op(
            kind,
            [
                x,
                builder.constant(weights, scale=scales, axis=axis),
                builder.constant(biases(rng, channels), scale=0.05 * scales),
            ],
            [y],
            strideH=stride,
            strideW=stride,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            padding=padding,
            fusedActivationFunction=activation,
            **more,
        )
        return y, (1, *size, channels)

    return add


def depthwise(builder, x, shape, rng):
    """3x3 with its padding, which reads planes with a border and writes them without."""
    channels = shape[3]
    y = builder.tensor(shape, scale=0.3, zero_point=-128)
    scales = rng.uniform(0.004, 0.012, channels)
    weights = rng.integers(-127, 128, (1, 3, 3, channels)).astype(np.int8)
    builder.op(
        "DEPTHWISE_CONV_2D",
        [
            x,
            builder.constant(weights, scale=scales, axis=3),
            builder.constant(biases(rng, channels), scale=0.3 * scales),
        ],
        [y],
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
        padding="SAME",
        depthMultiplier=1,
        fusedActivationFunction="RELU",
    )
    return y, shape


def fully_connected(channels):
    def add(builder, x, shape, rng):
        weights = rng.integers(-127, 128, (channels, shape[-1])).astype(np.int8)
        y = builder.tensor((*shape[:-1], channels), scale=0.3, zero_point=-20)
        operands = [builder.constant(weights, scale=0.01), builder.constant(biases(rng, channels), scale=0.0005)]
        builder.op("FULLY_CONNECTED", [x, *operands], [y], fusedActivationFunction="NONE", keepNumDims=True)
        return y, (*shape[:-1], channels)

    return add


def biases(rng, channels):
    return rng.integers(-3000, 3000, channels).astype(np.int32)


def ways(model, op=0):
    graph = parse_model(model, name="model.tflite")
    return list(products(look_at(graph), graph.ops[op]))


def product(weights, *, form=None, bias=None, is_wide=False):
    weights = np.array(weights, np.int8)
    channels = len(weights)
    bias = np.zeros(channels, np.int64) if bias is None else np.array(bias)
    return Product(weights=weights, bias=bias, form=form or fit(channels), is_wide=is_wide)


def fit(channels):
    numbers = np.arange(1, channels + 1)
    return Fit(shift=9, bias_shift=10 * numbers, multiplier=100 * numbers, offset=-numbers)


def general(channels):
    numbers = np.arange(1, channels + 1)
    return General(shift=numbers, multiplier=100 * numbers, offset=-numbers)


def words_of(product, part="pairs"):
    stream = product_parameters(product, dense_grid(4, 4, product.channels))[part]["stream"]
    return stream.values.view(np.int32).tolist()


def halves(first, second):
    return (first & 0xFFFF) | second << 16


PAIR = [[1, 2, 3, 4, 5], [-6, 7, 8, 9, -10]]


def test_the_stream_of_a_pair_is_what_the_header_says():
    assert words_of(product(PAIR, bias=[1_000, -20])) == [
        [
            *(256 * 1_010 + 0, 0),
            *(halves(256 * 1 - 6, 256 * 3 + 8), halves(256 * 2 + 7, 256 * 4 + 9)),
            *(halves(256 * 5 - 10, 0), 0),
            *(100, -256, 200, -2),
        ]
    ]


def test_general_constants_have_no_factor_and_wide_streams_nowhere():
    (packed,) = words_of(product(PAIR, form=general(2), bias=[1_000, -20]))
    (wide,) = words_of(product(PAIR, bias=[1_000, -20], is_wide=True))

    assert packed[:2] == [256 * 1_000 - 20, -20]
    assert packed[-6:] == [100, -1, 1, 200, -2, 2]
    assert wide == [
        *(1_010, 0),
        *(halves(1, 3), halves(-6, 8), halves(2, 4), halves(7, 9)),
        *(halves(5, 0), halves(-10, 0), 0, 0),
        *(100, -1, 200, -2),
    ]


def test_an_odd_channel_is_paired_with_itself_and_stored_twice_to_one_place():
    three = product([*PAIR, [1, 1, 1, 1, 1]])
    fields = product_parameters(three, planes_grid(Planes.compact(3, 4, 5)))

    assert fields["pairs"]["channel_step"] == 20
    assert (fields["last"]["channel_step"], fields["last_offset"]) == (0, 40)
    assert words_of(three, "last")[0][2] == halves(257, 257)


def test_a_single_channel_is_all_there_is():
    fields = product_parameters(product([[1, 2, 3]]), dense_grid(4, 4, 1))

    assert fields["pairs"]["channel_step"] == 0
    assert fields["last"] == {"stream": "NULL"}


@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("form", [fit, general])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_constant_bytes_are_those_of_the_streams(channels, form, is_wide):
    some = product(np.ones((channels, 9)), form=form(channels), is_wide=is_wide)
    fields = product_parameters(some, dense_grid(4, 4, channels))
    arrays = [part["stream"] for part in (fields["pairs"], fields["last"])]

    assert some.constant_bytes == sum(array.nbytes for array in arrays if isinstance(array, Array))


def reach_of(weights, bias=0):
    """Factors do not matter here."""
    rows = np.array(weights, np.int64)
    reach = 128 * abs(rows).sum(axis=1) + bias
    factors = np.full(len(rows), 2**30), np.full(len(rows), -10)
    return Requantization(mantissa=factors[0], shift=factors[1], lo=-reach, hi=reach, zero_point=0, low=-128, high=127)


@pytest.mark.parametrize(
    ("pair", "fits"), [((-128, 0), True), ((-128, -1), False), ((127, 127), True), ((5, -128), True)]
)
def test_two_weights_have_to_fit_into_a_halfword(pair, fits):
    weights = np.array(pair, np.int8)[:, None]

    assert can_be_packed(weights, general(2), reach_of(weights)) is fits


def test_an_odd_channel_of_minus_128_does_not_fit_beside_itself():
    weights = np.array([[1], [1], [-128]], np.int8)

    assert not can_be_packed(weights, general(3), reach_of(weights))


def test_only_channels_that_lead_a_pair_must_stay_below_2_to_the_23():
    large, small = [127] * 600, [1] * 600
    leading, following = np.array([large, small], np.int8), np.array([small, large], np.int8)

    assert not can_be_packed(leading, general(2), reach_of(leading))
    assert can_be_packed(following, general(2), reach_of(following))


def test_a_depth_of_whole_rows_first_is_what_the_kernel_reads():
    assert convolution_order(2, 5).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 4, 9]


@pytest.mark.parametrize("kernel", ["pointwise", "conv_2d_gemm"])
def test_parameters_are_the_fields_of_the_struct(kernel):
    layer = convolution(4) if kernel == "pointwise" else convolution(4, (3, 3))
    (call,) = ways(model_of(layer))[0].lower().calls

    assert call.kernel == kernel
    assert list(call.parameters) == fields_of(HEADERS / f"td_{kernel}.h", f"td_{kernel}")
    assert list(call.parameters["gemm"]) == fields_of(HEADERS / "td_gemm.h", "td_gemm")
    assert set(call.parameters["gemm"]["pairs"]) == set(fields_of(HEADERS / "td_gemm.h", "td_gemm_channels"))


def fields_of(header, struct):
    (body,) = re.findall(rf"struct {struct} \{{(.*?)\}};", header.read_text(), re.DOTALL)
    declarations = re.findall(r"^    (?:const )?(?:struct )?\w+ (.*?);", body, re.MULTILINE)
    return [name.strip(" *") for names in declarations for name in names.split(",")]


def test_dense_outputs_go_to_the_place_of_their_input_from_the_side_where_they_are_larger():
    few, many = dense_grid(3, 3, 4), dense_grid(3, 3, 8)

    assert may_run_in_place(many, few, (8, 4)) == (True, False)
    assert may_run_in_place(few, many, (4, 8)) == (True, True)


def test_planes_go_to_their_own_place_backwards_where_values_move_up():
    planes = Planes.bordered(4, 3, 3, (1, 1, 1, 1))
    corner, inside = planes_grid(planes.at_corner(3, 3)), planes_grid(planes)

    assert may_run_in_place(corner, inside, (4, 4)) == (True, True)
    assert may_run_in_place(inside, corner, (4, 4)) == (True, False)
    assert not may_run_in_place(planes_grid(Planes.compact(4, 3, 3)), inside, (4, 4))[0]
    assert not may_run_in_place(inside, dense_grid(3, 3, 4), (4, 4))[0]


def test_pixels_that_move_both_ways_have_no_safe_order():
    wide = Grid(rows=2, columns=2, row_step=6, pixel_step=1, channel_step=16)
    shifted = Grid(rows=2, columns=2, row_step=4, pixel_step=1, channel_step=16, origin=1)

    assert not may_run_in_place(wide, shifted, (2, 2))[0]


def test_the_smallest_lag_is_safe_and_one_byte_less_is_not():
    rng = np.random.default_rng(0)
    tight = 0
    for _ in range(100):
        window = random_window(rng)
        channels = int(rng.integers(1, 12))
        lag = smallest_lag(window, channels)
        assert is_safe(window, channels, lag)
        tight += lag > 0 and not is_safe(window, channels, lag - 1)
        assert lag == 0 or not is_safe(window, channels, lag - 1)
    assert tight > 20


def random_window(rng):
    kernel, stride = rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    size = rng.integers(4, 9, 2)
    padding = [int(rng.integers(0, taps)) for taps in kernel]
    outputs = [int((n + 2 * p - k) // s + 1) for n, p, k, s in zip(size, padding, kernel, stride, strict=True)]
    as_pair = [tuple(int(n) for n in values) for values in (size, kernel, stride, padding, outputs)]
    return Window(
        input_size=as_pair[0],
        channels=int(rng.integers(1, 9)),
        kernel=as_pair[1],
        stride=as_pair[2],
        dilation=(1, 1),
        padding=as_pair[3],
        output_size=as_pair[4],
    )


def is_safe(window, output_channels, lag):
    """Plays it through: whether all bytes are still there when they are read, the input `lag` bytes behind."""
    rows, columns = window.output_size
    pixels = [(row, column) for row in range(rows) for column in range(columns)]
    written = 0
    for tile in range(0, len(pixels), 4):
        for row, column in pixels[tile : tile + 4]:
            ys = row * window.stride[0] - window.padding[0] + np.arange(window.kernel[0])
            xs = column * window.stride[1] - window.padding[1] + np.arange(window.kernel[1])
            ys, xs = ys[(ys >= 0) & (ys < window.input_size[0])], xs[(xs >= 0) & (xs < window.input_size[1])]
            if ys.size and xs.size and lag + (ys[0] * window.input_size[1] + xs[0]) * window.channels < written:
                return False
        written = min(tile + 4, len(pixels)) * output_channels
    return True


def test_bounds_of_an_activation_that_are_not_natural_are_applied_by_a_table():
    bounded = ways(model_of(convolution(4, activation="RELU6", zero_point=-20)))[0].lower()
    free = ways(model_of(convolution(4, activation="RELU", zero_point=-128)))[0].lower()

    assert [call.kernel for call in bounded.calls] == ["pointwise", "lookup"]
    assert [call.kernel for call in free.calls] == ["pointwise"]


def test_two_bytes_a_weight_are_on_offer_as_large():
    small, large = ways(model_of(convolution(8)))

    assert (small.large, large.large) == (False, True)
    assert large.cost.constant_bytes > 1.3 * small.cost.constant_bytes
    assert large.cost.instructions < small.cost.instructions
    assert (*small.shifts, *large.shifts) == ("gemm", "gemm_wide")


def test_planes_are_read_and_written_where_depthwise_layers_are_beside_it():
    model = model_of(convolution(8, (3, 3)), depthwise, convolution(8), depthwise, convolution(12))
    choices = compile_graph(parse_model(model, name="model.tflite"), "dsp").choices

    assert [choice.chosen.name for choice in choices] == [
        "4x2 tiles, NHWC to planes",
        "3x3 on planes",
        "4x2 tiles, on planes",
        "3x3 on planes",
        "4x2 tiles, planes to NHWC",
    ]
    assert [call.kernel for call in choices[2].chosen.lower().calls] == ["pointwise", "plane_border"]


def test_grouped_and_multichannel_depthwise_layers_are_not_products():
    model = model_of(depthwise)

    assert ways(model) == []


def test_models_of_products_are_exact():
    image = (1, 9, 7, 1)
    single = {"kind": "DEPTHWISE_CONV_2D"}
    models = [
        model_of(convolution(8, (3, 3)), depthwise, convolution(8), depthwise, convolution(12), seed=1),
        model_of(convolution(5, (3, 2), stride=2), convolution(7), convolution(3, (1, 1), stride=2), seed=2),
        model_of(convolution(6, (3, 3), dilation=2), convolution(9, (2, 3), padding="VALID"), seed=3),
        model_of(convolution(4, activation="RELU6", zero_point=-20), convolution(16, activation="NONE"), seed=4),
        model_of(convolution(1), convolution(1, (3, 3)), seed=5),
        model_of(convolution(6, (5, 3), **single), convolution(3), shape=image, seed=6),
        model_of(convolution(3, (3, 3), stride=2, **single), shape=image, seed=7),
        model_of(fully_connected(11), fully_connected(4), shape=(1, 6, 10), seed=8),
        model_of(convolution(4, lowest=-128), convolution(4, (3, 3), lowest=-128), seed=9),
        model_of(convolution(8), depthwise, convolution(8), shape=(1, 3, 2, 5), seed=10),
    ]

    check_on_host(models, kernels="dsp")
