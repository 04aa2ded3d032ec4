"""What values samples have."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.reals import reals
from tinydeploy.model.text import printable
from tinydeploy.samples.samples import Array, Samples

_BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class InputRange:
    """The values of one input over ``count`` samples: of a quantised one, the real numbers that its integers stand for.

    ``name`` is printable, ``shape`` the tensor's. ``std`` is the deviation of all values from their ``mean``.
    """

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    mean: float
    std: float
    count: int

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))


def input_ranges(samples: Samples, graph: Graph) -> tuple[InputRange, ...]:
    """One per input, in the order of the graph's, computed in double precision."""
    pairs = zip(samples.inputs, graph.inputs, strict=True)
    return tuple(_range(values, graph.tensors[index]) for values, index in pairs)


def blocks(values: Array) -> Iterator[Array]:
    """The values in parts of a few samples, so that a mapped file need not fit into memory in another type."""
    step = max(1, _BLOCK_ELEMENTS // max(1, values[0].size))
    return (values[start : start + step] for start in range(0, len(values), step))


def _range(values: Array, tensor: Tensor) -> InputRange:
    low, high, total = np.inf, -np.inf, 0.0
    for block in (reals(part, tensor.quantization) for part in blocks(values)):
        low, high, total = min(low, block.min()), max(high, block.max()), total + block.sum()
    mean = total / values.size
    squares = sum(float(np.square(reals(part, tensor.quantization) - mean).sum()) for part in blocks(values))
    return InputRange(
        name=printable(tensor.name),
        shape=tensor.shape,
        low=float(low) + 0.0,  # which makes -0 a 0
        high=float(high) + 0.0,
        mean=float(mean),
        std=float(np.sqrt(squares / values.size)),
        count=len(values),
    )
