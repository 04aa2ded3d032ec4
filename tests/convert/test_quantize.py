"""Quantisation by TensorFlow's own quantiser, which runs in a process of its own."""

import importlib.util

import numpy as np
import pytest
from extras import needs_tensorflow
from tflite_builder import ModelBuilder

from tinydeploy.convert.audit import audit
from tinydeploy.convert.quantize import QuantizationSettings, quantize, require_quantizer
from tinydeploy.errors import BuildError, ModelError, UsageError
from tinydeploy.model.graph import DType
from tinydeploy.model.reader import parse_model
from tinydeploy.samples.samples import Samples

pytestmark = pytest.mark.usefixtures("warm_workers")


def float_network() -> bytes:
    """A convolution, a depthwise one with a RELU6, and a fully connected layer: all that has weights per channel."""
    draw = np.random.default_rng(0)
    weights = lambda *shape: builder.constant(draw.normal(0, 0.4, shape).astype(np.float32))  # noqa: E731
    builder = ModelBuilder()
    x = builder.tensor((1, 6, 6, 2), "FLOAT32", name="image")
    convolved, deep = builder.tensor((1, 6, 6, 4), "FLOAT32"), builder.tensor((1, 6, 6, 4), "FLOAT32")
    y = builder.tensor((1, 3), "FLOAT32", name="scores")
    window = {"padding": "SAME", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    builder.op("CONV_2D", [x, weights(4, 3, 3, 2), weights(4)], [convolved], **window)
    deep_window = {**window, "depthMultiplier": 1, "fusedActivationFunction": "RELU6"}
    builder.op("DEPTHWISE_CONV_2D", [convolved, weights(1, 3, 3, 4), weights(4)], [deep], **deep_window)
    builder.op("FULLY_CONNECTED", [deep, weights(3, 144), weights(3)], [y])
    return builder.finish(inputs=[x], outputs=[y])


def images(count: int = 20) -> Samples:
    return Samples(inputs=(np.random.default_rng(1).uniform(-1, 3, (count, 1, 6, 6, 2)).astype(np.float32),))


@needs_tensorflow
@pytest.mark.parametrize(
    ("settings", "activations", "scales"),
    [
        (QuantizationSettings(), DType.INT8, [4, 4, 3]),
        (QuantizationSettings(per_channel=False), DType.INT8, [1, 1, 1]),
        (QuantizationSettings(target="int16x8"), DType.INT16, [4, 4, 3]),
    ],
    ids=["int8", "int8 per tensor", "int16x8"],
)
def test_a_float_network_becomes_integer_throughout(settings, activations, scales):
    steps = []
    quantized = quantize(float_network(), images(), settings, on_step=lambda done, of: steps.append((done, of)))
    graph = parse_model(quantized, name="model.tflite")
    assert audit(graph) == ()
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [(end.name, end.dtype) for end in ends] == [("image", activations), ("scores", activations)]
    weights = [graph.tensors[op.inputs[1]] for op in graph.ops if op.kind != "RESHAPE"]
    assert [tensor.dtype for tensor in weights] == [DType.INT8] * 3
    assert [len(tensor.quantization.scales) for tensor in weights] == scales
    assert steps[-1] == (20, 20)


@needs_tensorflow
def test_the_range_of_the_input_is_that_of_all_samples():
    graph = parse_model(quantize(float_network(), images(), QuantizationSettings()), name="model.tflite")
    quantization = graph.tensors[graph.inputs[0]].quantization
    values = images().inputs[0]
    assert quantization.scale == pytest.approx((values.max() - values.min()) / 255, rel=0.01)
    assert quantization.scale * (-128 - quantization.zero_point) == pytest.approx(values.min(), abs=quantization.scale)


@needs_tensorflow
def test_the_same_model_and_samples_give_the_same_bytes():
    first, second = (quantize(float_network(), images(), QuantizationSettings()) for _ in range(2))
    assert first == second


@needs_tensorflow
def test_a_model_that_the_quantiser_refuses_is_an_error_in_its_words():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32"), builder.tensor((1, 4), "FLOAT32")
    builder.op("MyDetector", [x], [y])
    with pytest.raises(ModelError) as caught:
        quantize(
            builder.finish(inputs=[x], outputs=[y]),
            Samples(inputs=(np.zeros((3, 1, 4), np.float32),)),
            QuantizationSettings(),
        )
    assert caught.value.exit_code == 3
    assert caught.value.summary.startswith("TensorFlow's quantiser ")
    assert "MyDetector" in caught.value.where["says"]


def test_without_tensorflow_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BuildError) as caught:
        require_quantizer()
    assert caught.value.exit_code == 5
    assert caught.value.summary == "quantising needs TensorFlow, which is not installed"
    assert caught.value.hint == "pip install 'tinydeploy[convert]'"


def test_int16x8_has_no_weights_per_tensor():
    with pytest.raises(UsageError) as caught:
        QuantizationSettings(target="int16x8", per_channel=False)
    assert caught.value.hint == "leave out --weights per-tensor"
