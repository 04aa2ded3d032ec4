"""A network of random layers while it is built: tensors to read, numbers to draw, ops to append."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinydeploy.benchmark.tflite_builder import ModelBuilder


@dataclass(frozen=True)
class Value:
    """A tensor of the network being built."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class SyntheticNetwork:
    """A network being built op by op; ``resizes``: images of other sizes are made by resizing, else by padding."""

    def __init__(self, seed: int, *, resizes: bool) -> None:
        self.resizes = resizes
        self.rng = np.random.default_rng(seed)
        self.builder = ModelBuilder()
        self.images: list[Value] = []
        self.read: set[int] = set()

    def below(self, count: int) -> int:
        """An integer in 0...count - 1."""
        return int(self.rng.integers(count))

    def size(self, low: int, high: int) -> int:
        """An integer in low...high, small ones as often as large ones."""
        return round(math.exp(self.rng.uniform(math.log(low), math.log(high))))

    def channels(self, high: int = 128) -> int:
        """A number of channels: mostly a multiple of 8 or 4, as people choose them."""
        step = (8, 8, 4, 2, 1)[self.below(5)]
        return max(step, self.size(2, high) // step * step)

    def maybe(self, probability: float) -> bool:
        """Whether, with this probability."""
        return bool(self.rng.random() < probability)

    def image(self, suits: Callable[[Value], bool] = lambda _: True) -> Value | None:
        """One of the images so far for which this holds, mostly one not read yet; None where there is none."""
        fitting = [value for value in self.images if suits(value)]
        unread = [value for value in fitting if value.index not in self.read]
        fitting = unread if unread and self.maybe(0.6) else fitting
        return fitting[self.below(len(fitting))] if fitting else None

    def value(self, shape: Sequence[int], scale: float | None = None, zero_point: int | None = None) -> Value:
        """A new tensor; with a random quantisation where none is given."""
        scale = float(10 ** self.rng.uniform(-2.5, -0.5)) if scale is None else scale
        zero_point = (-128 if self.maybe(0.5) else self.below(80) - 40) if zero_point is None else zero_point
        index = self.builder.tensor(shape, scale=scale, zero_point=zero_point)
        return Value(index, tuple(shape), scale, zero_point)

    def op(
        self,
        kind: str,
        inputs: Sequence[Value | int],
        output: Value,
        **options: Any,  # noqa: ANN401 - what the schema's tables take
    ) -> Value:
        """Appends an op; an image that it makes can be read by those that follow."""
        self.read |= {value.index for value in inputs if isinstance(value, Value)}
        indices = [value.index if isinstance(value, Value) else value for value in inputs]
        self.builder.op(kind, indices, [output.index], intermediates=(), **options)
        if len(output.shape) == 4:
            self.images.append(output)
        return output

    def constant(self, *values: int) -> int:
        """An int32 constant."""
        return self.builder.constant(np.array(values, np.int32))

    def weights(
        self, x: Value, shape: tuple[int, ...], axis: int, terms: int, *, per_channel: bool
    ) -> tuple[list[Value | int], float]:
        """The inputs of a layer that sums ``terms`` products, and the deviation of its real sums."""
        count = shape[axis]
        scales = (10 ** self.rng.uniform(-3, -1.5) * self.rng.uniform(0.5, 1, count if per_channel else 1)).astype(
            np.float32
        )
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        spread = math.sqrt(terms) * 74 * 74
        bias = self.rng.normal(0, spread, count).astype(np.int32)
        weights = self.builder.constant(values, scale=scales, axis=axis)
        sums = self.builder.constant(bias, scale=np.float32(x.scale) * scales, axis=0)
        return [x, weights, sums], float(x.scale * scales.max() * spread)

    def activated(self, shape: Sequence[int], spread: float) -> tuple[Value, str]:
        """The output of a layer with such sums: with a ReLU two times in three."""
        kind = ("RELU", "RELU6", "NONE")[self.below(3)]
        reach = spread if kind == "RELU" else min(6.0, spread) if kind == "RELU6" else 2 * spread
        return self.value(shape, reach / 100, None if kind == "NONE" else -128), kind
