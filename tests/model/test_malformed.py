"""Models that are whole flatbuffers, but make no sense: each gets its own message."""

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from test_reader import convolution, finished, refusal
from tflite_builder import ModelBuilder, opened

from tinydeploy.model.reader import parse_model

Damage = Callable[[ModelBuilder], None]


def tensor(index: int, **fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        for field, value in fields.items():
            setattr(builder.graph.tensors[index], field, value)

    return damage


def quantization(index: int, **fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        for field, value in fields.items():
            setattr(builder.graph.tensors[index].quantization, field, value)

    return damage


def op(**fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        for field, value in fields.items():
            setattr(builder.graph.operators[0], field, value)

    return damage


def options(**fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        for field, value in fields.items():
            setattr(builder.graph.operators[0].builtinOptions, field, value)

    return damage


def buffer(index: int, **fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        replaced = schema.BufferT()
        replaced.data = builder.model.buffers[index].data
        for field, value in fields.items():
            setattr(replaced, field, value)
        builder.model.buffers[index] = replaced

    return damage


def model(**fields: object) -> Damage:
    def damage(builder: ModelBuilder) -> None:
        for field, value in fields.items():
            setattr(builder.model, field, value)

    return damage


FLOATS = np.array([1, 1, 1, np.nan], np.float32)

# The tensors: 0 input 1x8x6x3, 1 weights 4x3x3x3 with 4 scales, 2 bias of 4, 3 output 1x4x3x4.
CASES: dict[str, tuple[Damage, str]] = {
    "schema version": (model(version=2), "schema version 2 is not supported, only 3"),
    "no graph": (model(subgraphs=[]), "the model has no graph"),
    "unknown op": (
        lambda builder: setattr(builder.model.operatorCodes[0], "builtinCode", 5000),
        "operator code 5000 is unknown",
    ),
    "op code index": (op(opcodeIndex=7), "op 0 cannot be read"),
    "no ops": (lambda builder: builder.graph.operators.clear(), "the model has no ops"),
    "dtype": (tensor(0, type=schema.TensorType.INT4), "tensor 0 (image) is INT4, which is not supported"),
    "unknown dtype": (tensor(0, type=99), "tensor 0 (image) is type 99"),
    "sparse": (tensor(1, sparsity=schema.SparsityParametersT()), "tensor 1 (t1) is sparse"),
    "external buffer": (tensor(1, externalBuffer=3), "tensor 1 (t1) keeps its data outside the flatbuffer"),
    "buffer past the flatbuffer": (buffer(1, offset=4096, size=108), "keeps its data outside the flatbuffer"),
    "options past the flatbuffer": (op(largeCustomOptionsOffset=4096), "keeps its options outside the flatbuffer"),
    "buffer index": (tensor(1, buffer=99), "tensor 1 cannot be read"),
    "rank": (tensor(0, shape=[1] * 7), "tensor 0 (image) has 7 dimensions, at most 6 are supported"),
    "dimension of 0": (tensor(0, shape=[1, 0, 6, 3]), "tensor 0 (image) has an unusable shape: 1x0x6x3"),
    "negative dimension": (tensor(0, shape=[1, -8, 6, 3]), "tensor 0 (image) has an unusable shape: 1x-8x6x3"),
    "huge tensor": (tensor(0, shape=[1, 65536, 65536, 3]), "tensor 0 (image) is too large"),
    "batch": (tensor(0, shape=[4, 8, 6, 3]), "input tensor 0 (image) has batch size 4, not 1"),
    "open size": (tensor(0, shapeSignature=[1, -1, 6, 3]), "has a shape that is not fixed: 1x?x6x3"),
    "open batch of 2": (tensor(3, shape=[2, 4, 3, 4], shapeSignature=[-1, 4, 3, 4]), "not fixed: ?x4x3x4"),
    "constant bytes": (
        tensor(1, shape=[4, 3, 3, 2]),
        "tensor 1 (t1) has 108 bytes of data, its shape 4x3x3x2 INT8 needs 72",
    ),
    "variable with data": (tensor(1, isVariable=True), "tensor 1 (t1) is a variable and a constant at once"),
    "zero points": (quantization(1, zeroPoint=[0, 0]), "tensor 1 (t1) has 4 scales, but 2 zero points"),
    "scale axis": (quantization(1, quantizedDimension=1), "has 4 scales along axis 1 of its shape 4x3x3x3"),
    "negative scale axis": (quantization(1, quantizedDimension=-4), "has 4 scales along axis -4"),
    "scale of NaN": (quantization(1, scale=FLOATS), "tensor 1 (t1) has a scale that is not a positive number"),
    "scale of 0": (quantization(0, scale=[0.0]), "tensor 0 (image) has a scale that is not a positive number"),
    "zero point range": (quantization(0, zeroPoint=[-129]), "has a zero point outside the range of INT8"),
    "custom quantisation": (
        quantization(
            1, details=schema.CustomQuantizationT(), detailsType=schema.QuantizationDetails.CustomQuantization
        ),
        "is quantised in blocks or by a custom scheme",
    ),
    "op input index": (op(inputs=[0, 1, 9]), "op 0 CONV_2D uses tensor 9, which is not one of the 4 tensors"),
    "negative op input": (op(inputs=[0, 1, -2]), "op 0 CONV_2D uses tensor -2"),
    "missing op output": (op(outputs=[-1]), "op 0 CONV_2D uses tensor -1"),
    "intermediate index": (op(intermediates=[4]), "op 0 CONV_2D uses tensor 4, which is not one of the 4 tensors"),
    "resource": (tensor(0, type=schema.TensorType.RESOURCE), "tensor 0 (image) is RESOURCE, which is not supported"),
    "no op output": (op(outputs=[]), "op 0 CONV_2D has no output"),
    "writes a constant": (op(outputs=[2]), "op 0 CONV_2D writes tensor 2 (t2), which is an input, a variable or"),
    "writes an input": (op(outputs=[0]), "op 0 CONV_2D writes tensor 0 (image), which is an input, a variable or"),
    "writes twice": (op(outputs=[3, 3]), "op 0 CONV_2D writes tensor 3 (features), which op 0 CONV_2D writes too"),
    "no options": (op(builtinOptions=None, builtinOptionsType=0), "op 0 CONV_2D has no Conv2DOptions"),
    "other options": (
        op(builtinOptions=schema.AddOptionsT(), builtinOptionsType=schema.BuiltinOptions.AddOptions),
        "op 0 CONV_2D has no Conv2DOptions",
    ),
    "padding": (options(padding=2), "op 0 CONV_2D: unknown padding 2"),
    "activation": (options(fusedActivationFunction=17), "op 0 CONV_2D: unknown fused activation 17"),
    "stride": (options(strideH=0), "op 0 CONV_2D: the vertical stride is 0, outside 1...4096"),
    "dilation": (options(dilationWFactor=-1), "op 0 CONV_2D: the horizontal dilation is -1, outside 1...4096"),
}


@pytest.mark.parametrize(("damage", "message"), CASES.values(), ids=CASES.keys())
def test_a_model_that_makes_no_sense_is_refused_with_the_reason(damage, message):
    builder, tensors = convolution()
    damage(builder)
    error = refusal(finished(builder, tensors))
    assert message in error.summary
    assert error.where["model"]
    assert error.hint, "every error has a next step"


def unused(builder: ModelBuilder, count: int, shape: tuple[int, ...]) -> None:
    builder.graph.tensors += [builder.graph.tensors[builder.tensor(shape)]] * count


@pytest.mark.parametrize(
    ("count", "shape", "message"),
    [
        (4000, (1, 8), "tensors, at most 4,000 are supported"),
        (2, (1, 3 << 20), "channels in all, at most 4,194,304 are supported; tensor 4 (t4) has 3,145,728"),
        (1, (1, 1 << 30), "channels in all, at most 4,194,304 are supported; tensor 4 (t4) has 1,073,741,824"),
    ],
)
def test_what_takes_memory_and_time_without_end_is_refused(count, shape, message):
    builder, tensors = convolution()
    unused(builder, count, shape)
    error = refusal(finished(builder, tensors))
    assert message in error.summary
    assert error.hint == "give a model for a microcontroller, or divide this one"


def test_more_ops_than_any_plan_is_made_for_are_refused():
    assert len(parse_model(chain(*long_way(1000)), name="x").ops) == 1000
    builder = opened(chain(*long_way(1001)))
    for op in builder.graph.operators:
        op.opcodeIndex = 0
    del builder.model.operatorCodes[1:]
    error = refusal(builder.finish(inputs=[0], outputs=[1001]))
    assert error.summary == "the model has 1,001 ops, at most 1,000 are supported"


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([], [3], "the model has no input"),
        ([0], [], "the model has no output"),
        ([0, 0], [3], "the model has the same input twice"),
        ([0], [3, 3], "the model has the same output twice"),
        ([-1], [3], "graph input -1 is not one of the 4 tensors"),
        ([0], [4], "graph output 4 is not one of the 4 tensors"),
        ([1], [3], "graph input tensor 1 (t1) is not an activation"),
        ([0], [0], "graph output tensor 0 (image) is not the output of any op"),
        ([0], [1], "graph output tensor 1 (t1) is not the output of any op"),
    ],
)
def test_graph_inputs_and_outputs_have_to_make_sense(inputs, outputs, message):
    builder, _ = convolution()
    assert message in refusal(builder.finish(inputs=inputs, outputs=outputs)).summary


def chain(*ops: tuple[int, int]) -> bytes:
    """RELUs between five tensors, or more; 0 is the input, the last one the output."""
    builder = ModelBuilder()
    last = max(4, *(target for _, target in ops))
    for _ in range(last + 1):
        builder.tensor((1, 4), scale=1.0)
    for source, target in ops:
        builder.op("RELU", [source], [target])
    return builder.finish(inputs=[0], outputs=[last])


def long_way(ops: int) -> list[tuple[int, int]]:
    return [(index, index + 1) for index in range(ops)]


def test_a_chain_in_order_is_read():
    assert len(parse_model(chain((0, 1), (1, 2), (2, 4)), name="x").ops) == 3


def test_a_cycle_is_refused():
    message = "op 0 RELU reads tensor 2 (t2), which op 1 RELU writes later: a cycle, or ops out of order"
    assert refusal(chain((2, 1), (1, 2), (0, 4))).summary == message


def test_an_op_that_reads_its_own_output_is_refused():
    assert "a cycle" in refusal(chain((1, 1), (0, 4))).summary


def test_an_op_that_reads_what_nothing_writes_is_refused():
    assert refusal(chain((3, 4))).summary == "op 0 RELU reads tensor 3 (t3), which nothing writes"


def test_control_flow_is_refused():
    builder = ModelBuilder()
    x, y = builder.tensor((1,), "BOOL"), builder.tensor((1, 4), scale=1.0)
    builder.op("IF", [x], [y])
    message = "op 0 IF runs another graph, which is not supported"
    assert refusal(builder.finish(inputs=[x], outputs=[y])).summary == message


def test_an_open_batch_is_taken_as_the_1_of_the_shape_where_the_op_confirms_it():
    builder, tensors = convolution()
    builder.graph.tensors[0].shapeSignature = [-1, 8, 6, 3]
    builder.graph.tensors[3].shapeSignature = [-1, 4, 3, 4]
    assert parse_model(finished(builder, tensors), name="x").tensors[0].shape == (1, 8, 6, 3)


def test_an_open_batch_behind_an_op_that_may_change_it_is_refused():
    builder = ModelBuilder()
    x = builder.tensor((1, 4, 4, 1), scale=1.0, signature=(-1, 4, 4, 1))
    y = builder.tensor((1, 2, 2, 1), scale=1.0, signature=(-1, 2, 2, 1))
    builder.op("SPACE_TO_BATCH_ND", [x], [y])
    error = refusal(builder.finish(inputs=[x], outputs=[y]))
    assert error.summary == "op 0 SPACE_TO_BATCH_ND has an output whose shape depends on the batch size"
    assert error.hint == "convert it with batch size 1, as in tf.keras.Input(shape, batch_size=1)"


def test_a_tensor_that_nothing_uses_may_be_empty():
    builder, tensors = convolution()
    builder.tensor((0,), "FLOAT32", name="intermediate")
    assert parse_model(finished(builder, tensors), name="x").tensors[4].elements == 0
