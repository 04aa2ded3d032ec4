"""Numbers to the element type of a tensor."""

import numpy as np
import pytest

from tinydeploy.model.graph import DType, Tensor
from tinydeploy.samples.quantize import to_tensor_type


def converted(values, dtype):
    tensor = Tensor(index=0, name="a", shape=(1,), dtype=dtype)
    result = to_tensor_type(np.array(values).reshape(-1, 1), tensor)
    assert result.values.dtype == dtype.numpy
    assert result.bad is None
    return result.values.ravel().tolist(), result.saturated


@pytest.mark.parametrize("source", [np.int32, np.int64, np.uint32])
@pytest.mark.parametrize("dtype", [DType.INT32, DType.INT64])
def test_integers_that_a_float_does_not_hold_stay_what_they_are(source, dtype):
    assert converted(np.array([16777217, 2**31 - 1, 0], source), dtype) == ([16777217, 2**31 - 1, 0], 0)


def test_64_bits_are_all_there():
    assert converted([2**62 + 1, -(2**62) - 1], DType.INT64) == ([2**62 + 1, -(2**62) - 1], 0)


def test_integers_beyond_the_type_are_clipped_and_counted():
    assert converted([2**31, -(2**40), 7], DType.INT32) == ([2**31 - 1, -(2**31), 7], 2)
    assert converted(np.array([2**63, 1], np.uint64), DType.INT64) == ([2**63 - 1, 1], 1)
    assert converted(np.array([-1, 300, 9]), DType.UINT8) == ([0, 255, 9], 2)
