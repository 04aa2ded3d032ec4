"""Random models, compiled, run under sanitizers and compared with TFLM's interpreter bit for bit."""

import numpy as np
import pytest
from host_engine import Case, check_on_host
from random_graphs import KINDS, random_graph, random_op_model
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.errors import ModelError

_MODELS_A_KIND = 12
_GRAPHS = 20


@pytest.mark.parametrize("kind", KINDS)
def test_random_models_of_one_op_agree_with_tflm(kind):
    check_on_host([random_op_model(kind, seed) for seed in range(_MODELS_A_KIND)])


def test_random_graphs_agree_with_tflm():
    check_on_host([random_graph(seed) for seed in range(_GRAPHS)])


def test_elementwise_ops_work_in_place_where_their_input_is_not_needed_again():
    builder = ModelBuilder()
    like = {"scale": 1 / 256, "zero_point": -128}
    x, *values = [builder.tensor((1, 40), **like) for _ in range(7)]
    other = builder.constant(np.arange(40, dtype=np.int8), **like)
    builder.op("LOGISTIC", [x], [values[0]])
    builder.op("ADD", [values[0], other], [values[1]])
    builder.op("MUL", [other, values[1]], [values[2]])
    builder.op("SOFTMAX", [values[2]], [values[3]], beta=40.0)
    builder.op("QUANTIZE", [values[3]], [values[4]])
    builder.op("SUB", [values[4], other], [values[5]])
    model = builder.finish(inputs=[x], outputs=[values[5]])
    assert plan_aot(Case(model, []).graph).arena_bytes == 48  # 40, aligned to 16
    check_on_host([model])


@pytest.mark.parametrize(
    "kind", ["AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR"]
)
def test_several_images_that_a_reshape_makes_of_one_are_refused(kind):
    with pytest.raises(ModelError) as caught:
        plan_aot(Case(several_images(kind), []).graph)
    assert caught.value.where["reasons"] == (
        f"op 1 {kind}: supported only where the input is a single image (batch size 1)"
    )


def several_images(kind):
    """Two images of 4x4 in one of 8x4, and an op on them."""
    builder, like = ModelBuilder(), {"scale": 0.5, "zero_point": 3}
    x, images, y = (builder.tensor(shape, **like) for shape in ((1, 8, 4, 1), (2, 4, 4, 1), (2, 4, 4, 1)))
    builder.op("RESHAPE", [x, builder.constant(np.array([2, 4, 4, 1], np.int32))], [images], newShape=[2, 4, 4, 1])
    steps = {"strideH": 1, "strideW": 1, "padding": "SAME"}
    weights = builder.constant(np.ones((1, 1, 1, 1), np.int8), scale=0.5)
    if kind == "RESIZE_NEAREST_NEIGHBOR":
        builder.op(kind, [images, builder.constant(np.array([4, 4], np.int32))], [y])
    elif kind == "CONV_2D":
        builder.op(kind, [images, weights], [y], **steps, dilationHFactor=1, dilationWFactor=1)
    elif kind == "DEPTHWISE_CONV_2D":
        builder.op(kind, [images, weights], [y], **steps, dilationHFactor=1, dilationWFactor=1, depthMultiplier=1)
    else:
        builder.op(kind, [images], [y], **steps, filterHeight=1, filterWidth=1)
    return builder.finish(inputs=[x], outputs=[y])
