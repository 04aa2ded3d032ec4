"""What the command line says about models that cannot be deployed."""

from itertools import pairwise

import numpy as np
from command_line import BOARD, DIGITS, facts
from tflite_builder import ModelBuilder

VERBS = (("inspect",), ("flash", "--board", BOARD))


def refused(tool, path, *, code, verb=VERBS[0]):
    message = tool.refuses(*verb, path, code=code)
    return message.splitlines()[0], facts(message)


def test_a_file_that_is_no_tflite_is_told_by_its_first_bytes(tool):
    (tool.folder / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    summary, rows = refused(tool, "cat.png", code=3)
    assert summary == "error: cat.png is not a TensorFlow Lite model (no TFL3 identifier in its 108 bytes)"
    assert rows["try"] == "give a .tflite file"


def test_a_truncated_model_is_called_so(tool):
    (tool.folder / "half.tflite").write_bytes(DIGITS.read_bytes()[:2000])
    summary, rows = refused(tool, "half.tflite", code=3)
    assert "damaged or truncated" in summary
    assert rows == {"model": "half.tflite", "try": "copy or convert the model again"}


def test_an_empty_file_is_called_so(tool):
    (tool.folder / "empty.tflite").touch()
    summary, rows = refused(tool, "empty.tflite", code=3)
    assert summary == "error: empty.tflite is empty (0 bytes)"
    assert rows["try"] == "copy or convert the model again"


def test_a_folder_is_called_so(tool):
    (tool.folder / "models").mkdir()
    summary, rows = refused(tool, "models", code=2)
    assert summary == "error: models is a folder, not a model file"
    assert rows == {"try": "give a .tflite file"}


def test_a_missing_file_is_answered_with_near_names(tool):
    for name in ("digits_int8.tflite", "unrelated.tflite"):
        (tool.folder / name).touch()
    summary, rows = refused(tool, "digit_int8.tflite", code=2)
    assert summary == "error: no such file: digit_int8.tflite"
    assert rows["try"].startswith("did you mean digits_int8.tflite")


def test_a_missing_folder_is_answered_too(tool):
    summary, rows = refused(tool, "nowhere/model.tflite", code=2)
    assert summary == "error: no such file: nowhere/model.tflite"
    assert rows == {"try": "check the path"}


def test_a_float_model_lists_its_tensors_and_is_to_be_converted_first(tool):
    builder = ModelBuilder()
    x = builder.tensor((1, 4), "FLOAT32", name="image")
    y = builder.tensor((1, 3), "FLOAT32", name="scores")
    weights = builder.constant(np.ones((3, 4), np.float32), name="dense/kernel")
    builder.op("FULLY_CONNECTED", [x, weights], [y])
    (tool.folder / "float.tflite").write_bytes(builder.finish(inputs=[x], outputs=[y]))
    summary, rows = refused(tool, "float.tflite", code=3)
    assert summary == "error: float.tflite is a float model: float tensors where ops compute (3 of 3)"
    assert rows["floats"].splitlines() == [
        "tensor 0 (image) 1x4 FLOAT32, op 0 FULLY_CONNECTED",
        "tensor 2 (dense/kernel) 3x4 FLOAT32, op 0 FULLY_CONNECTED",
        "tensor 1 (scores) 1x3 FLOAT32, op 0 FULLY_CONNECTED",
    ]
    assert rows["try"].startswith("convert it to full int8 first")


def test_a_dynamic_range_model_is_told_from_a_float_model(tool):
    builder = ModelBuilder()
    x = builder.tensor((1, 4), "FLOAT32", name="image")
    y = builder.tensor((1, 3), "FLOAT32", name="scores")
    weights = builder.constant(np.ones((3, 4), np.int8), name="dense/kernel", scale=0.1)
    builder.op("FULLY_CONNECTED", [x, weights], [y])
    (tool.folder / "dynamic.tflite").write_bytes(builder.finish(inputs=[x], outputs=[y]))
    summary, rows = refused(tool, "dynamic.tflite", code=3)
    assert summary.startswith("error: dynamic.tflite is a dynamic-range model: int8 weights, but float tensors")
    assert rows["floats"].splitlines() == [
        "tensor 0 (image) 1x4 FLOAT32, op 0 FULLY_CONNECTED",
        "tensor 1 (scores) 1x3 FLOAT32, op 0 FULLY_CONNECTED",
    ]
    assert rows["try"].startswith("convert it to full int8 first")


def test_every_op_that_is_not_supported_is_listed_with_index_and_reason(tool):
    builder = ModelBuilder()
    tensors = [builder.tensor((1, 4), scale=0.1, name=f"t{index}") for index in range(4)]
    for kind, (source, target) in zip(("GELU", "RELU", "MyDetector"), pairwise(tensors), strict=True):
        builder.op(kind, [source], [target])
    (tool.folder / "exotic.tflite").write_bytes(builder.finish(inputs=tensors[:1], outputs=tensors[-1:]))
    summary, rows = refused(tool, "exotic.tflite", code=3, verb=("inspect", "--engine", "aot"))
    assert summary == ("error: exotic.tflite cannot be compiled: 2 of its ops, inputs and outputs are not supported")
    assert rows["reasons"].splitlines() == [
        "op 0 GELU: not supported by the aot engine",
        "op 2 MyDetector: not supported by the aot engine",
    ]
    assert rows["try"].startswith("change these in the model")
