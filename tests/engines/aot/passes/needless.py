"""Models with needless channels: constant ones, and ones that nothing reads. Chance makes few of them."""

import math
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from random_graphs import random_graph
from tflite_builder import ModelBuilder, opened

_LARGE = 20_000_000
"""A bias that no sum of the products in these models makes up for."""


class Layers:
    """A model being built of layers with random weights; each method returns the index of its output.

    Every activation has the scale 0.1 and the zero point -128, so that a channel at its lowest value is at its zero
    point too. ``low`` and ``high`` list channels that are constant, at -128 and at 127.
    """

    def __init__(self, seed: int = 0) -> None:
        self.builder = ModelBuilder()
        self.rng = np.random.default_rng(seed)

    def tensor(self, *shape: int, scale: float = 0.1, zero_point: int = -128) -> int:
        return self.builder.tensor(shape, scale=scale, zero_point=zero_point)

    def shape(self, index: int) -> tuple[int, ...]:
        return tuple(self.builder.graph.tensors[index].shape)

    def int32(self, *values: int | Sequence[int]) -> int:
        return self.builder.constant(np.asarray(values, np.int32))

    def conv(
        self,
        x: int,
        channels: int,
        *,
        size: int = 1,
        padding: str = "VALID",
        stride: int = 1,
        low: Sequence[int] = (),
        high: Sequence[int] = (),
        unread: Sequence[int] = (),
        taps: Sequence[int] | None = None,
        activation: str = "NONE",
    ) -> int:
        """CONV_2D; weights are 0 of the inputs ``unread``, and of all taps but ``taps`` where these are given."""
        _, height, width, depth = self.shape(x)
        weights = self.rng.integers(-127, 128, (channels, size * size, depth)).astype(np.int8)
        weights[np.arange(channels), :, np.arange(channels) % depth] = 100  # no sum is below 0 whatever the input is
        weights[:, :, list(unread)] = 0
        if taps is not None:
            weights[:, [tap for tap in range(size * size) if tap not in taps]] = 0
        weights = weights.reshape(channels, size, size, depth)
        y = self.tensor(1, *_outputs((height, width), size, stride, padding), channels)
        inputs = [x, self._weights(weights), self._bias(channels, low, high)]
        self.builder.op("CONV_2D", inputs, [y], **_window(padding, stride), fusedActivationFunction=activation)
        return y

    def depthwise(
        self,
        x: int,
        *,
        multiplier: int = 1,
        padding: str = "SAME",
        low: Sequence[int] = (),
        high: Sequence[int] = (),
    ) -> int:
        """DEPTHWISE_CONV_2D of 3x3."""
        _, height, width, depth = self.shape(x)
        channels = depth * multiplier
        weights = self.rng.integers(-127, 128, (1, 3, 3, channels)).astype(np.int8)
        weights[:, 1, 1] = 100
        y = self.tensor(1, *_outputs((height, width), 3, 1, padding), channels)
        inputs = [x, self._weights(weights, axis=3), self._bias(channels, low, high)]
        self.builder.op("DEPTHWISE_CONV_2D", inputs, [y], **_window(padding, 1), depthMultiplier=multiplier)
        return y

    def dense(self, x: int, units: int, *, low: Sequence[int] = (), high: Sequence[int] = ()) -> int:
        """FULLY_CONNECTED of all elements of ``x``."""
        weights = self.rng.integers(-127, 128, (units, math.prod(self.shape(x)))).astype(np.int8)
        weights[np.arange(units), np.arange(units) % weights.shape[1]] = 100
        y = self.tensor(1, units)
        self.builder.op("FULLY_CONNECTED", [x, self._weights(weights), self._bias(units, low, high)], [y])
        return y

    def op(self, kind: str, inputs: Sequence[int], shape: Sequence[int], **options: object) -> int:
        """Any op with one output."""
        y = self.tensor(*shape)
        self.builder.op(kind, inputs, [y], **options)
        return y

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        return self.builder.finish(inputs=inputs, outputs=outputs)

    def _weights(self, values: np.ndarray, axis: int = 0) -> int:
        scales = self.rng.uniform(0.002, 0.006, values.shape[axis])
        return self.builder.constant(values, scale=scales, axis=axis)

    def _bias(self, channels: int, low: Sequence[int], high: Sequence[int]) -> int:
        bias = self.rng.integers(-2000, 2000, channels).astype(np.int32)
        bias[list(low)], bias[list(high)] = -_LARGE, _LARGE
        return self.builder.constant(bias)


def _outputs(sizes: tuple[int, int], window: int, stride: int, padding: str) -> list[int]:
    return [-(-size // stride) if padding == "SAME" else (size - window) // stride + 1 for size in sizes]


def _window(padding: str, stride: int) -> dict[str, object]:
    return {"padding": padding, "strideH": stride, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}


_MIXING = {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED}


def needless_graph(seed: int) -> bytes:
    """`random_graph`, but in every layer with weights some biases are large, and some inputs have weights of 0 only."""
    rng = np.random.default_rng(seed)
    builder = opened(random_graph(seed))
    for op in builder.graph.operators:
        kind = builder.model.operatorCodes[op.opcodeIndex].builtinCode
        if kind not in {*_MIXING, schema.BuiltinOperator.DEPTHWISE_CONV_2D}:
            continue
        if len(op.inputs) > 2:
            bias = _values(builder, op.inputs[2], np.int32)
            chosen = rng.random(bias.shape) < rng.choice([0.2, 0.5, 0.9])
            bias[chosen] = rng.choice([-_LARGE, -_LARGE, _LARGE], bias.shape)[chosen]
            _set(builder, op.inputs[2], bias)
        if kind in _MIXING:
            weights = _values(builder, op.inputs[1], np.int8)
            weights[..., rng.random(weights.shape[-1]) < rng.choice([0, 0.3])] = 0
            _set(builder, op.inputs[1], weights)
    return builder.finish(inputs=builder.graph.inputs, outputs=builder.graph.outputs)


def _values(builder: ModelBuilder, index: int, dtype: type) -> np.ndarray:
    tensor = builder.graph.tensors[index]
    return np.frombuffer(builder.model.buffers[tensor.buffer].data, dtype).reshape(tensor.shape).copy()


def _set(builder: ModelBuilder, index: int, values: np.ndarray) -> None:
    builder.model.buffers[builder.graph.tensors[index].buffer].data = values.tobytes()
