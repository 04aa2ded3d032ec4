"""Which of many samples are used, and for how many there is room."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import Tensor
from tinydeploy.samples.problems import misfit

MAX_BYTES = 2 << 30
"""How much memory samples may take, all inputs together."""


def evenly(total: int, limit: int | None) -> npt.NDArray[np.int64]:
    """At most ``limit`` of the places 0 to ``total`` - 1, ascending and evenly spread from the first on."""
    count = total if limit is None else min(limit, total)
    return np.arange(count, dtype=np.int64) * total // max(1, count)


def told(used: int, there: int, noun: str) -> str:
    """How many were used, for a note: ``5 of 12 images, evenly spread,``, or ``12 images``."""
    if used < there:
        return f"{used:,} of {there:,} {noun}s, evenly spread,"
    return f"{used:,} {noun}{'' if used == 1 else 's'}"


def require_room(path: Path, count: int, tensors: Sequence[Tensor]) -> None:
    """Refuses more samples than fit into `MAX_BYTES`, where all ``tensors`` have a value in each.

    Raises:
        UsageError: They do not fit.
    """
    each = sum(tensor.nbytes for tensor in tensors)
    if count * each <= MAX_BYTES:
        return
    what = f"{count:,} samples of {each:,} bytes take {count * each:,} bytes, at most {MAX_BYTES:,}"
    raise misfit(path, what, hint=f"use fewer of them, evenly spread: --max-samples {max(1, MAX_BYTES // each)}")
