"""Arrays of a test become samples of a model, and outputs come back in the same form."""

import numpy as np
import pytest
from small_models import small_model
from tflite_builder import ModelBuilder

from tinydeploy.errors import UsageError
from tinydeploy.model.reader import read_model
from tinydeploy.testing.arrays import arrays_of, outputs_like, samples_of


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """An int8 input of shape (1, 4), an output of shape (1, 3) with scale 0.5 and zero point -2."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_model())
    return read_model(path)


@pytest.fixture(scope="module")
def sum_of_two(tmp_path_factory):
    builder = ModelBuilder()
    a, b = builder.tensor((1, 4), scale=0.5, name="a"), builder.tensor((1, 4), scale=0.5, name="b")
    y = builder.tensor((1, 4), scale=0.5, name="y")
    builder.op("ADD", [a, b], [y])
    path = tmp_path_factory.mktemp("model") / "sum.tflite"
    path.write_bytes(builder.finish(inputs=[a, b], outputs=[y]))
    return read_model(path)


def shape_after(graph, shape):
    samples, form = arrays_of(graph, np.zeros(shape, np.int8))
    return outputs_like(form, (np.zeros((samples.count, 1, 3), np.int8),), graph).shape


@pytest.mark.parametrize(
    ("given", "expected"),
    [((4,), (3,)), ((1, 4), (1, 3)), ((5, 4), (5, 3)), ((5, 1, 4), (5, 1, 3)), ((1, 1, 4), (1, 1, 3))],
)
def test_outputs_have_the_form_of_the_inputs(graph, given, expected):
    assert shape_after(graph, given) == expected


def test_floats_are_quantised_and_come_back_as_floats(graph):
    samples, form = arrays_of(graph, np.array([0.0, 0.5, 1.0, -1.0]))
    assert samples.inputs[0].tolist() == [[[3, 4, 5, 1]]]
    outputs = outputs_like(form, (np.array([[[-2, 0, 2]]], np.int8),), graph)
    assert outputs.tolist() == [0.0, 1.0, 2.0]
    assert outputs.dtype == np.float32


def test_several_inputs_are_a_tuple_or_a_mapping_in_any_order(sum_of_two):
    a, b = np.full((2, 4), 1, np.int8), np.full((2, 4), 2, np.int8)
    for given in ((a, b), {"a": a, "b": b}, {"b": b, "a": a}):
        samples, _ = arrays_of(sum_of_two, given)
        assert [int(values[0, 0, 0]) for values in samples.inputs] == [1, 2]
    one, form = arrays_of(sum_of_two, (a[0], b[0]))
    assert one.count == 1
    assert not form.is_batch


def test_too_few_inputs_are_told(sum_of_two):
    with pytest.raises(UsageError, match="1 arrays are given, but the model has 2 inputs"):
        samples_of(sum_of_two, (np.zeros((2, 4), np.int8),))


@pytest.mark.parametrize("shape", [(5,), (2, 5), ()])
def test_another_shape_is_told(graph, shape):
    with pytest.raises(UsageError, match="samples do not fit: input x has shape"):
        arrays_of(graph, np.zeros(shape, np.int8))


def test_without_samples_they_are_the_default_ones(graph):
    assert samples_of(graph, None).count == 16
