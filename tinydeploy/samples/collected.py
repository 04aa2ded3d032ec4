"""What the reader of one kind of source gives: samples, and what a file of labels for them has to have."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.samples.samples import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Collected:
    """Samples of one source, those that were chosen.

    ``inputs``, ``saturated`` and ``notes`` as in `Samples`. ``items`` is how many things the source has that a label
    belongs to, chosen or not: arrays, lines, images, or files of sound. ``item`` says of each sample which one it is
    of. ``labels`` are those that the source itself has, one per item, as they were found.
    """

    inputs: tuple[Array, ...]
    saturated: tuple[int, ...]
    notes: tuple[str, ...]
    items: int
    item: npt.NDArray[np.int64]
    labels: Array | None = None
