"""Pairs of a float model and the integer model made of it by hand, so that their difference is known on paper.

Steps are powers of two: what is a multiple of a step is exact, and anything else is off by what rounding it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tflite_builder import ModelBuilder

FINE, COARSE = 2.0**-6, 2.0**-3
"""The steps of inputs and of what is rounded visibly. int8 with these reaches to about ±2 and ±16."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A fully connected layer that multiplies every value by ``factor``; ``steps`` are those of its output.

    ``rounded`` is the factor that the integer model has, a multiple of 1/64; without it, it has the same.
    """

    name: str
    steps: float = FINE
    factor: float = 1.0
    rounded: float | None = None


def chain(layers: Sequence[Layer], *, width: int = 4, is_integer: bool, dtype: str = "INT8") -> bytes:
    """The layers, one after the other."""
    builder = ModelBuilder()
    here = builder.tensor((1, width), dtype if is_integer else "FLOAT32", scale=FINE if is_integer else None, name="x")
    first = here
    for layer in layers:
        factor = layer.factor if layer.rounded is None or not is_integer else layer.rounded
        weights: npt.NDArray[np.generic] = (np.eye(width) * factor).astype(np.float32)
        if is_integer:
            weights = np.round(weights / FINE).astype(np.int8)
        constant = builder.constant(weights, scale=FINE if is_integer else None, name=f"{layer.name} weights")
        steps = layer.steps if is_integer else None
        there = builder.tensor((1, width), dtype if is_integer else "FLOAT32", scale=steps, name=layer.name)
        builder.op("FULLY_CONNECTED", [here, constant, -1], [there])
        here = there
    return builder.finish(inputs=[first], outputs=[here])


def pair(*layers: Layer, width: int = 4) -> tuple[bytes, bytes]:
    """A float model, and its integer one."""
    return chain(layers, width=width, is_integer=False), chain(layers, width=width, is_integer=True)


def classifier() -> tuple[bytes, bytes]:
    """A layer with coarse steps, whose largest value's index is the output."""

    def model(*, is_integer: bool) -> bytes:
        builder = ModelBuilder()
        dtype = "INT8" if is_integer else "FLOAT32"
        x = builder.tensor((1, 4), dtype, scale=COARSE if is_integer else None, name="x")
        index = builder.tensor((1,), "INT32", name="class")
        axis = builder.constant(np.array(1, np.int32), name="axis")
        builder.op("ARG_MAX", [x, axis], [index], outputType=2)
        return builder.finish(inputs=[x], outputs=[index])

    return model(is_integer=False), model(is_integer=True)


def remembering() -> tuple[bytes, bytes]:
    """SVDF with a memory of three inputs: half of the sum of the last three comes out, where that is positive."""

    def model(*, is_integer: bool) -> bytes:
        builder = ModelBuilder()
        dtype, state = ("INT8", "INT16") if is_integer else ("FLOAT32", "FLOAT32")

        def constant(values: list[list[float]] | list[float], steps: float, integers: type, name: str) -> int:
            reals = np.array(values, np.float32)
            stored = np.round(reals / steps).astype(integers) if is_integer else reals
            return builder.constant(stored, scale=steps if is_integer else None, name=name)

        def tensor(shape: tuple[int, ...], kind: str, steps: float, name: str, *, is_variable: bool = False) -> int:
            scale = steps if is_integer else None
            return builder.tensor(shape, kind, scale=scale, name=name, is_variable=is_variable)

        x, y = tensor((1, 1), dtype, FINE, "x"), tensor((1, 1), dtype, FINE, "y")
        memory = tensor((1, 3), state, FINE**2, "memory", is_variable=True)
        features = constant([[1.0]], FINE, np.int8, "features")
        time = constant([[0.5, 0.5, 0.5]], 2.0**-10, np.int16, "time")
        bias = constant([0.0], FINE**2 * 2.0**-10, np.int32, "bias")
        builder.op("SVDF", [x, features, time, bias, memory], [y], rank=1, fusedActivationFunction="RELU")
        return builder.finish(inputs=[x], outputs=[y])

    return model(is_integer=False), model(is_integer=True)


def split() -> tuple[bytes, bytes]:
    """An op with two outputs, of which the second is the first's partner in a sum."""

    def model(*, is_integer: bool) -> bytes:
        builder = ModelBuilder()
        dtype, steps = ("INT8", FINE) if is_integer else ("FLOAT32", None)
        x = builder.tensor((1, 4), dtype, scale=steps, name="x")
        axis = builder.constant(np.array(1, np.int32), name="axis")
        halves = [builder.tensor((1, 2), dtype, scale=steps, name=name) for name in ("left", "right")]
        total = builder.tensor((1, 2), dtype, scale=COARSE if is_integer else None, name="sum")
        builder.op("SPLIT", [axis, x], halves, numSplits=2)
        builder.op("ADD", halves, [total])
        return builder.finish(inputs=[x], outputs=[total])

    return model(is_integer=False), model(is_integer=True)
