"""Real numbers to the integers of a tensor, as TFLite does it (AffineQuantize in reference/quantize.h)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import DType, Tensor

_BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Converted:
    """The outcome: values in the tensor's type, how many had to be clipped, and the place of the first that is none.

    What is none: NaN, infinity, and where the tensor is of float32, what float32 does not hold.
    """

    values: npt.NDArray[np.generic]
    saturated: int
    bad: tuple[int, ...] | None


def to_tensor_type(samples: npt.NDArray[np.generic], tensor: Tensor) -> Converted:
    """Converts numbers of shape (samples, *tensor shape).

    Integers for integers without a scale stay what they are. Quantised values are
    round(x / scale) + zero point in single precision, halves away from zero. Both are saturated to the type's range.
    Works in blocks, so that a mapped file need not fit into memory as floats.
    """
    if samples.dtype.kind in "iu" and tensor.dtype is not DType.FLOAT32 and tensor.quantization is None:
        return _to_integers(samples, tensor.dtype)
    result = np.empty(samples.shape, tensor.dtype.numpy)
    block = max(1, _BLOCK_ELEMENTS // max(1, tensor.elements))
    saturated = 0
    for start in range(0, len(samples), block):
        floats = np.asarray(samples[start : start + block])
        # A double beyond the range of float32 becomes infinite, which saturates like any other large value.
        with np.errstate(over="ignore"):
            single = floats.astype(np.float32)
        finite = np.isfinite(single if tensor.dtype is DType.FLOAT32 else floats)
        if not finite.all():
            first = np.argwhere(~finite)[0].tolist()
            return Converted(values=result, saturated=saturated, bad=(start + first[0], *first[1:]))
        if tensor.dtype is DType.FLOAT32 or tensor.quantization is None:
            result[start : start + block] = single
            continue
        with np.errstate(over="ignore"):
            scaled = single / np.float32(tensor.quantization.scale)
        rounded = np.copysign(np.floor(np.abs(scaled).astype(np.float64) + 0.5), scaled)
        shifted = rounded + tensor.quantization.zero_point
        clipped = np.clip(shifted, *tensor.dtype.integer_range)
        saturated += int(np.count_nonzero(clipped != shifted))
        result[start : start + block] = clipped
    return Converted(values=result, saturated=saturated, bad=None)


def _to_integers(samples: npt.NDArray[np.generic], dtype: DType) -> Converted:
    """Not by way of floats, which do not hold all integers."""
    held, (lowest, highest) = np.iinfo(samples.dtype.str), dtype.integer_range
    clipped = np.clip(samples, max(lowest, held.min), min(highest, held.max))
    saturated = int(np.count_nonzero(clipped != samples))
    return Converted(values=clipped.astype(dtype.numpy), saturated=saturated, bad=None)
