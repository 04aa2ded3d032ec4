"""What there is to say of a layer that is wrong."""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.verify.compare import differs, largest_distance

Array = npt.NDArray[np.generic]


class Fault(enum.Enum):
    """Whose fault a wrong layer is; ELSEWHERE where no layer is found to be wrong."""

    KERNEL = "kernel"
    MEMORY_PLAN = "memory plan"
    MODEL = "model"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class LayerDifference:
    """The first wrong output of a layer: of ``tensor``, which op ``layer`` writes, at inference ``sample``.

    Of its ``values``, ``differing`` ones are wrong, the first at ``index`` in the model's shape. ``device`` and
    ``reference`` are the numbers that are stored there. ``max_abs_diff`` is in these numbers' units, infinite where one
    side is no number.
    """

    sample: int
    layer: int
    tensor: int
    values: int
    differing: int
    max_abs_diff: float
    index: tuple[int, ...]
    device: float
    reference: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Localization:
    """What was found out about outputs that differ.

    ``because`` is the reason for ``fault``, a sentence without a full stop. ``inputs`` is the input that shows it, one
    array per graph input. ``device`` and ``reference`` are the whole tensor as it is and as it has to be, of one shape.
    """

    difference: LayerDifference | None
    fault: Fault
    because: str
    inputs: tuple[Array, ...]
    device: Array | None = None
    reference: Array | None = None


def layer_difference(
    tensor: int, got: Array, expected: Array, *, sample: int, layer: int, channels: tuple[int, ...] | None
) -> LayerDifference:
    """The first of the differences between two arrays of one shape, which are not equal.

    ``channels`` are those of the model's last dimension that the arrays have; None: all.
    """
    wrong = differs(got, expected)
    index = tuple(int(place) for place in np.unravel_index(int(np.argmax(wrong)), got.shape))
    return LayerDifference(
        sample=sample,
        layer=layer,
        tensor=tensor,
        values=got.size,
        differing=int(np.count_nonzero(wrong)),
        max_abs_diff=largest_distance(got, expected),
        index=index if channels is None else (*index[:-1], channels[index[-1]]),
        device=float(got[index]),
        reference=float(expected[index]),
    )
