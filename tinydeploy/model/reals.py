"""Integers of a quantised tensor → the real numbers that they stand for."""

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import Quantization


def reals(values: npt.NDArray[np.generic], quantization: Quantization | None) -> npt.NDArray[np.float64]:
    """``scale * (q - zero_point)`` in double precision, in the shape of ``values``; without a quantisation, themselves.

    With one scale ``values`` may be of any shape; with one per index of an axis, of the tensor's own.
    """
    numbers = values.astype(np.float64)
    if quantization is None:
        return numbers
    if not quantization.per_channel:
        return (numbers - quantization.zero_point) * quantization.scale
    along = [1] * values.ndim
    along[quantization.axis] = -1
    zero_points, scales = (np.array(each).reshape(along) for each in (quantization.zero_points, quantization.scales))
    scaled: npt.NDArray[np.float64] = (numbers - zero_points) * scales
    return scaled
