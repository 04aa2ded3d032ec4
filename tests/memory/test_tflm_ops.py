"""Known answers for single ops, one for each thing that a kernel of TensorFlow Lite Micro 90b983c2b may allocate.

Measured as those of test_tflm_arena.py.
"""

import numpy as np
import pytest
from op_models import one_op
from tflite_builder import ModelBuilder
from tflm_tables import TABLES

from tinydeploy.memory.tflm_arena import plan_tflm_arena, uncovered
from tinydeploy.memory.tflm_cmsis_nn import OptimizedFor, cmsis_nn
from tinydeploy.memory.tflm_cmsis_scratch import Instructions
from tinydeploy.memory.tflm_reference import KERNELS
from tinydeploy.model.reader import parse_model


def layer(kind, shape, output_shape, weights_shape, *, axis=0, dtype="INT8", bias=None, scales=None, **options):
    """One op with weights of a scale per channel, or of ``scales`` in all, and a bias."""
    builder = ModelBuilder()
    x = builder.tensor(shape, dtype, scale=0.1)
    y = builder.tensor(output_shape, dtype, scale=0.1)
    channels = weights_shape[axis]
    weights = builder.constant(np.ones(weights_shape, np.int8), scale=[0.01] * (scales or channels), axis=axis)
    inputs = [x, weights]
    if bias is not None:
        inputs.append(builder.constant(np.zeros(channels, bias), scale=[0.001] * (scales or channels)))
    builder.op(kind, inputs, [y], **options)
    return builder.finish(inputs=[x], outputs=[y])


def conv(shape, output_shape, weights_shape, **options):
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": "SAME", **options}
    return layer("CONV_2D", shape, output_shape, weights_shape, **options)


def depthwise(shape, output_shape, weights_shape, **options):
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": "SAME", **options}
    options["depthMultiplier"] = output_shape[3] // shape[3]
    return layer("DEPTHWISE_CONV_2D", shape, output_shape, weights_shape, axis=3, bias=np.int32, **options)


def svdf(state="INT16"):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 16), scale=1 / 64), builder.tensor((1, 8), scale=0.5)
    features = builder.constant(np.ones((16, 16), np.int8), scale=1 / 64)
    time = builder.constant(np.ones((16, 10), state.lower()), scale=1 / 64)
    bias = builder.constant(np.zeros(8, np.int32), scale=1 / 1024)
    memory = builder.tensor((1, 160), state, scale=1 / 16)
    builder.graph.tensors[memory].isVariable = True
    builder.op("SVDF", [x, features, time, bias, memory], [y], rank=2)
    return builder.finish(inputs=[x], outputs=[y])


def batch_matmul(**options):
    builder = ModelBuilder()
    x, z = builder.tensor((1, 3, 4), scale=0.1), builder.tensor((1, 4, 5), scale=0.1)
    y = builder.tensor((1, 3, 5), scale=0.1)
    builder.op("BATCH_MATMUL", [x, z], [y], **options)
    return builder.finish(inputs=[x, z], outputs=[y])


def transpose_conv(channels):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4, 5, channels), scale=0.1), builder.tensor((1, 8, 10, 3), scale=0.1)
    weights = builder.constant(np.ones((3, 3, 3, channels), np.int8), scale=[0.01] * 3)
    shape = builder.constant(np.array([1, 8, 10, 3], np.int32))
    builder.op("TRANSPOSE_CONV", [shape, weights, x], [y], strideH=2, strideW=2, padding="SAME")
    return builder.finish(inputs=[x], outputs=[y])


def many(kind, inputs, outputs, **options):
    """One op with several inputs or outputs."""
    builder = ModelBuilder()
    xs = [builder.tensor(shape, scale=0.1) for shape in inputs]
    ys = [builder.tensor(shape, scale=0.1) for shape in outputs]
    axis = [builder.constant(np.array(2, np.int32))] if kind == "SPLIT" else []
    builder.op(kind, [*axis, *xs], ys, **options)
    return builder.finish(inputs=xs, outputs=ys)


def axes(*values):
    return np.array(values, np.int32)


MODELS = {
    "conv 1x1": conv((1, 4, 4, 8), (1, 4, 4, 12), (12, 1, 1, 8), bias=np.int32),
    "conv 3x3": conv((1, 6, 7, 3), (1, 6, 7, 10), (10, 3, 3, 3), bias=np.int32),
    "conv 3x3 without bias": conv((1, 6, 7, 3), (1, 6, 7, 10), (10, 3, 3, 3)),
    "conv 1xn": conv((1, 1, 20, 4), (1, 1, 20, 9), (9, 1, 5, 4), bias=np.int32),
    "conv 1xn with stride": conv((1, 1, 21, 4), (1, 1, 7, 9), (9, 1, 5, 4), bias=np.int32, strideW=3),
    "conv of many channels": conv((1, 2, 2, 1), (1, 2, 2, 600), (600, 1, 1, 1), bias=np.int32),
    "conv int16": conv((1, 6, 7, 3), (1, 6, 7, 10), (10, 3, 3, 3), dtype="INT16", bias=np.int64),
    "conv int16 with a short bias": conv((1, 6, 7, 3), (1, 6, 7, 10), (10, 3, 3, 3), dtype="INT16", bias=np.int32),
    "depthwise 3x3": depthwise((1, 6, 7, 8), (1, 6, 7, 8), (1, 3, 3, 8)),
    "depthwise 5x1": depthwise((1, 9, 3, 8), (1, 9, 3, 8), (1, 5, 1, 8)),
    "depthwise dilated": depthwise((1, 9, 9, 8), (1, 9, 9, 8), (1, 3, 3, 8), dilationHFactor=2, dilationWFactor=2),
    "depthwise of one channel": depthwise((1, 9, 9, 1), (1, 9, 9, 8), (1, 3, 3, 8)),
    "fully connected": layer("FULLY_CONNECTED", (1, 12), (1, 40), (40, 12), bias=np.int32, scales=1),
    "fully connected per channel": layer("FULLY_CONNECTED", (1, 12), (1, 40), (40, 12), bias=np.int32),
    "fully connected of rank 3": layer(
        "FULLY_CONNECTED", (1, 3, 12), (1, 3, 40), (40, 12), bias=np.int32, scales=1, keepNumDims=True
    ),
    "average pool": one_op(
        "AVERAGE_POOL_2D", (1, 6, 6, 20), (1, 3, 3, 20), filterHeight=2, filterWidth=2, strideH=2, strideW=2
    ),
    "mean": one_op("MEAN", (1, 4, 5, 6), (1, 6), axes(1, 2)),
    "mirror pad": one_op("MIRROR_PAD", (1, 4, 5), (1, 6, 5), np.array([[0, 0], [1, 1], [0, 0]], np.int32)),
    "softmax int16": one_op(
        "SOFTMAX", (1, 10), (1, 10), types=("INT16", "INT16"), source=(0.1, 0), output=(1 / 32768, 0), beta=1.0
    ),
    "cumsum": one_op("CUMSUM", (1, 10), (1, 10), axes(1)),
    "gather": one_op("GATHER", (1, 10), (1, 3), axes(1, 2, 3), axis=1),
    "svdf": svdf(),
    "svdf of 8 bits": svdf("INT8"),
    "batch matmul": batch_matmul(),
    "transpose conv": transpose_conv(8),
    "transpose conv, reversed": transpose_conv(20),
    "concatenation": many("CONCATENATION", [(1, 3, 4)] * 4, [(1, 3, 16)], axis=2),
    "split": many("SPLIT", [(1, 3, 4)], [(1, 3, 2)] * 2, numSplits=2),
    "add_n": many("ADD_N", [(1, 9)] * 5, [(1, 9)]),
}

# Used and needed bytes, in the order of TABLES. Only "fully connected per channel" could be allocated in 16 bytes less:
# what its kernel keeps then overwrites the zero point of a temporary tensor, which happens to be read no more.
EXPECTED = {
    "conv 1x1": ((852, 1040), (852, 1040), (852, 1040), (852, 1040)),
    "conv 3x3": ((1092, 1104), (1204, 1216), (1204, 1216), (1220, 1232)),
    "conv 3x3 without bias": ((1076, 1088), (1188, 1200), (1188, 1200), (1204, 1216)),
    "conv 1xn": ((804, 1008), (884, 1008), (884, 1008), (836, 1008)),
    "conv 1xn with stride": ((692, 1008), (772, 1008), (772, 1008), (724, 1008)),
    "conv of many channels": ((7652, 12800), (7652, 12800), (7652, 12800), (7652, 12800)),
    "conv int16": ((1636, 1648), (1748, 1760), (1748, 1760), (1892, 1904)),
    "conv int16 with a short bias": ((1636, 1648), (1748, 1760), (1748, 1760), (1892, 1904)),
    "depthwise 3x3": ((1172, 1184), (1172, 1184), (1172, 1184), (5636, 5648)),
    "depthwise 5x1": ((948, 960), (1028, 1040), (948, 960), (3428, 3440)),
    "depthwise dilated": ((1812, 1824), (1812, 1824), (1812, 1824), (1812, 1824)),
    "depthwise of one channel": ((1252, 1264), (1252, 1264), (1252, 1264), (1396, 1408)),
    "fully connected": ((468, 624), (500, 656), (500, 656), (660, 816)),
    "fully connected per channel": ((788, 1264), (820, 1296), (820, 1296), (980, 1456)),
    "fully connected of rank 3": ((580, 624), (932, 944), (932, 944), (932, 944)),
    "average pool": ((1316, 1328), (1396, 1408), (1316, 1328), (1316, 1328)),
    "mean": ((596, 816), (596, 816), (596, 816), (596, 816)),
    "mirror pad": ((452, 704), (452, 704), (452, 704), (452, 704)),
    "softmax int16": ((2532, 2624), (2532, 2624), (2532, 2624), (2532, 2624)),
    "cumsum": ((404, 544), (404, 544), (404, 544), (404, 544)),
    "gather": ((388, 528), (388, 528), (388, 528), (388, 528)),
    "svdf": ((884, 1152), (884, 1152), (884, 1152), (948, 1216)),
    "svdf of 8 bits": ((724, 992), (724, 992), (724, 992), (788, 1056)),
    "batch matmul": ((580, 688), (596, 704), (596, 704), (628, 784)),
    "transpose conv": ((1828, 1840), (1268, 1280), (1268, 1280), (1268, 1280)),
    "transpose conv, reversed": ((2068, 2080), (2372, 2384), (2372, 2384), (2420, 2432)),
    "concatenation": ((660, 736), (660, 736), (660, 736), (660, 736)),
    "split": ((440, 608), (440, 608), (440, 608), (440, 608)),
    "add_n": ((772, 928), (772, 928), (772, 928), (772, 928)),
}


@pytest.mark.parametrize("kernels", TABLES)
@pytest.mark.parametrize("name", MODELS)
def test_a_single_op_is_planned_to_the_byte(name, kernels):
    graph = parse_model(MODELS[name], name=name)
    assert uncovered(graph, TABLES[kernels]) == ()
    arena = plan_tflm_arena(graph, TABLES[kernels])
    assert (arena.used_bytes, arena.needed_bytes) == EXPECTED[name][list(TABLES).index(kernels)]


def test_the_same_op_keeps_its_sums_or_computes_them_by_how_the_library_is_compiled():
    graph = parse_model(MODELS["fully connected"], name="fully connected")
    fast, small = (
        plan_tflm_arena(graph, cmsis_nn(Instructions.MVE, way)) for way in (OptimizedFor.SPEED, OptimizedFor.SIZE)
    )
    assert (fast.scratch_bytes, small.scratch_bytes) == (0, 4 * 40)
    assert (fast.used_bytes, fast.needed_bytes) == (660, 816)
    assert (small.used_bytes, small.needed_bytes) == (660, 736)


def test_svdf_without_a_way_to_keep_sums_is_a_reason_for_doubt():
    graph = parse_model(MODELS["svdf"], name="svdf")
    assert uncovered(graph, cmsis_nn(Instructions.MVE, OptimizedFor.NEITHER)) == (
        "op 0 SVDF: its kernel wants KERNELS_OPTIMIZED_FOR_SPEED or KERNELS_OPTIMIZED_FOR_SIZE to be defined",
    )
    assert uncovered(graph, cmsis_nn(Instructions.DSP, OptimizedFor.NEITHER)) == ()


def test_a_kernel_that_decides_by_an_uninitialised_variable_is_a_reason_for_doubt():
    graph = parse_model(depthwise((1, 1, 9, 1), (1, 1, 9, 4), (1, 1, 3, 4)), name="row")
    assert uncovered(graph, TABLES["mve"]) == (
        "op 0 DEPTHWISE_CONV_2D: its working memory depends on an uninitialised variable in CMSIS-NN's kernel",
    )
    assert uncovered(graph, TABLES["dsp"]) == ()


@pytest.mark.parametrize("kernels", TABLES)
def test_every_row_says_where_its_figures_come_from(kernels):
    assert TABLES[kernels].table.keys() == KERNELS.keys()
    for kind, kernel in TABLES[kernels].table.items():
        assert kernel.source.endswith(".cc"), kind
        assert (kernel.data is None) == (kernel.data_type == ""), kind
