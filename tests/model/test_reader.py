"""What the reader gives, and what it says about files that are not models."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import random_graphs
from ai_edge_litert import schema_py_generated as schema
from pace import best_within, seconds
from stateful_models import lstm_model, svdf_model
from tflite_builder import ModelBuilder
from typed_models import typed_model

from tinydeploy.errors import ModelError, UsageError
from tinydeploy.model.graph import Activation, Conv2DOptions, DType, Padding
from tinydeploy.model.integer import require_integer
from tinydeploy.model.macs import graph_macs
from tinydeploy.model.reader import parse_model, read_model


def convolution() -> tuple[ModelBuilder, dict[str, int]]:
    """A builder with one CONV_2D, and its tensors by name."""
    builder = ModelBuilder()
    tensors = {
        "input": builder.tensor((1, 8, 6, 3), scale=0.5, zero_point=-3, name="image"),
        "weights": builder.constant(np.arange(108, dtype=np.int8).reshape(4, 3, 3, 3), scale=[0.1, 0.2, 0.3, 0.4]),
        "bias": builder.constant(np.array([1, 2, 3, -4], np.int32), scale=[0.05, 0.1, 0.15, 0.2]),
        "output": builder.tensor((1, 4, 3, 4), scale=2.0, zero_point=5, name="features"),
    }
    inputs = [tensors["input"], tensors["weights"], tensors["bias"]]
    options = {"padding": "SAME", "strideH": 2, "strideW": 2, "fusedActivationFunction": "RELU6"}
    builder.op("CONV_2D", inputs, [tensors["output"]], **options)
    return builder, tensors


def finished(builder: ModelBuilder, tensors: dict[str, int]) -> bytes:
    return builder.finish(inputs=[tensors["input"]], outputs=[tensors["output"]])


def refusal(data: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        parse_model(data, name="person.tflite")
    assert caught.value.exit_code == 3
    assert caught.value.where["model"] == "person.tflite"
    return caught.value


def test_a_convolution_is_read_with_its_options_constants_and_quantisation():
    data = finished(*convolution())
    graph = parse_model(data, name="person.tflite")
    assert (graph.name, graph.source) == ("person.tflite", data)
    assert graph.sha256 == hashlib.sha256(data).hexdigest()
    assert (graph.inputs, graph.outputs) == ((0,), (3,))
    (op,) = graph.ops
    assert str(op) == "op 0 CONV_2D"
    assert op.options == Conv2DOptions(
        padding=Padding.SAME, stride_h=2, stride_w=2, dilation_h=1, dilation_w=1, activation=Activation.RELU6
    )
    image, weights, bias, features = graph.tensors
    assert (image.name, image.shape, image.dtype, image.data) == ("image", (1, 8, 6, 3), DType.INT8, None)
    assert image.quantization is not None
    assert (image.quantization.scale, image.quantization.zero_point) == (0.5, -3)
    assert weights.quantization is not None
    assert weights.quantization.per_channel
    assert weights.quantization.scales[2] == np.float32(0.3)
    assert bias.data is not None
    assert bias.data.tolist() == [1, 2, 3, -4]
    assert features.shape == (1, 4, 3, 4)


def test_constants_are_read_only_views_into_the_files_bytes():
    data = finished(*convolution())
    weights = parse_model(data, name="x").tensors[1].data
    assert weights is not None
    assert weights.tolist() == np.arange(108).reshape(4, 3, 3, 3).tolist()
    assert not weights.flags.writeable
    address = weights.__array_interface__["data"][0]
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    assert start <= address < start + len(data)


@pytest.mark.parametrize("kind", random_graphs.KINDS)
def test_every_supported_kind_of_op_is_read(kind):
    for seed in range(10):
        graph = parse_model(random_graphs.random_op_model(kind, seed), name=kind)
        assert [op.kind for op in graph.ops] == [kind]


@pytest.mark.parametrize(
    ("name", "ops", "macs"),
    [
        ("kws_int8", 13, 2_656_768),
        ("vww_int8", 31, 7_489_664),
        ("resnet8_int8", 16, 12_501_632),
        ("ad01_int8", 10, 264_192),
        ("hello_world_int8", 3, 288),
        ("micro_speech_int8", 4, 336_000),
        ("kws_float", 13, 2_656_768),
    ],
)
def test_public_models_are_read(model_file, name, ops, macs):
    graph = read_model(model_file(f"{name}.tflite"))
    assert (len(graph.ops), graph_macs(graph)) == (ops, macs)


@pytest.mark.realtime
def test_a_model_of_333_kb_takes_less_than_50_ms(model_file):
    path = model_file("vww_int8.tflite")
    assert best_within(0.05, lambda _: seconds(lambda: read_model(path))) < 0.05


def test_custom_ops_keep_their_name_as_printable_text():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=1.0), builder.tensor((1, 4), scale=1.0)
    builder.op("My\x1b[31mOp", [x], [y])
    (op,) = parse_model(builder.finish(inputs=[x], outputs=[y]), name="x").ops
    assert (op.kind, op.is_custom, op.options) == ("My_[31mOp", True, None)


def test_a_custom_op_cannot_pass_for_a_builtin_one():
    builder, tensors = convolution()
    builder.model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    builder.model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    builder.model.operatorCodes[0].customCode = "CONV_2D"
    assert refusal(finished(builder, tensors)).summary == "a custom op is named like TensorFlow Lite's own CONV_2D"


def test_names_that_are_not_text_do_no_harm():
    builder, tensors = convolution()
    builder.graph.tensors[0].name = "\x1b]0;*/ evil \\"
    builder.graph.tensors[0].shape = [2, 8, 6, 3]
    error = refusal(finished(builder, tensors))
    assert error.summary == "input tensor 0 (_]0;_/ evil _) has batch size 2, not 1"
    assert "batch size 1" in error.hint


# Files that are not models


@pytest.mark.parametrize(
    ("content", "looks_like"),
    [
        (
            b"\x89HDF\r\n\x1a\n" + bytes(64),
            "person.h5 is not a TensorFlow Lite model (no TFL3 identifier; looks like HDF5 (Keras .h5)",
        ),
        (b"PK\x03\x04" + bytes(64), "looks like a zip archive (.keras, PyTorch or npz)"),
        (b"version https://git-lfs.github.com/spec/v1", "looks like a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "looks like a web page"),
        (b"\x08\x07\x12\x07pytorch", "looks like ONNX or another protocol buffer"),
        (b"alignas(16) const unsigned char g_model[] = {", "looks like C source"),
        (b"anything else at all", "(no TFL3 identifier in its 20 bytes)"),
        (b"abc", "(no TFL3 identifier in its 3 bytes)"),
    ],
)
def test_something_else_is_recognised(tmp_path, content, looks_like):
    path = tmp_path / "person.h5"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert caught.value.exit_code == 3
    assert caught.value.summary.startswith("person.h5 is not a TensorFlow Lite model (no TFL3 identifier")
    assert looks_like in caught.value.summary
    assert caught.value.where == {"model": "person.h5"}
    assert caught.value.hint


def test_an_empty_file_is_named_so(tmp_path):
    path = tmp_path / "empty.tflite"
    path.touch()
    with pytest.raises(ModelError, match=r"empty.tflite is empty \(0 bytes\)"):
        read_model(path)


def test_a_truncated_file_is_named_so():
    data = finished(*convolution())
    error = refusal(data[: len(data) // 2])
    assert "damaged or truncated" in error.summary
    assert error.hint == "copy or convert the model again"


def test_a_missing_file_is_a_usage_error_with_near_names(tmp_path):
    (tmp_path / "person_int8.tflite").touch()
    with pytest.raises(UsageError) as caught:
        read_model(tmp_path / "person_in8.tflite")
    assert caught.value.exit_code == 2
    assert caught.value.summary == f"no such file: {tmp_path / 'person_in8.tflite'}"
    assert caught.value.hint == "did you mean person_int8.tflite?"


def test_a_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such file") as caught:
        read_model(tmp_path / "nowhere" / "person.tflite")
    assert caught.value.hint == "check the path"


def test_a_folder_is_a_usage_error_that_names_the_models_in_it(tmp_path):
    (tmp_path / "a.tflite").touch()
    with pytest.raises(UsageError, match="is a folder, not a model file") as caught:
        read_model(tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "give a file in it: a.tflite"


def test_a_saved_model_is_recognised(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(UsageError, match="is a SavedModel folder") as caught:
        read_model(tmp_path)
    assert "convert it" in caught.value.hint


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(UsageError, match="is not a regular file"):
        read_model(tmp_path / "pipe.tflite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_a_usage_error(tmp_path):
    path = tmp_path / "secret.tflite"
    path.touch(mode=0)
    with pytest.raises(UsageError, match="permission denied"):
        read_model(path)


def test_a_file_beyond_any_model_is_not_read(tmp_path):
    path = tmp_path / "huge.tflite"
    with path.open("wb") as stream:
        stream.truncate(257 << 20)
    with pytest.raises(ModelError, match="too large for a model"):
        read_model(Path(path))


def test_the_axis_of_a_bias_is_its_only_one():
    builder, tensors = convolution()
    builder.graph.tensors[tensors["bias"]].quantization.quantizedDimension = 3  # as old converters wrote it
    assert parse_model(finished(builder, tensors), name="m").tensors[tensors["bias"]].quantization.axis == 0


def test_a_model_compiled_for_an_npu_is_named_as_such():
    builder = ModelBuilder()
    x, scratch, y = (builder.tensor((1, 4), scale=0.5) for _ in range(3))
    builder.op("ethos-u", [x, scratch], [y])
    error = refusal(builder.finish(inputs=[x], outputs=[y]))
    assert error.summary == "op 0 ethos-u runs on an Arm Ethos-U, which is not supported"
    assert error.hint == "give the .tflite that Vela made this one from"


def test_quantisation_parameters_of_an_lstms_gates_are_no_floats_that_it_computes_with():
    graph = parse_model(lstm_model(), name="lstm.tflite")
    (op,) = graph.ops
    types = [graph.tensors[index].dtype for index in op.intermediates]
    assert types == [DType.FLOAT32] * 4 + [DType.INT8]
    require_integer(graph)


def test_multiply_accumulates_of_ops_with_a_state():
    assert graph_macs(parse_model(lstm_model(), name="lstm")) == 2 * 4 * 8 * (4 + 8)  # steps, gates, units, weights
    assert graph_macs(parse_model(svdf_model(), name="svdf")) == 8 * (6 + 3)  # filters, features and memory


def test_multiply_accumulates_of_a_transposed_convolution_and_of_matrices():
    conv = parse_model(typed_model("TRANSPOSE_CONV", "INT8"), name="conv")
    assert graph_macs(conv) == 4 * 4 * 2 * (2 * 2 * 3)  # each input value meets every weight of its channel
    assert graph_macs(parse_model(typed_model("BATCH_MATMUL", "INT8"), name="matrices")) == 3 * 4 * 2
