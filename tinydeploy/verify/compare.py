"""Comparing the outputs of a device with the reference's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.verify.oracle import Reference
from tinydeploy.verify.samples import UNLABELLED

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
    """How the labelled samples were classified: by the index of the largest value of the first output.

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

    ``tolerance`` is 0 unless a stand-in was the oracle. ``max_abs_diff`` is in units of the output's type: LSB of a
    quantised output, reals of a float one; infinite where one side is not a number and the other is.
    """

    oracle: str
    samples: int
    values: int
    tolerance: int
    differing_values: int
    differing_samples: int
    max_abs_diff: float
    first_difference: Difference | None
    accuracy: Accuracy | None

    @property
    def exact(self) -> bool:
        """Whether all outputs are bit-identical."""
        return self.differing_values == 0

    @property
    def passed(self) -> bool:
        """Whether all outputs are within the oracle's tolerance."""
        return self.exact or self.max_abs_diff <= self.tolerance


def compare(
    device: Sequence[Array], reference: Reference, *, labels: npt.NDArray[np.int64] | None = None
) -> Comparison:
    """Compares ``device``, one array per graph output of shape (samples, *tensor shape), with the reference.

    Raises:
        ValueError: The arrays are not of the reference's shapes and types: a mistake of the caller.
    """
    pairs = list(zip(device, reference.outputs, strict=True))
    for got, expected in pairs:
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise ValueError(f"outputs are {got.dtype}{got.shape}, expected {expected.dtype}{expected.shape}")
    count = len(reference.outputs[0])
    masks = [_differs(got, expected).reshape(count, -1) for got, expected in pairs]
    wrong = np.logical_or.reduce([mask.any(axis=1) for mask in masks])
    return Comparison(
        oracle=reference.oracle,
        samples=count,
        values=sum(mask.size for mask in masks),
        tolerance=reference.tolerance,
        differing_values=sum(int(np.count_nonzero(mask)) for mask in masks),
        differing_samples=int(np.count_nonzero(wrong)),
        max_abs_diff=max(_largest(*pair) for pair in pairs),
        first_difference=_first(pairs, masks, wrong),
        accuracy=None if labels is None else _accuracy(*pairs[0], labels),
    )


def _differs(got: Array, expected: Array) -> npt.NDArray[np.bool_]:
    """Where the bits differ; floats are compared as the integers of their size."""
    bits = np.dtype(f"u{got.dtype.itemsize}")
    mask: npt.NDArray[np.bool_] = np.ascontiguousarray(got).view(bits) != np.ascontiguousarray(expected).view(bits)
    return mask


def _largest(got: Array, expected: Array) -> float:
    with np.errstate(invalid="ignore"):
        distance = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    # Not a number on both sides, or the same infinity, is no distance; on one side it is an endless one.
    distance[~_differs(got, expected)] = 0
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


def _accuracy(got: Array, expected: Array, labels: npt.NDArray[np.int64]) -> Accuracy:
    known = labels != UNLABELLED
    device, reference = (np.argmax(side.reshape(len(labels), -1), axis=1)[known] for side in (got, expected))
    return Accuracy(
        labels=tuple(labels[known].tolist()), device=tuple(device.tolist()), reference=tuple(reference.tolist())
    )


def _matches(classes: tuple[int, ...], labels: tuple[int, ...]) -> int:
    return sum(a == b for a, b in zip(classes, labels, strict=True))
