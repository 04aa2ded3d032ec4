"""Float and dynamic-range models are told apart, and named tensor by tensor."""

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinydeploy.errors import ModelError
from tinydeploy.model.integer import require_integer
from tinydeploy.model.reader import parse_model, read_model


def dense(weights_dtype: type, activations: str) -> bytes:
    builder = ModelBuilder()
    scale = {} if activations == "FLOAT32" else {"scale": 0.5}
    x, y = builder.tensor((1, 3), activations, **scale), builder.tensor((1, 2), activations, **scale)
    weights = builder.constant(np.ones((2, 3), weights_dtype), scale=0.5)
    builder.op("FULLY_CONNECTED", [x, weights], [y])
    return builder.finish(inputs=[x], outputs=[y])


def refusal(data: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        require_integer(parse_model(data, name="dense.tflite"))
    assert caught.value.exit_code == 3
    assert caught.value.hint.startswith("convert it to full int8 first")
    return caught.value


def test_an_int8_model_passes():
    require_integer(parse_model(dense(np.int8, "INT8"), name="dense.tflite"))


def test_a_float_model_is_named_with_its_tensors():
    error = refusal(dense(np.float32, "FLOAT32"))
    assert error.summary == "dense.tflite is a float model: float tensors where ops compute (3 of 3)"
    assert error.where["floats"].splitlines() == [
        "tensor 0 (t0) 1x3 FLOAT32, op 0 FULLY_CONNECTED",
        "tensor 2 (t2) 2x3 FLOAT32, op 0 FULLY_CONNECTED",
        "tensor 1 (t1) 1x2 FLOAT32, op 0 FULLY_CONNECTED",
    ]


def test_a_dynamic_range_model_is_named_with_its_float_activations():
    error = refusal(dense(np.int8, "FLOAT32"))
    expected = "dense.tflite is a dynamic-range model: int8 weights, but float tensors where ops compute (2 of 3)"
    assert error.summary == expected
    assert "tensor 2" not in error.where["floats"]


def quantised_inside(extra_reader: bool) -> bytes:
    """float → QUANTIZE → int8 → DEQUANTIZE → float, and maybe a float RELU behind it."""
    builder = ModelBuilder()
    x, q = builder.tensor((1, 3), "FLOAT32"), builder.tensor((1, 3), scale=0.5)
    y, z = builder.tensor((1, 3), "FLOAT32"), builder.tensor((1, 3), "FLOAT32")
    builder.op("QUANTIZE", [x], [q])
    builder.op("DEQUANTIZE", [q], [y])
    if extra_reader:
        builder.op("RELU", [y], [z])
    return builder.finish(inputs=[x], outputs=[z if extra_reader else y])


def test_floats_at_the_ends_are_allowed():
    require_integer(parse_model(quantised_inside(extra_reader=False), name="x"))


def test_floats_in_the_middle_are_not():
    floats = refusal(quantised_inside(extra_reader=True)).where["floats"].splitlines()
    assert floats == ["tensor 2 (t2) 1x3 FLOAT32, op 1 DEQUANTIZE", "tensor 3 (t3) 1x3 FLOAT32, op 2 RELU"]


def test_long_lists_are_cut(model_file):
    with pytest.raises(ModelError) as caught:
        require_integer(read_model(model_file("resnet8_float.tflite")))
    rows = caught.value.where["floats"].splitlines()
    assert len(rows) == 7
    assert rows[-1].startswith("and ")


@pytest.mark.parametrize("name", ["kws", "vww", "resnet8", "ad01", "hello_world", "micro_speech"])
def test_the_public_int8_models_pass(model_file, name):
    require_integer(read_model(model_file(f"{name}_int8.tflite")))
