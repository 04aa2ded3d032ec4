"""Comparing the outputs of a device with the reference's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import DType, Graph, Quantization
from tinydeploy.samples import UNLABELLED
from tinydeploy.samples.classes import named_classes
from tinydeploy.verify.oracle import Reference

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that is not the reference's. ``index`` is the place in the output tensor, in its shape."""

    sample: int
    output: int
    index: tuple[int, ...]
    device: float
    reference: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How the labelled samples were classified: by the first output, see `named_classes`.

    The three tuples have one entry per labelled sample.
    """

    labels: tuple[int, ...]
    device: tuple[int, ...]
    reference: tuple[int, ...]

    @property
    def samples(self) -> int:
        """How many samples have a label."""
        return len(self.labels)

    @property
    def device_correct(self) -> int:
        """How many of them the device got right."""
        return _matches(self.device, self.labels)

    @property
    def reference_correct(self) -> int:
        """How many of them the reference got right."""
        return _matches(self.reference, self.labels)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came out of comparing.

    ``passed``: all outputs are within the oracle's ``tolerance``; it is in LSB, and 0 unless a stand-in was the oracle,
    which means that they are bit-identical. ``max_abs_diff`` is in units of the output's type: LSB of a quantised
    output, reals of a float one; infinite where one side is not a number and the other is.
    """

    oracle: str
    samples: int
    values: int
    tolerance: int
    passed: bool
    differing_values: int
    differing_samples: int
    max_abs_diff: float
    first_difference: Difference | None
    accuracy: Accuracy | None

    @property
    def exact(self) -> bool:
        """Whether all outputs are bit-identical."""
        return self.differing_values == 0


def lsb_sizes(graph: Graph) -> tuple[float, ...]:
    """What one LSB is in the units of each graph output: 1, or for a float one the scale that it was dequantised with.

    0 for a float that does not come out of a DEQUANTIZE: no difference of it can be told in LSB.
    """
    return tuple(_lsb_size(graph, output) for output in graph.outputs)


def compare(
    device: Sequence[Array],
    reference: Reference,
    *,
    lsb_sizes: Sequence[float],
    labels: npt.NDArray[np.int64] | None = None,
    quantization: Quantization | None = None,
) -> Comparison:
    """Compares ``device``, one array per graph output of shape (samples, *tensor shape), with the reference.

    ``lsb_sizes`` has what one LSB of the reference's tolerance is in each output: see the function of that name.
    ``quantization`` is that of the first output, without which one integer is a class number.

    Raises:
        ValueError: The arrays are not of the reference's shapes and types: a mistake of the caller.
    """
    pairs = list(zip(device, reference.outputs, strict=True))
    for got, expected in pairs:
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise ValueError(f"outputs are {got.dtype}{got.shape}, expected {expected.dtype}{expected.shape}")
    count = len(reference.outputs[0])
    masks = [differs(got, expected).reshape(count, -1) for got, expected in pairs]
    wrong = np.logical_or.reduce([mask.any(axis=1) for mask in masks])
    distances = [largest_distance(*pair) for pair in pairs]
    return Comparison(
        oracle=reference.oracle,
        samples=count,
        values=sum(mask.size for mask in masks),
        tolerance=reference.tolerance,
        passed=_is_near(distances, reference.tolerance, lsb_sizes) if reference.tolerance else not bool(wrong.any()),
        differing_values=sum(int(np.count_nonzero(mask)) for mask in masks),
        differing_samples=int(np.count_nonzero(wrong)),
        max_abs_diff=max(distances),
        first_difference=_first(pairs, masks, wrong),
        accuracy=None if labels is None else _accuracy(*pairs[0], labels, quantization),
    )


def _lsb_size(graph: Graph, output: int) -> float:
    if graph.tensors[output].dtype is not DType.FLOAT32:
        return 1.0
    for op in graph.ops:
        if op.kind == "DEQUANTIZE" and output in op.outputs:
            quantization = graph.tensors[op.inputs[0]].quantization
            return quantization.scale if quantization else 0.0
    return 0.0


def _is_near(distances: Sequence[float], tolerance: int, sizes: Sequence[float]) -> bool:
    """Whether each is within the tolerance, with half an LSB more: floats are rounded when they are dequantised."""
    return all(distance <= (tolerance + 0.5) * size for distance, size in zip(distances, sizes, strict=True))


def differs(got: Array, expected: Array) -> npt.NDArray[np.bool_]:
    """Where the bits of two arrays of one shape and type differ; floats are compared as the integers of their size."""
    bits = np.dtype(f"u{got.dtype.itemsize}")
    mask: npt.NDArray[np.bool_] = np.ascontiguousarray(got).view(bits) != np.ascontiguousarray(expected).view(bits)
    return mask


def largest_distance(got: Array, expected: Array) -> float:
    """The largest difference of two arrays of one shape; infinite where one side is no number and the other is."""
    with np.errstate(invalid="ignore"):
        distance = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    # Not a number on both sides, or the same infinity, is no distance; on one side it is an endless one.
    distance[~differs(got, expected)] = 0
    distance[np.isnan(distance)] = np.inf
    return float(distance.max(initial=0))


def _first(
    pairs: Sequence[tuple[Array, Array]], masks: Sequence[npt.NDArray[np.bool_]], wrong: npt.NDArray[np.bool_]
) -> Difference | None:
    """The first difference in the order of samples, then outputs, then elements."""
    if not wrong.any():
        return None
    sample = int(np.argmax(wrong))
    output = next(position for position, mask in enumerate(masks) if mask[sample].any())
    got, expected = (side[sample] for side in pairs[output])
    flat = int(np.argmax(masks[output][sample]))
    index = tuple(int(i) for i in np.unravel_index(flat, got.shape))
    return Difference(
        sample=sample, output=output, index=index, device=float(got[index]), reference=float(expected[index])
    )


def _accuracy(
    got: Array, expected: Array, labels: npt.NDArray[np.int64], quantization: Quantization | None
) -> Accuracy:
    known = labels != UNLABELLED
    device, reference = (named_classes(side, quantization)[known] for side in (got, expected))
    return Accuracy(
        labels=tuple(labels[known].tolist()), device=tuple(device.tolist()), reference=tuple(reference.tolist())
    )


def _matches(classes: tuple[int, ...], labels: tuple[int, ...]) -> int:
    return sum(a == b for a, b in zip(classes, labels, strict=True))
