"""Which class an output names, and how many it can name: one rule for labels, for verification and for conversion."""

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import DType, Quantization, Tensor
from tinydeploy.model.reals import reals

Array = npt.NDArray[np.generic]

_HALFWAY = 0.5


def is_index(tensor: Tensor) -> bool:
    """Whether its values are indices, such as ARG_MAX writes: integers without a scale."""
    return tensor.dtype is not DType.FLOAT32 and tensor.quantization is None


def class_count(tensor: Tensor) -> int | None:
    """How many classes an output can name: one per value, of a single real value two.

    None where it is a single index: the model does not say how far that goes.
    """
    if tensor.elements > 1:
        return tensor.elements
    return None if is_index(tensor) else 2


def named_classes(values: Array, quantization: Quantization | None) -> npt.NDArray[np.int64]:
    """The class that each sample's output names, of shape (samples,).

    ``values``, of shape (samples, *tensor shape), are floats, or integers with the ``quantization`` of their tensor.
    Of several values it is the place of the largest, the first of them where there are more; a single integer without
    a scale is the class. A single real value is taken for a probability, such as a sigmoid gives: class 1 from 0.5 on,
    else 0, also where it is no number. Of a value before its sigmoid that is not the middle: such a model needs it.
    """
    rows = values.reshape(len(values), -1)
    if rows.shape[1] > 1:
        places: npt.NDArray[np.int64] = rows.argmax(axis=1)
        return places
    single = rows[:, 0]
    if single.dtype.kind == "f":
        return (single.astype(np.float64) >= _HALFWAY).astype(np.int64)
    if quantization is None:
        return single.astype(np.int64)
    return (reals(single, quantization) >= _HALFWAY).astype(np.int64)
