"""Ops whose tensors do not fit together: each rule says what it expected."""

from collections.abc import Sequence

import numpy as np
import pytest
from stateful_models import lstm_model, svdf_model
from test_reader import refusal
from tflite_builder import ModelBuilder, opened

from tinydeploy.model.reader import parse_model

Q = {"scale": 0.5, "zero_point": 1}


def one_op(
    kind: str,
    inputs: Sequence[object],
    outputs: Sequence[tuple[int, ...]],
    *,
    open_batch: bool = False,
    **options: object,
) -> bytes:
    """A model of one op. An input is a shape (an int8 activation), an array (a constant), or None (left out)."""
    builder = ModelBuilder()
    indices, activations = [], []
    for value in inputs:
        if value is None:
            indices.append(-1)
        elif isinstance(value, np.ndarray):
            quantised = Q | {"zero_point": 0} if value.dtype == np.int8 else {}
            indices.append(builder.constant(value, **quantised))
        else:
            indices.append(builder.tensor(value, signature=[-1, *value[1:]] if open_batch else None, **Q))
            activations.append(indices[-1])
    results = [builder.tensor(shape, signature=[-1, *shape[1:]] if open_batch else None, **Q) for shape in outputs]
    builder.op(kind, indices, results, **options)
    return builder.finish(inputs=activations, outputs=results)


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def int8(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


IMAGE = (1, 8, 6, 3)
UP = int32(1, 16, 12, 4)
STRIDE_2 = {"padding": "SAME", "strideH": 2, "strideW": 2}
STRIDE_1 = {"strideH": 1, "strideW": 1}
POOL = {"padding": "VALID", "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}

CASES = [
    ("CONV_2D", [(1, 8, 6), int8(4, 3, 3, 3)], [(1, 8, 6, 4)], STRIDE_1, "1x8x6, expected 4 dimensions"),
    ("CONV_2D", [IMAGE, int8(4, 9, 3)], [(1, 8, 6, 4)], STRIDE_1, "weights tensor 1 (t1) is 4x9x3, expected 4"),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 2)], [(1, 8, 6, 4)], STRIDE_1, "weights 4x3x3x2 do not fit 3 input channels"),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 1)], [(1, 8, 6, 4)], STRIDE_1, "do not fit 3 input channels"),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 6)], [(1, 8, 6, 4)], STRIDE_1, "do not fit 3 input channels"),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 3), int32(1, 2)], [(1, 8, 6, 4)], STRIDE_1, "has 2 values for 4 channels"),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 3)], [(1, 8, 6, 5)], STRIDE_1, "is 1x8x6x5, expected 1x8x6x4"),
    ("CONV_2D", [IMAGE, None], [(1, 8, 6, 4)], STRIDE_1, "input 1 is missing"),
    ("CONV_2D", [IMAGE], [(1, 8, 6, 4)], STRIDE_1, "1 inputs, expected 2 to 3"),
    ("CONV_2D", [IMAGE, int8(4, 9, 1, 3)], [(1, 1, 6, 4)], STRIDE_1 | {"padding": "VALID"}, "expected 1x0x6x4"),
    (
        "DEPTHWISE_CONV_2D",
        [IMAGE, int8(1, 3, 3, 6)],
        [(1, 8, 6, 6)],
        STRIDE_1 | {"depthMultiplier": 1},
        "weights 1x3x3x6 do not fit 3 input channels and a depth multiplier of 1",
    ),
    (
        "DEPTHWISE_CONV_2D",
        [IMAGE, int8(2, 3, 3, 3)],
        [(1, 8, 6, 3)],
        STRIDE_1 | {"depthMultiplier": 1},
        "weights 2x3x3x3 do not fit",
    ),
    ("FULLY_CONNECTED", [(1, 10), int8(4, 3)], [(1, 4)], {}, "weights 4x3 do not fit the input 1x10"),
    ("FULLY_CONNECTED", [(1, 9), int8(4, 3)], [(1, 4)], {}, "is 1x4, expected 3x4"),
    ("FULLY_CONNECTED", [(1, 2, 3), int8(4, 6)], [(1, 4)], {"keepNumDims": True}, "weights 4x6 do not fit"),
    ("FULLY_CONNECTED", [(1, 3), int8(4, 3)], [(1, 4)], {"weightsFormat": 1}, "shuffled weights are not supported"),
    ("ADD", [(1, 4), (1, 5)], [(1, 5)], {}, "1x4 and 1x5 do not broadcast"),
    ("MUL", [(1, 4), (1, 1)], [(1, 1)], {}, "is 1x1, expected 1x4"),
    ("SUB", [(1, 4)], [(1, 4)], {}, "1 inputs, expected 2"),
    ("ADD", [(1, 4), int32(1)], [(1, 4)], {}, "mixes INT32 and INT8"),
    ("MAX_POOL_2D", [IMAGE], [(1, 4, 3, 2)], POOL, "is 1x4x3x2, expected 1x4x3x3"),
    ("AVERAGE_POOL_2D", [IMAGE], [(1, 4, 2, 3)], POOL, "is 1x4x2x3, expected 1x4x3x3"),
    ("MEAN", [IMAGE, int32(1, 4)], [(1, 3)], {}, "axis 4 of a tensor with 4 dimensions"),
    ("MEAN", [IMAGE, int32(1, 2)], [(1, 3)], {"keepDims": True}, "is 1x3, expected 1x1x1x3"),
    ("MEAN", [IMAGE, (2,)], [(1, 3)], {}, "tensor 1 (t1) is computed, but must be a constant"),
    ("MEAN", [IMAGE, np.array([1, 2], np.int64)], [(1, 3)], {}, "tensor 1 (t1) is INT64, expected INT32"),
    ("MEAN", [IMAGE, int32(*[1] * 17)], [(1, 3)], {}, "has 17 values for at most 6 dimensions"),
    ("RESHAPE", [IMAGE, int32(1, 100)], [(1, 100)], {}, "cannot turn 1x8x6x3 into 1x100"),
    ("SQUEEZE", [IMAGE], [(1, 6, 8, 3)], {}, "cannot turn 1x8x6x3 into 1x6x8x3"),
    ("EXPAND_DIMS", [(1, 4), int32(5)], [(1, 4, 1)], {}, "axis 5 of a tensor with 3 dimensions"),
    ("SOFTMAX", [(1, 4)], [(1, 5)], {"beta": 1.0}, "is 1x5, expected 1x4"),
    ("SOFTMAX", [(1, 4)], [(1, 4)], {"beta": 0.0}, "beta is 0.0, not positive"),
    ("LEAKY_RELU", [(1, 4)], [(1, 4)], {"alpha": float("nan")}, "alpha is nan"),
    ("LOGISTIC", [(1, 4), (1, 4)], [(1, 4)], {}, "2 inputs, expected 1"),
    ("QUANTIZE", [(1, 4)], [(4, 1)], {}, "is 4x1, expected 1x4"),
    ("PAD", [(1, 4), np.array([[0, 0]], np.int32)], [(1, 4)], {}, "paddings [0, 0] do not fit 1x4"),
    ("PAD", [(1, 4), np.array([[0, 0], [-1, 0]], np.int32)], [(1, 3)], {}, "paddings [0, 0, -1, 0] do not fit 1x4"),
    ("PAD", [(1, 4), np.array([[0, 0], [1, 2]], np.int32)], [(1, 6)], {}, "is 1x6, expected 1x7"),
    ("PADV2", [(1, 4), np.array([[0, 0], [1, 2]], np.int32), int8(1)], [(1, 6)], {}, "is 1x6, expected 1x7"),
    ("CONCATENATION", [(1, 4), (1, 5)], [(1, 8)], {"axis": 1}, "is 1x8, expected 1x9"),
    ("CONCATENATION", [(1, 4), (1, 5)], [(1, 9)], {"axis": 2}, "axis 2 of a tensor with 2 dimensions"),
    ("CONCATENATION", [(1, 4), (1, 5, 1)], [(1, 9)], {"axis": 1}, "1x5x1 does not join 1x4 along axis 1"),
    ("TRANSPOSE", [IMAGE, int32(0, 1, 2, 2)], [IMAGE], {}, "[0, 1, 2, 2] is not a permutation of 4 dimensions"),
    ("TRANSPOSE", [IMAGE, int32(0, 2, 1, 3)], [IMAGE], {}, "is 1x8x6x3, expected 1x6x8x3"),
    ("STRIDED_SLICE", [(1, 9), int32(0, 0), int32(1, 9), int32(1, 0)], [(1, 9)], {}, "a stride is 0"),
    ("STRIDED_SLICE", [(1, 9), int32(0, 0), int32(1, 9), int32(1, 2)], [(1, 4)], {}, "is 1x4, expected 1x5"),
    ("STRIDED_SLICE", [(1, 9), int32(0), int32(1, 9), int32(1, 2)], [(1, 4)], {}, "1 begins, 2 ends and 2 strides"),
    ("STRIDED_SLICE", [(1, 9), int32(0), int32(1), int32(1)], [(1, 9)], {}, "1 begins for 1x9"),
    (
        "STRIDED_SLICE",
        [(1, 9), int32(0, 9), int32(1, 9), int32(1, 1)],
        [(1,)],
        {"shrinkAxisMask": 2},
        "index 9 of a dimension of 9",
    ),
    ("RESIZE_NEAREST_NEIGHBOR", [IMAGE, int32(4, 4)], [(1, 4, 5, 3)], {}, "is 1x4x5x3, expected 1x4x4x3"),
    ("RESIZE_NEAREST_NEIGHBOR", [IMAGE, int32(4)], [(1, 4, 4, 3)], {}, "1 sizes, expected height and width"),
    ("SLICE", [(1, 9), int32(0, 4), int32(1, -1)], [(1, 4)], {}, "is 1x4, expected 1x5"),
    ("SLICE", [(1, 9), int32(0, -1), int32(1, 1)], [(1, 1)], {}, "begins [0, -1] and sizes [1, 1] do not fit 1x9"),
    ("SLICE", [(1, 9), int32(0, 4), int32(1, 6)], [(1, 6)], {}, "begins [0, 4] and sizes [1, 6] do not fit 1x9"),
    ("SLICE", [(1, 9), int32(0, 10), int32(1, -1)], [(1, 1)], {}, "begins [0, 10] and sizes [1, -1] do not fit 1x9"),
    ("SLICE", [(1, 9), int32(0, 4), int32(1, -2)], [(1, 1)], {}, "begins [0, 4] and sizes [1, -2] do not fit 1x9"),
    ("SLICE", [(1, 9), int32(4), int32(5)], [(1, 5)], {}, "1 begins and 1 sizes for 1x9"),
    ("SLICE", [(1, 9), int32(0, 4)], [(1, 5)], {}, "2 inputs, expected 3"),
    ("SPLIT_V", [(1, 9), int32(4, 5), int32(1)], [(1, 5), (1, 4)], {}, "is 1x5, expected 1x4"),
    ("SPLIT_V", [(1, 9), int32(4, -1), int32(-1)], [(1, 4), (1, 4)], {}, "is 1x4, expected 1x5"),
    ("SPLIT_V", [(1, 9), int32(4, 4), int32(1)], [(1, 4), (1, 4)], {}, "1x9 into parts of [4, 4] along [1]"),
    ("SPLIT_V", [(1, 9), int32(-1, -1), int32(1)], [(1, 4), (1, 5)], {}, "1x9 into parts of [-1, -1] along [1]"),
    ("SPLIT_V", [(1, 9), int32(4, 5), int32(0, 1)], [(1, 4), (1, 5)], {}, "1x9 into parts of [4, 5] along [0, 1]"),
    ("SPLIT_V", [(1, 9), int32(4, 5), int32(2)], [(1, 4), (1, 5)], {}, "axis 2 of a tensor with 2 dimensions"),
    ("SPLIT_V", [(1, 9), int32(4, 5), int32(1)], [(1, 9)], {}, "2 sizes for 1 outputs"),
    ("SPLIT_V", [(1, 9), int32(4, 5)], [(1, 4), (1, 5)], {}, "2 inputs, expected 3"),
    ("SPLIT", [int32(1), (1, 9)], [(1, 3), (1, 3)], {"numSplits": 3}, "1x9 into 3 parts along [1], 2 outputs"),
    ("SPLIT", [int32(1), (1, 9)], [(1, 4), (1, 5)], {"numSplits": 2}, "1x9 into 2 parts along [1]"),
    ("SPLIT", [int32(1), (1, 8)], [(1, 4), (1, 5)], {"numSplits": 2}, "is 1x5, expected 1x4"),
    ("SPLIT", [int32(1), (1, 8)], [(1, 8)], {"numSplits": 0}, "1x8 into 0 parts"),
    ("TRANSPOSE_CONV", [UP, int8(4, 3, 3, 2), IMAGE], [(1, 16, 12, 4)], STRIDE_2, "do not fit 3 input channels"),
    ("TRANSPOSE_CONV", [UP, int8(4, 3, 3, 3), IMAGE], [(1, 17, 12, 4)], STRIDE_2, "1x8x6x3 does not become 1x17x12x4"),
    ("TRANSPOSE_CONV", [UP, int8(5, 3, 3, 3), IMAGE], [(1, 16, 12, 4)], STRIDE_2, "is 1x16x12x4, expected 1x16x12x5"),
    ("TRANSPOSE_CONV", [UP, int8(4, 3, 3, 3), IMAGE], [(1, 15, 12, 4)], STRIDE_2, "is 1x15x12x4, expected 1x16x12x4"),
    ("BATCH_MATMUL", [(1, 2, 3), (1, 4, 5)], [(1, 2, 5)], {}, "1x2x3 times 1x4x5: 3 is not 4"),
    ("BATCH_MATMUL", [(1, 2, 3), (1, 5, 3)], [(1, 2, 3)], {"adjY": True}, "is 1x2x3, expected 1x2x5"),
    ("BATCH_MATMUL", [(1,), (1, 5)], [(1, 5)], {}, "1 times 1x5, expected matrices"),
    ("PRELU", [IMAGE, int8(1, 1, 2)], [IMAGE], {}, "1x8x6x3 and 1x1x2 do not broadcast"),
    ("PRELU", [(1, 4), int8(2, 4)], [(2, 4)], {}, "is 2x4, expected 1x4"),
    ("MAXIMUM", [(1, 4), (1, 1)], [(1, 1)], {}, "is 1x1, expected 1x4"),
    ("GREATER", [(1, 4), (1, 5)], [(1, 5)], {}, "1x4 and 1x5 do not broadcast"),
    ("REDUCE_MAX", [IMAGE, int32(1, 2)], [(1, 8)], {}, "is 1x8, expected 1x3"),
    ("ARG_MAX", [IMAGE, int32(3)], [(1, 8, 3)], {}, "is 1x8x3, expected 1x8x6"),
    ("ARG_MIN", [IMAGE, int32(1, 2)], [(1, 3)], {}, "2 axes, expected 1"),
    ("CAST", [(1, 4)], [(4, 1)], {}, "is 4x1, expected 1x4"),
    ("GATHER", [(1, 9), int32(1, 2)], [(1, 3)], {"axis": 1}, "is 1x3, expected 1x2"),
    ("GATHER", [(1, 9), int32(1, 2)], [(1, 2)], {"axis": 2}, "axis 2 of a tensor with 2 dimensions"),
    ("GATHER", [(1, 9), int32(1, 2)], [(1, 2)], {"axis": 1, "batchDims": 1}, "2 from 1x9 with 1 batch dimensions"),
    ("RESIZE_BILINEAR", [IMAGE, int32(4, 4)], [(1, 4, 5, 3)], {}, "is 1x4x5x3, expected 1x4x4x3"),
]


@pytest.mark.parametrize(("kind", "inputs", "outputs", "options", "message"), CASES)
def test_an_op_that_does_not_fit_is_refused_with_what_was_expected(kind, inputs, outputs, options, message):
    error = refusal(one_op(kind, inputs, outputs, **options))
    assert error.summary.startswith(f"op 0 {kind}: ")
    assert message in error.summary


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("PAD", [(1, 4), np.array([[0, 0], [1, 2]], np.int32)], [(1, 7)]),
        ("PADV2", [(1, 4), np.array([[0, 0], [1, 2]], np.int32), int8(1)], [(1, 7)]),
        ("SLICE", [(1, 9), int32(0, 4), int32(-1, 3)], [(1, 3)]),
        ("SPLIT_V", [(1, 9), int32(4, -1, 2), int32(-1)], [(1, 4), (1, 3), (1, 2)]),
        ("SPLIT_V", [(1, 20), int32(*[1] * 20), int32(1)], [(1, 1)] * 20),
        ("TRANSPOSE_CONV", [UP, int8(4, 3, 3, 3), IMAGE], [(1, 16, 12, 4)]),
        ("BATCH_MATMUL", [(1, 2, 3), (1, 3, 5)], [(1, 2, 5)]),
        ("PRELU", [IMAGE, int8(1, 1, 3)], [IMAGE]),
        ("MINIMUM", [(1, 4), (1, 1)], [(1, 4)]),
        ("ARG_MAX", [IMAGE, int32(-1)], [(1, 8, 6)]),
    ],
)
def test_an_op_whose_shapes_are_derived_may_depend_on_the_batch_size(kind, inputs, outputs):
    options = STRIDE_2 if kind == "TRANSPOSE_CONV" else {}
    graph = parse_model(one_op(kind, inputs, outputs, open_batch=True, **options), name="model.tflite")
    assert [graph.tensors[index].shape for index in graph.outputs] == outputs


def test_int8_without_a_scale_is_refused_where_it_is_computed_with():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4)), builder.tensor((1, 4), **Q)
    builder.op("RELU", [x], [y])
    message = "op 0 RELU: tensor 0 (t0) is INT8 without a scale and zero point"
    assert refusal(builder.finish(inputs=[x], outputs=[y])).summary == message


def test_activations_quantised_per_channel_are_refused():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 2), scale=[0.5, 0.25], axis=1), builder.tensor((1, 2), **Q)
    builder.op("RELU", [x], [y])
    assert "is quantised per channel, expected per tensor" in refusal(builder.finish(inputs=[x], outputs=[y])).summary


def test_weights_with_a_zero_point_that_kernels_ignore_are_refused():
    builder = ModelBuilder()
    x, y = builder.tensor(IMAGE, **Q), builder.tensor((1, 8, 6, 4), **Q)
    weights = builder.constant(int8(4, 3, 3, 3), scale=0.5, zero_point=2)
    builder.op("CONV_2D", [x, weights], [y], **STRIDE_1)
    message = "op 0 CONV_2D: int8 weights tensor 2 (t2) have a zero point other than 0"
    assert refusal(builder.finish(inputs=[x], outputs=[y])).summary == message


def test_weights_quantised_along_another_axis_are_refused():
    builder = ModelBuilder()
    x, y = builder.tensor(IMAGE, **Q), builder.tensor((1, 8, 6, 3), **Q)
    weights = builder.constant(int8(3, 3, 3, 3), scale=[0.5, 0.25, 0.125], axis=3)
    builder.op("CONV_2D", [x, weights], [y], **STRIDE_1)
    assert "weights are quantised along axis 3, expected 0" in refusal(builder.finish(inputs=[x], outputs=[y])).summary


def shaped(position: int, *shape: int):
    """Gives another shape to what an op has at an input position; the data stay."""

    def damage(builder: ModelBuilder) -> None:
        index = builder.graph.operators[0].inputs[position]
        builder.graph.tensors[index].shape = list(shape)

    return damage


def fixed(position: int):
    """Takes from a state that it is one."""

    def damage(builder: ModelBuilder) -> None:
        index = builder.graph.operators[0].inputs[position]
        builder.graph.tensors[index].isVariable = False
        builder.graph.inputs = [*builder.graph.inputs, index]

    return damage


def without_inputs(count: int):
    def damage(builder: ModelBuilder) -> None:
        op = builder.graph.operators[0]
        op.inputs = op.inputs[: len(op.inputs) - count]

    return damage


STATEFUL_CASES = [
    (lstm_model(), without_inputs(4), "20 inputs, expected 24"),
    (lstm_model(), shaped(0, 1, 8), "input tensor 0 (x) is 1x8, expected 3 dimensions"),
    (lstm_model(), shaped(0, 1, 4, 2), "tensor 2 (t2) is 8x4, expected 8x2"),
    (lstm_model(), shaped(6, 4, 16), "tensor 7 (t7) is 4x16, expected 8x8"),
    (lstm_model(), shaped(13, 1, 8), "tensor 11 (t11) is 1x8, expected 8"),
    (lstm_model(), shaped(19, 1, 7), "tensor 15 (t15) has 7 elements, expected 8"),
    (lstm_model(), fixed(18), "tensor 14 (t14) is not a variable, which a state has to be"),
    (svdf_model(), shaped(1, 6, 8), "tensor 2 (t2) is 6x8, expected 6x6"),
    (svdf_model(), shaped(2, 4, 6), "tensor 3 (t3) is 4x6, expected 8x6"),
    (svdf_model(), shaped(4, 1, 23), "tensor 5 (t5) is 1x23, expected 1x24"),
    (svdf_model(), fixed(4), "tensor 5 (t5) is not a variable"),
]


@pytest.mark.parametrize(("model", "damage", "message"), STATEFUL_CASES)
def test_an_op_with_a_state_that_does_not_fit_is_refused(model, damage, message):
    builder = opened(model)
    damage(builder)
    assert message in refusal(builder.finish(inputs=builder.graph.inputs, outputs=builder.graph.outputs)).summary
