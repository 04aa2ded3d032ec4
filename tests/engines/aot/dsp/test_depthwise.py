import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.dsp.context import look_at
from tinydeploy.engines.aot.dsp.depthwise import depthwise_planes, instructions_of, pack, plane_fields
from tinydeploy.engines.aot.requantization import Fit, General
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model

SCALE = {"scale": 0.05, "zero_point": 3}


def depthwise_layer(
    builder, x, shape, rng, *, stride=1, padding="SAME", multiplier=1, kernel=3, zero_point=-128, **more
):
    """A depthwise layer at the end of a model, with a scale for each channel; its output and that one's shape."""
    _, height, width, channels = shape
    weights = rng.integers(-127, 127, (1, kernel, kernel, channels * multiplier), endpoint=True).astype(np.int8)
    scales = rng.uniform(0.004, 0.012, channels * multiplier)
    reach = 0 if padding == "SAME" else kernel - 1
    shape = (1, -(-(height - reach) // stride), -(-(width - reach) // stride), channels * multiplier)
    y = builder.tensor(shape, scale=more.get("scale", 0.06), zero_point=zero_point)
    bias = rng.integers(-3000, 3000, channels * multiplier).astype(np.int32)
    builder.op(
        "DEPTHWISE_CONV_2D",
        [x, builder.constant(weights, scale=scales, axis=3), builder.constant(bias, scale=0.05 * scales)],
        [y],
        strideH=stride,
        strideW=stride,
        dilationHFactor=1,
        dilationWFactor=1,
        padding=padding,
        depthMultiplier=multiplier,
        fusedActivationFunction=more.get("activation", "RELU"),
    )
    return y, shape


def one_layer(shape=(1, 6, 5, 3), seed=0, **options):
    builder = ModelBuilder()
    x = builder.tensor(shape, **SCALE)
    y, _ = depthwise_layer(builder, x, shape, np.random.default_rng(seed), **options)
    return builder.finish(inputs=[x], outputs=[y])


def averaged(shape, seed=0, *, mean=True, **options):
    """A depthwise layer, and the average of its output over height and width, for which planes are as good."""
    builder = ModelBuilder()
    x = builder.tensor(shape, **SCALE)
    y, shape = depthwise_layer(builder, x, shape, np.random.default_rng(seed), **options)
    _, height, width, channels = shape
    if mean:
        z = builder.tensor((1, channels), scale=0.05, zero_point=-100)
        builder.op("MEAN", [y, builder.constant(np.array([1, 2], np.int32))], [z], keepDims=False)
    else:
        z = builder.tensor((1, 1, 1, channels), scale=0.06, zero_point=options.get("zero_point", -128))
        builder.op(
            "AVERAGE_POOL_2D",
            [y],
            [z],
            filterHeight=height,
            filterWidth=width,
            strideH=1,
            strideW=1,
            padding="VALID",
        )
    return builder.finish(inputs=[x], outputs=[z])


def ways(model) -> list[Candidate]:
    graph = parse_model(model, name="model.tflite")
    return list(depthwise_planes(look_at(graph), graph.ops[0]))


def chosen(model):
    return [choice.chosen.name for choice in compile_graph(parse_model(model, name="model.tflite"), "dsp").choices]


def words(values):
    return values.view(np.int32).reshape(-1).tolist()


def bytes_of(*values):
    return int(np.array(values, np.int8).view(np.int32)[0])


def test_constants_are_what_the_header_says():
    rows = np.array([range(1, 10), range(-9, 0)], np.int8)
    bias = np.array([1000, -1000], np.int32)
    fit = Fit(shift=8, bias_shift=np.array([5, -6]), multiplier=np.array([50, 60]), offset=np.array([-7, 8]))
    general = General(shift=np.array([3, 4]), multiplier=np.array([50, 60]), offset=np.array([-7, 8]))
    first = [bytes_of(1, 2, 3, 5), bytes_of(4, 8, 6, 0), bytes_of(7, 0, 9, 0)]
    second = [bytes_of(-9, -8, -7, -5), bytes_of(-6, -2, -4, 0), bytes_of(-3, 0, -1, 0)]

    assert words(pack(rows, bias, fit)) == [*first, 1005, 50, -7, *second, -1006, 60, 8]
    assert words(pack(rows, bias, general)) == [*first, 1000, 50, -7, 3, *second, -1000, 60, 8, 4]


@pytest.mark.parametrize(
    ("struct", "header", "fields"),
    [
        ("td_depthwise_planes", "td_depthwise_planes", lambda: ways(one_layer())[0].lower().calls[0].parameters),
        ("td_planes", "td_plane_border", lambda: plane_fields(Planes.compact(1, 1, 1))),
    ],
)
def test_parameters_are_the_fields_of_the_structs_in_their_order(struct, header, fields):
    text = (data_dir("firmware") / "kernels" / "dsp" / f"{header}.h").read_text()
    (body,) = re.findall(rf"struct {struct} \{{(.*?)\}};", text, re.DOTALL)
    declarations = re.findall(r"^    (?:const )?\w+ (.*?);", body, re.MULTILINE)

    assert list(fields()) == [name.strip(" *") for names in declarations for name in names.split(",")]


def test_the_assembler_has_the_offsets_of_the_struct():
    source = (data_dir("firmware") / "kernels" / "dsp" / "depthwise_strips.S").read_text()
    offsets = dict(re.findall(r"\.equ +CONV_(\w+), (\d+)", source))
    order = list(ways(one_layer())[0].lower().calls[0].parameters)
    names = {
        "CONSTANTS": "constants",
        "CHANNELS": "channels",
        "ROWS": "rows",
        "COLUMNS": "columns",
        "PITCH": "input_pitch",
        "PLANE": "input_plane_bytes",
        "OUTPUT_PITCH": "output_pitch",
        "OUTPUT_PLANE": "output_plane_bytes",
    }

    assert {name: int(offset) for name, offset in offsets.items()} == {
        name: 4 * order.index(field) for name, field in names.items()
    }


def test_stride_1_keeps_the_planes_that_it_reads_and_stride_2_packs_them():
    same, turned = ways(one_layer((1, 6, 5, 3)))
    (read,), (written,) = same.reads.values(), same.writes.values()
    assert (read.pitch, read.plane_bytes, read.border) == (7, 56, (1, 1, 1, 1))
    assert (written.pitch, written.plane_bytes, written.origin) == (7, 56, 0)
    assert not turned.reads
    assert turned.writes == same.writes

    (half,) = ways(one_layer((1, 6, 5, 3), stride=2))
    (read,), (written,) = half.reads.values(), half.writes.values()
    assert (read.pitch, read.border) == (7, (0, 1, 1, 1))
    assert (written.pitch, written.plane_bytes, written.height, written.width) == (3, 9, 3, 3)


def test_a_fitted_layer_has_24_bytes_a_channel_and_its_shift_an_instance():
    fitted, *_ = ways(one_layer())
    assert fitted.shifts["depthwise"] > 0
    assert fitted.cost.constant_bytes == 3 * 24
    assert fitted.lower().calls[0].parameters["form"] == f"td_depthwise_planes_1_shift_{fitted.shifts['depthwise']}"

    general, *_ = ways(one_layer(activation="NONE", zero_point=5))
    assert general.shifts == {"depthwise": 0}
    assert general.cost.constant_bytes == 3 * 28
    assert general.cost.instructions > fitted.cost.instructions
    assert general.lower().calls[0].parameters["form"] == "td_depthwise_planes_1_general"


@pytest.mark.parametrize(
    "options",
    [{"kernel": 5}, {"multiplier": 2}, {"stride": 3}, {"zero_point": -20}, {"scale": 0.0001, "activation": "NONE"}],
    ids=["5x5", "two outputs a channel", "stride 3", "bounds that saturation does not keep", "a left shift"],
)
def test_what_the_kernel_cannot_do_is_left_to_other_kernels(options):
    assert not ways(one_layer(**options))


def test_a_row_more_costs_the_same_anywhere():
    costs = [instructions_of(Planes.compact(1, rows, 8), 1, fitted=True) for rows in range(2, 10)]

    assert np.unique(np.diff(costs[::2])).tolist() == [200]
    assert instructions_of(Planes.compact(1, 1, 1), 1, fitted=False) > instructions_of(
        Planes.compact(1, 1, 1), 1, fitted=True
    )


def test_a_dense_input_is_turned_and_bordered_where_the_output_will_be():
    model = one_layer()
    graph = parse_model(model, name="model.tflite")
    (source,), (target,) = graph.inputs, graph.outputs
    planes = Planes.bordered(3, 6, 5, (1, 1, 1, 1))
    turn, border, depthwise = ways(model)[1].lower().calls

    assert [call.kernel for call in (turn, border, depthwise)] == ["to_planes", "plane_border", "depthwise_planes"]
    assert turn.parameters == {"planes": plane_fields(planes)}
    assert border.parameters == {"planes": plane_fields(planes), "value": 3}
    assert [call.output.tensor for call in (turn, border, depthwise)] == [target] * 3
    assert [[operand.tensor for operand in call.inputs] for call in (turn, border, depthwise)] == [
        [source],
        [],
        [target],
    ]


def test_planes_are_chosen_where_the_next_layer_reads_them():
    assert chosen(averaged((1, 12, 11, 8))) == ["3x3 on planes, turned from NHWC", "sums of planes"]
    assert chosen(averaged((1, 12, 11, 8), mean=False)) == ["3x3 on planes, turned from NHWC", "sums of planes"]


def test_outputs_are_those_of_tflm():
    shapes = [(1, 1, 1, 1), (1, 2, 3, 2), (1, 3, 2, 5), (1, 4, 4, 4), (1, 7, 5, 9), (1, 12, 9, 6)]
    models = [averaged(shape, seed, mean=seed % 2 == 0) for seed, shape in enumerate(shapes)]
    models += [averaged((1, 9, 8, 7), 9, padding="VALID"), averaged((1, 5, 6, 3), 10, activation="NONE", zero_point=7)]

    check_on_host(models, kernels="dsp")
