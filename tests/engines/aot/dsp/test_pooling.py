import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.pooling import average_planes, instructions_of
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model

SHAPE = (1, 4, 6, 3)


def pool(kind="AVERAGE_POOL_2D", shape=SHAPE, window=(4, 6), stride=(1, 1), padding="VALID", activation="NONE"):
    builder = ModelBuilder()
    x = builder.tensor(shape, scale=0.05, zero_point=3)
    sizes = [
        -(-size // step) if padding == "SAME" else (size - taps) // step + 1
        for size, taps, step in zip(shape[1:3], window, stride, strict=True)
    ]
    y = builder.tensor((1, *sizes, shape[3]), scale=0.05, zero_point=3)
    builder.op(
        kind,
        [x],
        [y],
        filterHeight=window[0],
        filterWidth=window[1],
        strideH=stride[0],
        strideW=stride[1],
        padding=padding,
        fusedActivationFunction=activation,
    )
    return builder.finish(inputs=[x], outputs=[y])


def mean(axes, shape=SHAPE):
    builder = ModelBuilder()
    x = builder.tensor(shape, scale=0.05, zero_point=3)
    kept = [1 if axis in {a % 4 for a in axes} else size for axis, size in enumerate(shape)]
    y = builder.tensor(kept, scale=0.03, zero_point=-9)
    builder.op("MEAN", [x, builder.constant(np.array(axes, np.int32))], [y], keepDims=True)
    return builder.finish(inputs=[x], outputs=[y])


def ways(model, *planes):
    graph = parse_model(model, name="model.tflite")
    on_offer = {graph.inputs[0]: planes}
    context = Context(graph=graph, planes=on_offer, requantization={}, fits={}, general={})
    return list(average_planes(context, graph.ops[0]))


def test_there_is_a_way_for_each_of_the_planes_on_offer():
    compact, corner = Planes.compact(3, 4, 6), Planes.bordered(3, 4, 6, (1, 1, 1, 1)).at_corner(4, 6)

    assert [list(way.reads.values()) for way in ways(pool(), compact, corner)] == [[compact], [corner]]
    assert not ways(pool())


@pytest.mark.parametrize("model", [mean([1, 2]), mean([2, -3]), pool(), pool(window=(4, 6), activation="RELU")])
def test_averages_of_whole_images_are_taken(model):
    assert ways(model, Planes.compact(3, 4, 6))


@pytest.mark.parametrize(
    "model",
    [mean([1]), mean([1, 2, 3]), mean([1, 3]), pool(window=(3, 6)), pool(window=(4, 6), padding="SAME")],
    ids=["height alone", "channels too", "width not", "part of the height", "many windows"],
)
def test_other_averages_are_left_to_other_kernels(model):
    assert not ways(model, Planes.compact(3, 4, 6))


def test_rows_that_touch_are_one():
    (compact,), (corner,) = (
        ways(pool(), planes) for planes in (Planes.compact(3, 4, 6), Planes.bordered(3, 4, 6, (0, 0, 0, 1)))
    )
    fields = [way.lower().calls[0].parameters["planes"] for way in (compact, corner)]

    assert [(field["height"], field["width"]) for field in fields] == [(1, 24), (4, 6)]
    assert compact.cost.instructions < corner.cost.instructions
    assert instructions_of(Planes.compact(3, 4, 6)) == compact.cost.instructions


def test_the_pool_and_the_mean_round_in_their_own_ways():
    (pooled,), (meant,) = (ways(model, Planes.compact(3, 4, 6)) for model in (pool(activation="RELU"), mean([1, 2])))
    pooled, meant = (way.lower().calls[0].parameters for way in (pooled, meant))

    assert {name: value for name, value in pooled.items() if name != "planes"} == {"divisor": 24, "min": 3, "max": 127}
    assert (meant["divisor"], meant["start"], meant["zero_point"]) == (0, -24 * 3, -9)
    assert (meant["min"], meant["max"]) == (-128, 127)


def test_parameters_are_fields_of_the_struct():
    text = (data_dir("firmware") / "kernels" / "dsp" / "td_average_planes.h").read_text()
    (body,) = re.findall(r"struct td_average_planes \{(.*?)\};", text, re.DOTALL)
    declarations = re.findall(r"^    (?:struct )?\w+ (.*?);", body, re.MULTILINE)
    fields = [name.strip() for names in declarations for name in names.split(",")]

    for model in (pool(), mean([1, 2])):
        (way,) = ways(model, Planes.compact(3, 4, 6))
        names = list(way.lower().calls[0].parameters)
        assert names == [name for name in fields if name in names]


def test_pools_of_dense_tensors_are_those_of_tflm():
    models = [
        pool(kind, (1, *size, channels), window, stride, padding, activation)
        for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
        for size, channels, window, stride, padding, activation in [
            ((5, 7), 4, (2, 2), (2, 2), "VALID", "NONE"),
            ((6, 5), 7, (3, 3), (2, 1), "SAME", "RELU"),
            ((20, 18), 9, (20, 18), (1, 1), "VALID", "NONE"),
            ((1, 300), 5, (1, 290), (1, 3), "VALID", "RELU6"),
            ((3, 3), 1, (2, 3), (1, 1), "SAME", "RELU_N1_TO_1"),
        ]
    ]

    check_on_host(models, kernels="dsp")
