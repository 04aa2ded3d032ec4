"""An activation becomes part of the op before it where both bound every value alike."""

import numpy as np
import pytest
from tflite_builder import ModelBuilder
from transformed import check_transformed, graph_of, kinds

from tinydeploy.engines.aot.passes.fuse_activations import fuse_activations
from tinydeploy.model.graph import Activation

Q = {"scale": 0.05, "zero_point": -20}


def activated(kind, *, before="ADD", output=Q, first="NONE", twice=False, **options):
    """An op of kind ``before`` and one of ``kind`` on it; ``twice``: the first one's output is an output, too."""
    builder = ModelBuilder()
    x = builder.tensor((1, 3, 3, 4), **Q)
    shape = (1, 2, 2, 4) if before.endswith("POOL_2D") else (1, 3, 3, 4)
    middle, y = builder.tensor(shape, **Q), builder.tensor(shape, **output)
    constants = {
        "ADD": [np.arange(4, dtype=np.int8)],
        "CONV_2D": [np.arange(-8, 8, dtype=np.int8).reshape(4, 1, 1, 4)],
        "DEPTHWISE_CONV_2D": [np.array([-70, -3, 5, 100], np.int8).reshape(1, 1, 1, 4)],
    }.get(before, [])
    step = {"strideH": 1, "strideW": 1}
    more = {
        "ADD": {},
        "CONV_2D": {**step, "padding": "VALID", "dilationHFactor": 1, "dilationWFactor": 1},
        "DEPTHWISE_CONV_2D": {**step, "dilationHFactor": 1, "dilationWFactor": 1, "depthMultiplier": 1},
        "MAX_POOL_2D": {**step, "padding": "VALID", "filterHeight": 2, "filterWidth": 2},
    }[before]
    operands = [x, *(builder.constant(values, scale=0.05) for values in constants)]
    builder.op(before, operands, [middle], fusedActivationFunction=first, **more)
    builder.op(kind, [middle], [y], **options)
    return builder.finish(inputs=[x], outputs=[middle, y] if twice else [y])


@pytest.mark.parametrize("before", ["ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_an_activation_is_fused_into_every_op_that_can_have_one(kind, before):
    model = activated(kind, before=before)
    graph = fuse_activations(graph_of(model))
    assert kinds(graph) == [before]
    assert graph.ops[0].options.activation is Activation[kind]
    assert graph.ops[0].outputs == graph.outputs
    check_transformed([model], fuse_activations)


def test_a_leaky_relu_without_a_leak_is_a_relu():
    model = activated("LEAKY_RELU", alpha=0.0)
    assert kinds(fuse_activations(graph_of(model))) == ["ADD"]
    check_transformed([model], fuse_activations)


@pytest.mark.parametrize(
    "model",
    [
        activated("RELU", output={"scale": 0.05, "zero_point": -21}),
        activated("RELU", output={"scale": 0.025, "zero_point": -20}),
        activated("RELU", first="RELU_N1_TO_1"),
        activated("RELU", twice=True),
        activated("LEAKY_RELU", alpha=0.1),
        activated("TANH"),
    ],
    ids=["zero point", "scale", "activated already", "another reader", "leak", "another function"],
)
def test_what_would_give_other_values_stays(model):
    graph = graph_of(model)
    assert fuse_activations(graph) is graph


def test_an_activation_of_the_input_stays():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), **Q), builder.tensor((1, 4), **Q)
    builder.op("RELU", [x], [y])
    graph = graph_of(builder.finish(inputs=[x], outputs=[y]))
    assert fuse_activations(graph) is graph
