"""What samples are, however they came about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

UNLABELLED = -1
"""The label of a sample whose class is not known."""

_FEWEST_TO_SPLIT = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Inputs of several inferences.

    ``inputs`` has one array per graph input, in its order and its element type, of shape (samples, *tensor shape).
    ``labels`` are the classes expected of the first output, one per sample, or `UNLABELLED`. ``notes`` are sentences
    for the user about what was done to the data. ``saturated`` has, per input, how many values were beyond what its
    type holds and were clipped when they were quantised; it is empty where that is not known. ``is_random``: they are
    noise, and what is measured with them says nothing about real data.
    """

    inputs: tuple[Array, ...]
    labels: npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    saturated: tuple[int, ...] = ()
    is_random: bool = False

    @property
    def count(self) -> int:
        """How many samples there are; at least one."""
        return len(self.inputs[0])

    def __getitem__(self, index: int) -> tuple[Array, ...]:
        """The inputs of one inference, each with its tensor's shape."""
        return tuple(values[index] for values in self.inputs)

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> "Samples":
        """Only these samples, in this order; with all notes, but without ``saturated``."""
        places = np.asarray(indices, dtype=np.int64)
        labels = None if self.labels is None else self.labels[places]
        return replace(self, inputs=tuple(values[places] for values in self.inputs), labels=labels, saturated=())


def join_samples(first: Samples, second: Samples) -> Samples:
    """One after the other. Samples that have no label get `UNLABELLED` where the others have one."""
    inputs = tuple(np.concatenate(pair) for pair in zip(first.inputs, second.inputs, strict=True))
    labels = None
    if first.labels is not None or second.labels is not None:
        labels = np.concatenate([_labels_of(first), _labels_of(second)])
    notes, is_random = first.notes + second.notes, first.is_random or second.is_random
    return Samples(inputs=inputs, labels=labels, notes=notes, is_random=is_random)


def hold_out(
    samples: Samples, *, fraction: float = 0.2, seed: int = 0, in_sequence: bool = False
) -> tuple[Samples, Samples]:
    """Samples to calibrate with, and ``fraction`` of them held out to measure with: at least one of each.

    Which ones is drawn (numpy's PCG64), where there are labels of each class in proportion; both parts keep the order
    they had. ``in_sequence`` is for a model with a state, whose samples follow on one another: the last ones are held
    out, in one piece. Of fewer than 5 samples nothing is held out: both parts are all of them, and a note says so.
    """
    if samples.count < _FEWEST_TO_SPLIT:
        note = f"of {samples.count} samples none is held out: quality is measured on those that were calibrated with"
        whole = replace(samples, notes=(*samples.notes, note))
        return whole, whole
    count = min(max(round(samples.count * fraction), 1), samples.count - 1)
    if in_sequence:
        return samples.take(range(samples.count - count)), samples.take(range(samples.count - count, samples.count))
    drawn = np.random.Generator(np.random.PCG64(seed)).permutation(samples.count)
    if samples.labels is not None:
        drawn = drawn[np.argsort(samples.labels[drawn], kind="stable")]
    # Evenly spaced places among the classes one behind the other: of each, as many as its share, rounded.
    held = np.zeros(samples.count, bool)
    held[drawn[(2 * np.arange(count) + 1) * samples.count // (2 * count)]] = True
    return samples.take(np.flatnonzero(~held)), samples.take(np.flatnonzero(held))


def _labels_of(samples: Samples) -> npt.NDArray[np.int64]:
    return np.full(samples.count, UNLABELLED, np.int64) if samples.labels is None else samples.labels
