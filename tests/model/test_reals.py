"""Integers of a quantised tensor → the real numbers that they stand for."""

import numpy as np

from tinydeploy.model.graph import Quantization
from tinydeploy.model.reals import reals


def test_integers_of_one_scale_may_have_any_shape():
    quantization = Quantization(scales=(0.5,), zero_points=(-128,))
    for values in (np.array([-128, 0, 127], np.int8), np.array([[[-128], [0]], [[127], [1]]], np.int8)):
        found = reals(values, quantization)
        assert found.dtype == np.float64
        assert found.shape == values.shape
        assert found.ravel()[:3].tolist() == [0.0, 64.0, 127.5]


def test_each_index_of_the_axis_has_its_scale_and_its_zero_point():
    values = np.array([[[1, 1], [1, 1], [1, 1]]], np.int8)
    quantization = Quantization(scales=(1.0, 2.0, 4.0), zero_points=(0, 1, -1), axis=1)
    assert reals(values, quantization).tolist() == [[[1.0, 1.0], [0.0, 0.0], [8.0, 8.0]]]


def test_what_has_no_quantisation_stands_for_itself():
    found = reals(np.array([1.5, -2.0], np.float32), None)
    assert (found.dtype, found.tolist()) == (np.float64, [1.5, -2.0])
