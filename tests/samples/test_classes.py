"""Which class an output names."""

import numpy as np
import pytest
from sample_graphs import graph_of, single_output

from tinydeploy.model.graph import Quantization
from tinydeploy.samples.classes import class_count, is_index, named_classes

SIGMOID = Quantization(scales=(1 / 256,), zero_points=(-128,))


@pytest.mark.parametrize(("dtype", "scale", "count"), [("FLOAT32", None, 2), ("INT8", 0.5, 2), ("INT64", None, None)])
def test_a_single_value_has_two_classes_where_it_is_real_and_unknown_ones_where_it_is_an_index(dtype, scale, count):
    graph = single_output(dtype, scale)
    tensor = graph.tensors[graph.outputs[0]]
    assert class_count(tensor) == count
    assert is_index(tensor) == (count is None)


def test_several_values_have_a_class_each():
    graph = graph_of((1, 2), classes=7)
    assert class_count(graph.tensors[graph.outputs[0]]) == 7


@pytest.mark.parametrize("quantization", [SIGMOID, None])
def test_the_class_is_the_place_of_the_largest_of_several_values_and_the_first_of_them(quantization):
    values = np.array([[[1], [5], [2]], [[7], [0], [7]], [[-3], [-2], [-1]]], np.int8)
    assert named_classes(values, quantization).tolist() == [1, 0, 2]


def test_an_index_is_the_class():
    assert named_classes(np.array([[3], [0], [1000]], np.int32), None).tolist() == [3, 0, 1000]


def test_one_real_value_is_class_one_from_the_half_on():
    reals = np.array([[0.0], [0.49], [0.5], [1.0], [np.nan]], np.float32)
    assert named_classes(reals, None).tolist() == [0, 0, 1, 1, 0]
    assert named_classes(np.array([[-128], [-1], [0], [127]], np.int8), SIGMOID).tolist() == [0, 0, 1, 1]
