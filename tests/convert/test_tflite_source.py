"""What kinds of .tflite there are, and how each becomes one that can be quantised, or is integer at its ends."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_builder import ModelBuilder

from tinydeploy.convert.precision import Precision, precision_of
from tinydeploy.convert.tflite import float_tflite, with_integer_ends
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import DType, Graph
from tinydeploy.model.reader import parse_model
from tinydeploy.samples.samples import Samples
from tinydeploy.verify.oracle import reference_outputs

NAME = "model.tflite"
WEIGHTS = np.array([[1, -2, 3, -4], [127, 0, -127, 64], [5, 6, 7, 8]], np.int8)


def graph_of(data: bytes) -> Graph:
    return parse_model(data, name=NAME)


def run(model: bytes, *inputs: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def dense(weights: np.ndarray, **quantization: object) -> bytes:
    """A fully connected layer between floats whose weights are stored as given."""
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32", name="x"), builder.tensor((1, 3), "FLOAT32", name="y")
    builder.op("FULLY_CONNECTED", [x, builder.constant(weights, name="w", **quantization)], [y])
    return builder.finish(inputs=[x], outputs=[y])


def with_dequantized_weights(weights: np.ndarray, dtype: str, **quantization: object) -> bytes:
    """The same, with a DEQUANTIZE between the stored weights and the layer, as converters write float16."""
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32", name="x"), builder.tensor((1, 3), "FLOAT32", name="y")
    stored = builder.constant(weights.view(np.int16) if dtype == "FLOAT16" else weights, name="stored", **quantization)
    builder.graph.tensors[stored].type = {"FLOAT16": 1, "INT8": 9}[dtype]
    w = builder.tensor((3, 4), "FLOAT32", name="w")
    builder.op("DEQUANTIZE", [stored], [w])
    builder.op("FULLY_CONNECTED", [x, w], [y])
    return builder.finish(inputs=[x], outputs=[y])


def float_ends(*, second: tuple[float, int] | None = None) -> bytes:
    """QUANTIZE, RELU, DEQUANTIZE; with ``second``, the input is quantised once more with that scale and zero point."""
    builder = ModelBuilder()
    x, y = builder.tensor((1, 8), "FLOAT32", name="audio"), builder.tensor((1, 8), "FLOAT32", name="score")
    q, r = builder.tensor((1, 8), scale=0.1, zero_point=3), builder.tensor((1, 8), scale=0.1, zero_point=3)
    builder.op("QUANTIZE", [x], [q])
    if second is None:
        builder.op("RELU", [q], [r])
    else:
        other = builder.tensor((1, 8), scale=second[0], zero_point=second[1])
        builder.op("QUANTIZE", [x], [other])
        builder.op("ADD", [q, other], [r])
    builder.op("DEQUANTIZE", [r], [y])
    return builder.finish(inputs=[x], outputs=[y])


def integer_model() -> bytes:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 8), scale=0.1), builder.tensor((1, 8), scale=0.1)
    builder.op("RELU", [x], [y])
    return builder.finish(inputs=[x], outputs=[y])


def batched(signature: tuple[int, ...], shape: tuple[int, ...] = (1, 2, 6)) -> bytes:
    """What Keras makes of a Flatten where the batch is open: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    builder = ModelBuilder()
    ints = lambda *values: builder.constant(np.array(values, np.int32))  # noqa: E731
    x = builder.tensor(shape, "FLOAT32", name="x", signature=signature)
    size = builder.tensor((3,), "INT32")
    builder.op("SHAPE", [x], [size], outType=2)
    first = builder.tensor((), "INT32")
    builder.op("STRIDED_SLICE", [size, ints(0), ints(1), ints(1)], [first], shrinkAxisMask=1)
    packed = builder.tensor((2,), "INT32")
    builder.op("PACK", [first, builder.constant(np.int32(12))], [packed], valuesCount=2)
    flat = builder.tensor((shape[0], 12), "FLOAT32", name="flat", signature=(signature[0], 12))
    builder.op("RESHAPE", [x, packed], [flat])
    y = builder.tensor((shape[0], 12), "FLOAT32", name="y", signature=(signature[0], 12))
    builder.op("RELU", [flat], [y])
    return builder.finish(inputs=[x], outputs=[y])


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        (integer_model(), Precision.INTEGER),
        (float_ends(), Precision.FLOAT_ENDS),
        (dense(WEIGHTS.astype(np.float32)), Precision.FLOAT),
        (with_dequantized_weights(WEIGHTS.astype(np.float16), "FLOAT16"), Precision.FLOAT),
        (dense(WEIGHTS, scale=0.5), Precision.DYNAMIC_RANGE),
    ],
    ids=["integer", "float ends", "float", "float16 weights", "dynamic range"],
)
def test_what_a_file_computes_with_is_told_from_its_tensors(model, precision):
    assert precision_of(model, NAME) is precision


def test_a_file_that_is_no_tflite_is_refused_with_its_name():
    with pytest.raises(ModelError) as caught:
        precision_of(b"\x89HDF\r\n\x1a\n" + bytes(40), NAME)
    assert "is not a TensorFlow Lite model" in caught.value.summary
    assert caught.value.where["model"] == NAME


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (dense(WEIGHTS, scale=0.5), WEIGHTS * 0.5),
        (dense(WEIGHTS, scale=0.5, zero_point=-1), (WEIGHTS + 1.0) * 0.5),
        (dense(WEIGHTS, scale=[0.5, 0.25, 2.0], zero_point=[0, 0, 0]), WEIGHTS * np.array([[0.5], [0.25], [2.0]])),
        (with_dequantized_weights(WEIGHTS.astype(np.float16), "FLOAT16"), WEIGHTS),
        (with_dequantized_weights(WEIGHTS, "INT8", scale=0.5), WEIGHTS * 0.5),
    ],
    ids=["per tensor", "zero point", "per channel", "float16", "explicit DEQUANTIZE"],
)
def test_stored_weights_become_the_floats_that_they_stand_for(model, expected):
    converted = float_tflite(model, NAME).data
    graph = graph_of(converted)
    (op,) = graph.ops
    weights = graph.tensors[op.inputs[1]]
    assert weights.dtype is DType.FLOAT32
    np.testing.assert_array_equal(weights.data, np.asarray(expected, np.float32))
    x = np.array([[1, 2, 3, 4]], np.float32)
    np.testing.assert_allclose(run(converted, x), x @ np.asarray(expected, np.float32).T, rtol=1e-6)


def test_weights_that_are_stored_sparsely_are_refused_by_name():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32"), builder.tensor((1, 3), "FLOAT32")
    w = builder.constant(WEIGHTS, name="dense/kernel", scale=0.5)
    builder.op("FULLY_CONNECTED", [x, w], [y])
    from ai_edge_litert import schema_py_generated as schema

    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = [0, 1], [], []
    builder.graph.tensors[w].sparsity = sparsity
    with pytest.raises(ModelError) as caught:
        float_tflite(builder.finish(inputs=[x], outputs=[y]), NAME)
    assert "sparse" in caught.value.summary


def test_an_open_batch_becomes_1_and_what_only_depends_on_shapes_a_constant():
    converted = float_tflite(batched((-1, 2, 6)), NAME)
    graph = graph_of(converted.data)
    assert [op.kind for op in graph.ops] == ["RESHAPE", "RELU"]
    assert graph.tensors[graph.inputs[0]].shape == (1, 2, 6)
    assert graph.tensors[graph.ops[0].inputs[1]].data.tolist() == [1, 12]
    assert converted.permutations == (None,)
    assert converted.agreement_db is None
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(1, 2, 6)
    np.testing.assert_array_equal(run(converted.data, x), np.maximum(x, 0).reshape(1, 12))


def test_a_batch_of_8_becomes_1():
    graph = graph_of(float_tflite(batched((8, 2, 6), (8, 2, 6)), NAME).data)
    assert graph.tensors[graph.inputs[0]].shape == (1, 2, 6)
    assert graph.tensors[graph.outputs[0]].shape == (1, 12)


@pytest.mark.parametrize(("shape", "output"), [((8,), (8,)), ((), (1, 1))])
def test_a_first_dimension_that_is_no_batch_stays(shape, output):
    builder = ModelBuilder()
    x, y = builder.tensor(shape, "FLOAT32", name="x"), builder.tensor(output, "FLOAT32", name="y")
    builder.op("RESHAPE", [x, builder.constant(np.array(output, np.int32))], [y])
    graph = graph_of(float_tflite(builder.finish(inputs=[x], outputs=[y]), NAME).data)
    assert graph.tensors[graph.inputs[0]].shape == shape
    assert graph.tensors[graph.outputs[0]].shape == output


def test_an_output_that_does_not_follow_the_batch_is_refused():
    builder = ModelBuilder()
    x, y = builder.tensor((8, 4), "FLOAT32", name="x"), builder.tensor((8, 4), "FLOAT32", name="y")
    builder.op("MUL", [x, builder.constant(np.ones((8, 4), np.float32))], [y])
    with pytest.raises(ModelError) as caught:
        float_tflite(builder.finish(inputs=[x], outputs=[y]), NAME)
    assert caught.value.summary == "output y does not follow the batch: it is 8x4 for inputs with batch 1"


@pytest.mark.parametrize("convert", [float_tflite, with_integer_ends])
def test_a_damaged_file_is_an_error_like_any_other(convert):
    whole = bytearray(float_ends() if convert is with_integer_ends else dense(WEIGHTS, scale=0.5))
    draw = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for place in draw.integers(8, len(whole), 3):
            damaged[place] = draw.integers(256)
        try:
            convert(bytes(damaged), NAME)
        except ModelError:  # and nothing else
            refused += 1
    assert refused > 5


def test_another_open_dimension_is_refused_with_the_shape():
    with pytest.raises(ModelError) as caught:
        float_tflite(batched((-1, -1, 6)), NAME)
    assert caught.value.summary == "input x has dimensions of no fixed size: ?x?x6"
    assert caught.value.hint.startswith("fix them before converting")


def test_a_model_that_cannot_have_batch_1_is_refused_in_litert_s_words():
    builder = ModelBuilder()
    x = builder.tensor((4, 6), "FLOAT32", name="x", signature=(-1, 6))
    y = builder.tensor((2, 12), "FLOAT32", name="y")
    builder.op("RESHAPE", [x, builder.constant(np.array([2, 12], np.int32))], [y])
    with pytest.raises(ModelError) as caught:
        float_tflite(builder.finish(inputs=[x], outputs=[y]), NAME)
    assert caught.value.summary == "LiteRT does not accept the model (while setting the batch to 1)"
    assert "RESHAPE" in caught.value.where["says"]
    assert caught.value.hint == "export the model with batch 1 and fixed shapes"


def test_float_ends_become_integer_and_nothing_between_them_changes():
    before = float_ends()
    after = with_integer_ends(before, NAME)
    graph = graph_of(after)
    assert [op.kind for op in graph.ops] == ["RELU"]
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [(end.name, end.dtype, end.quantization.scale, end.quantization.zero_point) for end in ends] == [
        ("audio", DType.INT8, pytest.approx(0.1), 3),
        ("score", DType.INT8, pytest.approx(0.1), 3),
    ]
    x = np.linspace(-3, 3, 8, dtype=np.float32).reshape(1, 8)
    quantized = (np.round(x / np.float32(0.1)) + 3).astype(np.int8)
    (integer,) = reference_outputs(after, Samples(inputs=(quantized[np.newaxis],))).outputs
    (real,) = reference_outputs(before, Samples(inputs=(x[np.newaxis],))).outputs
    np.testing.assert_allclose((integer.astype(np.float32) - 3) * np.float32(0.1), real, rtol=1e-6)


def test_an_input_that_is_quantised_twice_in_the_same_way_is_one_integer_input():
    graph = graph_of(with_integer_ends(float_ends(second=(0.1, 3)), NAME))
    assert [op.kind for op in graph.ops] == ["ADD"]
    assert graph.ops[0].inputs == (graph.inputs[0], graph.inputs[0])


def test_an_input_that_is_quantised_in_two_ways_is_refused():
    with pytest.raises(ModelError) as caught:
        with_integer_ends(float_ends(second=(0.2, 0)), NAME)
    assert caught.value.summary == ("the float end audio cannot be made integer: it is quantised in two different ways")


def test_a_float_input_that_nothing_reads_is_refused():
    builder = ModelBuilder()
    unread, x = builder.tensor((1, 8), "FLOAT32", name="unread"), builder.tensor((1, 8), scale=0.1)
    r, y = builder.tensor((1, 8), scale=0.1), builder.tensor((1, 8), "FLOAT32")
    builder.op("RELU", [x], [r])
    builder.op("DEQUANTIZE", [r], [y])
    with pytest.raises(ModelError, match="the float end unread cannot be made integer: nothing reads it"):
        with_integer_ends(builder.finish(inputs=[unread, x], outputs=[y]), NAME)


def test_an_output_that_is_given_as_integer_and_as_float_is_refused():
    builder = ModelBuilder()
    x, r = builder.tensor((1, 8), scale=0.1), builder.tensor((1, 8), scale=0.1, name="r")
    y = builder.tensor((1, 8), "FLOAT32", name="y")
    builder.op("RELU", [x], [r])
    builder.op("DEQUANTIZE", [r], [y])
    with pytest.raises(ModelError, match="the float end y cannot be made integer: another output is the same tensor"):
        with_integer_ends(builder.finish(inputs=[x], outputs=[r, y]), NAME)
