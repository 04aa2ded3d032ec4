"""Ops that only read constants are gone, and what they would have computed is there."""

import numpy as np
import pytest
from op_models import one_op
from tflite_builder import ModelBuilder
from transformed import check_transformed, graph_of, kinds

from tinydeploy.engines.aot.passes.fold_constants import fold_constants

LIKE = {"scale": 0.1, "zero_point": -3}
VALUES = np.arange(-12, 12, dtype=np.int8).reshape(1, 4, 2, 3)

CASES = {
    "RESHAPE": ([(1, 3, 8)], (1, 3, 8), {}),
    "TRANSPOSE": ([(0, 3, 1, 2)], (1, 3, 4, 2), {}),
    "PAD": ([((0, 0), (1, 0), (0, 2), (1, 1))], (1, 5, 4, 5), {}),
    "STRIDED_SLICE": ([(0, 3, 0, 0), (1, -5, 2, 3), (1, -2, 1, 2)], (1, 2, 2, 2), {}),
    "SLICE": ([(0, 1, 0, 1), (1, 2, -1, 2)], (1, 2, 2, 2), {}),
    "RELU": ([], (1, 4, 2, 3), {}),
    "QUANTIZE": ([], (1, 4, 2, 3), {}),
    "RESIZE_NEAREST_NEIGHBOR": ([(3, 5)], (1, 3, 5, 3), {}),
}


def plus_constant(kind, output=LIKE):
    """The sum of an input and of what an op of this kind makes of a constant."""
    parameters, shape, options = CASES[kind]
    builder = ModelBuilder()
    x, made, y = builder.tensor(shape, **LIKE), builder.tensor(shape, **output), builder.tensor(shape, **LIKE)
    constants = [builder.constant(VALUES, **LIKE), *(builder.constant(np.array(p, np.int32)) for p in parameters)]
    builder.op(kind, constants, [made], **options)
    builder.op("ADD", [x, made], [y])
    return builder.finish(inputs=[x], outputs=[y])


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind != "RESIZE_NEAREST_NEIGHBOR"])
def test_an_op_on_constants_is_evaluated(kind):
    model = plus_constant(kind, {"scale": 0.25, "zero_point": 9} if kind in {"RELU", "QUANTIZE"} else LIKE)
    assert kinds(fold_constants(graph_of(model))) == ["ADD"]
    check_transformed([model], fold_constants)


def test_an_op_whose_kernel_is_not_evaluated_stays():
    graph = graph_of(plus_constant("RESIZE_NEAREST_NEIGHBOR"))
    assert fold_constants(graph) is graph


def test_parts_are_joined_and_split():
    builder = ModelBuilder()
    x = builder.tensor((1, 3), **LIKE)
    joined = builder.tensor((1, 9), **LIKE)
    parts = [builder.constant(np.full((1, size), size, np.int8), **LIKE) for size in (2, 7)]
    builder.op("CONCATENATION", parts, [joined], axis=1)
    thirds = [builder.tensor((1, 3), **LIKE) for _ in range(3)]
    builder.op("SPLIT", [builder.constant(np.array(1, np.int32)), joined], thirds, numSplits=3)
    sums = [builder.tensor((1, 3), **LIKE) for _ in range(3)]
    for third, total in zip(thirds, sums, strict=True):
        builder.op("ADD", [x, third], [total])
    model = builder.finish(inputs=[x], outputs=sums)
    graph = fold_constants(graph_of(model))
    assert kinds(graph) == ["ADD"] * 3
    assert graph.tensors[thirds[0]].data.tolist() == [[2, 2, 7]]
    check_transformed([model], fold_constants)


def test_weights_that_are_reshaped_first_are_weights():
    """The engine refuses weights that are computed, but these are only written down in another shape."""
    builder = ModelBuilder()
    x, y = builder.tensor((1, 6), **LIKE), builder.tensor((1, 4), **LIKE)
    flat = builder.constant(np.arange(-12, 12, dtype=np.int8), scale=0.1)
    weights = builder.tensor((4, 6), scale=0.1)
    builder.op("RESHAPE", [flat, builder.constant(np.array([4, 6], np.int32))], [weights], newShape=[4, 6])
    builder.op("FULLY_CONNECTED", [x, weights], [y])
    model = builder.finish(inputs=[x], outputs=[y])
    assert kinds(fold_constants(graph_of(model))) == ["FULLY_CONNECTED"]
    check_transformed([model], fold_constants)


def test_an_output_of_the_graph_stays_the_output_of_an_op():
    builder = ModelBuilder()
    x, y, z = (builder.tensor((1, 6), **LIKE) for _ in range(3))
    builder.op("RELU", [x], [y])
    constant = builder.constant(np.arange(6, dtype=np.int8).reshape(6, 1), **LIKE)
    builder.op("RESHAPE", [constant, builder.constant(np.array([1, 6], np.int32))], [z], newShape=[1, 6])
    graph = graph_of(builder.finish(inputs=[x], outputs=[y, z]))
    assert fold_constants(graph) is graph


def test_an_op_that_reads_an_input_stays():
    graph = graph_of(one_op("RESHAPE", (1, 6), (1, 2, 3), np.array([1, 2, 3], np.int32)))
    assert fold_constants(graph) is graph
