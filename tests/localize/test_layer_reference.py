"""What all layers have to give: the model's own tensors, whichever of them are outputs."""

import numpy as np
from command_line import DIGITS
from stateful_models import svdf_model

from tinydeploy.localize.reference import layer_reference
from tinydeploy.model.reader import parse_model, read_model
from tinydeploy.samples import default_samples
from tinydeploy.verify.oracle import reference_outputs


def test_every_op_has_its_output_and_the_graphs_are_those_of_the_model_itself():
    graph = read_model(DIGITS)
    samples = default_samples(graph).take([0, 5])
    reference = layer_reference(graph, samples)
    assert {*graph.inputs, *(index for op in graph.ops for index in op.outputs)} == set(reference.tensors)
    assert all(reference.tensors[i].shape == (2, *graph.tensors[i].shape) for i in reference.tensors)
    (outputs,) = reference_outputs(graph.source, samples).outputs
    np.testing.assert_array_equal(reference.tensors[graph.outputs[0]], outputs)


def test_a_max_pool_between_two_layers_is_that_of_the_tensor_before_it():
    """Independent of any interpreter: the largest of each 2 x 2."""
    graph = read_model(DIGITS)
    pool = next(op for op in graph.ops if op.kind == "MAX_POOL_2D")
    tensors = layer_reference(graph, default_samples(graph)).tensors
    before, after = tensors[pool.inputs[0]], tensors[pool.outputs[0]]
    samples, _, height, width, channels = after.shape
    blocks = before.reshape(samples, height, 2, width, 2, channels)
    np.testing.assert_array_equal(blocks.max(axis=(2, 4)), after[:, 0])


def test_a_state_goes_on_from_sample_to_sample():
    graph = parse_model(svdf_model(), name="svdf.tflite")
    samples = default_samples(graph).take([3, 3, 3])
    (outputs,) = reference_outputs(graph.source, samples).outputs
    layers = layer_reference(graph, samples).tensors[graph.outputs[0]]
    np.testing.assert_array_equal(layers, outputs)
    assert not np.array_equal(layers[0], layers[2])
