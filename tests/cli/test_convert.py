"""`tinydeploy convert` as its users have it, and what becomes of models that are not int8 yet elsewhere."""

import json
import os
import signal

import numpy as np
import pytest
from command_line import BOARD, DIGITS, facts
from extras import needs_matplotlib, needs_tensorflow
from small_models import small_model
from tflite_builder import ModelBuilder


def float_classifier() -> bytes:
    """Four inputs, three classes: the class is the number of the largest of the first three inputs."""
    builder = ModelBuilder()
    x, h = builder.tensor((1, 4), "FLOAT32", name="x"), builder.tensor((1, 3), "FLOAT32", name="logits")
    y = builder.tensor((1, 3), "FLOAT32", name="y")
    weights = builder.constant(np.array([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0]], np.float32))
    builder.op("FULLY_CONNECTED", [x, weights], [h])
    builder.op("SOFTMAX", [h], [y], beta=1.0)
    return builder.finish(inputs=[x], outputs=[y])


@pytest.fixture
def classifier(tool):
    """The float model, and 60 labelled samples of which it gets all right; one label in ten is wrong on purpose."""
    (tool.folder / "classifier.tflite").write_bytes(float_classifier())
    values = np.random.default_rng(0).uniform(-1, 1, (60, 4)).astype(np.float32)
    labels = values[:, :3].argmax(axis=1)
    np.savez(tool.folder / "data.npz", x=values, labels=labels)
    np.save(tool.folder / "unlabelled.npy", values)
    return tool


@needs_tensorflow
def test_a_float_model_becomes_int8_and_the_quality_is_told_to_people_and_programs(classifier):
    arguments = ("classifier.tflite", "-o", "int8.tflite", "--samples", "data.npz")
    finished = classifier("convert", *arguments, "--json", "out.json", "--min-accuracy", "0.9", "--min-sqnr", "20")
    assert finished.code == 0, finished.err
    assert finished.err == "read ...\nquantize ...\nmeasure ...\n"
    for told in (
        "from     float .tflite",
        "to       full int8",
        "48 to calibrate, 12 to measure",
        "accuracy    float 12/12",
    ):
        assert told in finished.out
    assert finished.out.rstrip().endswith("written to int8.tflite")
    report = json.loads((classifier.folder / "out.json").read_text())
    assert (report["ok"], report["output"], report["missed"]) == (True, "int8.tflite", [])
    assert report["bytes"] == (classifier.folder / "int8.tflite").stat().st_size
    assert report["inputs"][0]["type"] == "int8"
    assert report["calibration"]["samples"] == 48
    assert -1 <= report["calibration"]["ranges"][0]["low"] < -0.9
    assert report["quality"]["accuracy"] == {"samples": 12, "float_correct": 12, "integer_correct": 12}
    assert report["quality"]["outputs"][0]["sqnr_db"] > 20
    assert [layer["op"] for layer in report["quality"]["layers"]] == ["FULLY_CONNECTED", "SOFTMAX"]


@needs_tensorflow
def test_a_quality_below_the_limit_is_exit_code_1_and_writes_nothing(classifier):
    (classifier.folder / "int8.tflite").write_bytes(b"an earlier one")
    arguments = ("classifier.tflite", "-o", "int8.tflite", "--samples", "unlabelled.npy", "--min-sqnr", "90")
    finished = classifier("convert", *arguments, "--json", "-")
    assert finished.code == 1
    report = json.loads(finished.out)
    assert (report["ok"], report["output"]) == (False, None)
    (reason,) = report["missed"]
    assert reason.startswith("the SQNR of the outputs is ")
    assert reason.endswith(" dB, at least 90 dB is asked for")
    assert f"not good enough: nothing is written\n  {reason}\n" in finished.err
    assert (classifier.folder / "int8.tflite").read_bytes() == b"an earlier one"


@needs_tensorflow
@needs_matplotlib
def test_the_quality_by_layer_is_drawn(classifier):
    arguments = ("classifier.tflite", "-o", "int8.tflite", "--samples", "data.npz", "--picture", "layers.png")
    assert classifier("convert", *arguments).code == 0
    assert (classifier.folder / "layers.png").read_bytes().startswith(b"\x89PNG\r\n")


@needs_tensorflow
def test_noise_instead_of_samples_has_to_be_asked_for_and_marks_the_result(classifier):
    finished = classifier(
        "convert", "classifier.tflite", "-o", "int8.tflite", "--samples", "random", "--json", "out.json"
    )
    assert finished.code == 0, finished.err
    assert "warning  100 samples are random numbers" in finished.out
    assert json.loads((classifier.folder / "out.json").read_text())["calibration"]["random"] is True


@needs_tensorflow
def test_a_float_model_is_converted_on_its_way_to_the_board(classifier):
    arguments = ("classifier.tflite", "--board", BOARD, "--samples", "data.npz", "--json", "out.json")
    finished = classifier("flash", *arguments)
    assert finished.code == 0, finished.err
    report = json.loads((classifier.folder / "out.json").read_text())
    assert report["verification"]["exact"]
    assert report["verification"]["samples"] == 16 + 12
    assert report["model"]["path"] == "classifier.tflite"
    assert report["model"]["sha256"] == report["conversion"]["sha256"]
    assert "12/12" in finished.out or "12 of 12" in finished.out


@needs_tensorflow
def test_a_model_that_was_converted_on_its_way_is_verified_again_since_it_becomes_the_same_bytes(classifier):
    arguments = ("classifier.tflite", "--board", BOARD, "--samples", "data.npz", "--json", "-")
    kept = classifier("flash", *arguments, "--keep")
    assert kept.code == 0, kept.err
    device = json.loads(kept.out)["device"]
    try:
        verified = classifier("verify", *arguments, "--port", device["port"])
    finally:
        os.kill(device["pid"], signal.SIGTERM)
    assert verified.code == 0, verified.err
    assert json.loads(verified.out)["model"]["sha256"] == json.loads(kept.out)["model"]["sha256"]


def test_without_samples_a_float_model_is_refused_with_what_they_are_for(classifier):
    for verb in (("convert", "-o", "int8.tflite"), ("flash", "--board", BOARD), ("build", "--board", BOARD)):
        message = classifier.refuses(*verb, "classifier.tflite", code=2)
        assert message.startswith("error: classifier.tflite is to be quantised, which needs samples of its inputs\n")
        assert facts(message)["try"].startswith("give inputs of the kind that the device will see, a hundred or more")


def test_labels_without_samples_are_refused(classifier):
    message = classifier.refuses("convert", "classifier.tflite", "-o", "o.tflite", "--labels", "l.csv", code=2)
    assert message == "error: --labels are of samples, of which there are none\n  try  add --samples DATA\n"


@pytest.mark.parametrize("extra", [(), ("--samples", "random")])
def test_an_int8_model_is_passed_on_byte_for_byte(tool, extra):
    finished = tool("convert", DIGITS, "-o", "same.tflite", *extra)
    assert finished.code == 0, finished.err
    assert (tool.folder / "same.tflite").read_bytes() == DIGITS.read_bytes()
    assert "from     integer .tflite" in finished.out


def test_an_int8_model_with_float_ends_becomes_integer_at_its_ends_without_tensorflow_or_samples(tool):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 8), "FLOAT32", name="x"), builder.tensor((1, 8), "FLOAT32", name="y")
    q, r = builder.tensor((1, 8), scale=0.1), builder.tensor((1, 8), scale=0.1)
    builder.op("QUANTIZE", [x], [q])
    builder.op("RELU", [q], [r])
    builder.op("DEQUANTIZE", [r], [y])
    (tool.folder / "ends.tflite").write_bytes(builder.finish(inputs=[x], outputs=[y]))
    finished = tool("flash", "ends.tflite", "--board", BOARD, "--json", "out.json")
    assert finished.code == 0, finished.err
    assert "from     integer .tflite with float ends" in finished.out
    report = json.loads((tool.folder / "out.json").read_text())
    assert report["model"]["ops"] == {"RELU": 1}
    assert report["conversion"]["inputs"][0] == {
        "name": "x",
        "shape": [1, 8],
        "type": "int8",
        "scale": pytest.approx(0.1),
        "zero_point": 0,
    }


def test_the_source_is_never_replaced(tool):
    path = tool.folder / "small.tflite"
    path.write_bytes(small_model())
    message = tool.refuses("convert", path, "-o", "small.tflite", code=2)
    assert message == "error: small.tflite is the model itself\n  try  give another name: the source is kept\n"


def test_what_is_no_regular_file_is_told_at_once(tool):
    os.mkfifo(tool.folder / "pipe.tflite")
    message = tool.refuses("flash", "pipe.tflite", "--board", BOARD, code=2)
    assert message.startswith("error: pipe.tflite is not a regular file\n")


@needs_tensorflow
def test_noise_has_no_labels(classifier):
    (classifier.folder / "labels.csv").write_text("0\n")
    arguments = ("-o", "o.tflite", "--samples", "random", "--labels", "labels.csv")
    message = classifier.refuses("convert", "classifier.tflite", *arguments, code=2)
    assert message.startswith("error: noise has no labels\n")


def test_an_int8_model_cannot_become_int16x8(tool):
    message = tool.refuses("convert", DIGITS, "-o", "o.tflite", "--target", "int16x8", code=2)
    assert message == (
        "error: digits_int8.tflite is int8 already and cannot become int16x8\n"
        "  try  convert the float model that it was made from\n"
    )


def test_limits_for_a_model_that_was_integer_already_are_refused(tool):
    message = tool.refuses("convert", DIGITS, "-o", "o.tflite", "--min-sqnr", "20", code=2)
    assert message.startswith("error: there is no quality to hold against a limit: the model was integer already\n")
    assert not (tool.folder / "o.tflite").exists()


def test_an_int8_model_with_an_op_that_no_board_runs_is_refused(tool):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 8), scale=0.1), builder.tensor((1, 8), scale=0.1)
    builder.op("GELU", [x], [y])
    (tool.folder / "gelu.tflite").write_bytes(builder.finish(inputs=[x], outputs=[y]))
    message = tool.refuses("convert", "gelu.tflite", "-o", "o.tflite", code=3)
    assert "gelu.tflite cannot be made an integer model for microcontrollers: 1 of its 1 ops" in message
    assert "op 0 GELU: not in TensorFlow Lite Micro; use RELU, HARD_SWISH" in facts(message)["layers"]
    assert not (tool.folder / "o.tflite").exists()


def test_an_output_or_a_picture_that_cannot_be_written_is_told_before_the_work(tool):
    (tool.folder / "small.tflite").write_bytes(small_model())
    message = tool.refuses("convert", "small.tflite", "-o", "small.tflite/o.tflite", code=2)
    assert message.startswith("error: cannot write small.tflite/o.tflite: ")
    message = tool.refuses("convert", "small.tflite", "-o", "o.tflite", "--picture", "layers.gif", code=2)
    assert facts(message)["try"] == "name it layers.png or layers.svg"
    assert not (tool.folder / "o.tflite").exists()
