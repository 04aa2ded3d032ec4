"""What a model remembers: samples run in their order, in one interpreter that starts anew."""

import numpy as np
import pytest
from stateful_models import lstm_model, svdf_model

from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model
from tinydeploy.samples import Samples, default_samples
from tinydeploy.verify.oracle import Interpreter, reference_outputs

MODELS = {"lstm": lstm_model(), "svdf": svdf_model(), "svdf of int8": svdf_model("INT8")}


def outputs(model: bytes, inputs: np.ndarray, interpreter: Interpreter = Interpreter.TFLM) -> np.ndarray:
    return reference_outputs(model, Samples(inputs=(inputs,)), interpreter=interpreter).outputs[0].astype(int)


def noise(model: bytes) -> np.ndarray:
    """Four different inputs over the whole range."""
    return default_samples(parse_model(model, name="model")).inputs[0][3:7]


def real(graph: Graph, index: int) -> np.ndarray:
    """A constant as real numbers."""
    tensor = graph.tensors[index]
    return tensor.quantization.scale * tensor.data.astype(float)


def lstm_in_floats(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """The LSTM of the textbook with the model's weights, its state kept from sample to sample."""
    (op,) = graph.ops
    source, output = graph.tensors[op.inputs[0]].quantization, graph.output_of(op).quantization
    weights = [np.hstack([real(graph, op.inputs[1 + gate]), real(graph, op.inputs[5 + gate])]) for gate in range(4)]
    biases = [real(graph, op.inputs[12 + gate]) for gate in range(4)]
    units = len(biases[0])
    hidden, cell, results = np.zeros(units), np.zeros(units), []
    for sample in samples:
        steps = []
        for row in source.scale * (sample.reshape(sample.shape[-2:]) - float(source.zero_point)):
            sums = [w @ np.concatenate([row, hidden]) + b for w, b in zip(weights, biases, strict=True)]
            enter, forget, leave = (1 / (1 + np.exp(-sums[gate])) for gate in (0, 1, 3))
            cell = forget * cell + enter * np.tanh(sums[2])
            hidden = leave * np.tanh(cell)
            steps.append(hidden / output.scale + output.zero_point)
        results.append([steps])
    return np.array(results)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_same_input_gives_another_output_the_second_time(model):
    sample = noise(model)[:1]
    first, second, third = outputs(model, np.concatenate([sample] * 3))
    assert np.abs(first - second).max() > 10
    assert np.abs(second - third).max() > 5


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_run_starts_from_the_state_that_the_model_starts_with(model):
    assert (outputs(model, noise(model)[:2]) == outputs(model, noise(model))[:2]).all()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_outputs_are_within_the_range_so_that_a_lost_state_is_seen(model):
    inputs = noise(model)
    carried = outputs(model, inputs)
    assert np.mean((carried == -128) | (carried == 127)) < 0.05
    for position in (1, 3):
        alone = outputs(model, inputs[position : position + 1])
        assert np.abs(carried[position] - alone[0]).max() > 5


def test_the_lstm_is_the_one_of_the_textbook():
    model = MODELS["lstm"]
    inputs = noise(model)
    assert np.abs(outputs(model, inputs) - lstm_in_floats(parse_model(model, name="lstm"), inputs)).max() < 3


@pytest.mark.parametrize("name", ["lstm", "svdf"])
def test_the_stand_in_remembers_too(name):
    inputs = noise(MODELS[name])
    difference = np.abs(outputs(MODELS[name], inputs) - outputs(MODELS[name], inputs, Interpreter.LITERT))
    assert difference.max() <= 1


def test_a_graph_knows_whether_it_has_a_state(model_file):
    assert all(parse_model(model, name="model").is_stateful for model in MODELS.values())
    assert not parse_model(model_file("kws_int8.tflite").read_bytes(), name="kws").is_stateful
