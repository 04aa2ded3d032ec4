"""Random models that TensorFlow Lite Micro accepts: one op of a kind each, or small graphs of many.

    random_op_model("CONV_2D", seed) -> bytes     every kind in KINDS
    random_graph(seed) -> bytes                   chains with residuals, branches and several inputs or outputs

The same seed gives the same bytes. Quantisation is as converters write it where a kernel relies on it (bias scale =
input scale x weight scale, fixed output scales of SOFTMAX and the like) and wide otherwise: zero points anywhere,
multipliers below and above 1, outputs that saturate.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from tflite_builder import ModelBuilder

from tinydeploy.benchmark.synthetic_network import Value

T = TypeVar("T")

_ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


class Net:
    """A model being built op by op; each method appends one op to ``x`` and returns its output."""

    def __init__(self, seed: int, *, wild: float, alike: bool = False) -> None:
        """``wild`` is the share of choices that real models do not have: outputs that mostly saturate, for example.

        ``alike``: the channels of a layer have scales of one order, and outputs of a ReLU begin at -128.
        """
        self.rng = np.random.default_rng(seed)
        self.wild = wild
        self.alike = alike
        self.builder = ModelBuilder()
        self.inputs: list[int] = []

    # Choices

    def some(self, low: int, high: int) -> int:
        """An integer in low...high."""
        return int(self.rng.integers(low, high + 1))

    def maybe(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.some(0, len(choices) - 1)]

    def scale(self) -> float:
        return float(np.float32(10 ** self.rng.uniform(-3.0, -0.3)))

    def zero_point(self) -> int:
        return self.one_of([-128, 127, self.some(-128, 127)]) if self.maybe(self.wild) else self.some(-60, 60)

    def int8(self, shape: Sequence[int], low: int = -128) -> np.ndarray:
        return self.rng.integers(low, 128, tuple(shape)).astype(np.int8)

    def image(self) -> tuple[int, int, int, int]:
        return (1, self.some(1, 9), self.some(1, 9), self.some(1, 8))

    def anything(self, most: int = 4) -> tuple[int, ...]:
        """A shape of 1 to ``most`` dimensions with batch 1."""
        return (1, *(self.some(1, 6) for _ in range(self.some(0, most - 1))))

    # Tensors

    def input(self, shape: Sequence[int], dtype: str = "INT8", *, like: Value | None = None) -> Value:
        scale, zero_point = (like.scale, like.zero_point) if like else (self.scale(), self.zero_point())
        if dtype == "INT16":
            zero_point = 0
        elif dtype == "UINT8":
            zero_point += 128
        quantization = {} if dtype == "FLOAT32" else {"scale": scale, "zero_point": zero_point}
        index = self.builder.tensor(shape, dtype, **quantization)
        self.inputs.append(index)
        return Value(index, tuple(shape), scale, zero_point)

    def output(
        self, shape: Sequence[int], scale: float | None = None, zero_point: int | None = None, dtype: str = "INT8"
    ) -> Value:
        scale = self.scale() if scale is None else float(np.float32(scale))
        zero_point = self.zero_point() if zero_point is None else zero_point
        quantization = {} if dtype == "FLOAT32" else {"scale": scale, "zero_point": zero_point}
        return Value(self.builder.tensor(shape, dtype, **quantization), tuple(shape), scale, zero_point)

    def activated(self, shape: Sequence[int], spread: float) -> tuple[Value, str]:
        """An output, and a fused activation, for real values whose standard deviation is ``spread``."""
        if self.maybe(self.wild):
            return self.output(shape, spread / 40 * 10 ** self.rng.uniform(-1.0, 1.0)), self.one_of(_ACTIVATIONS)
        fitting = ["NONE", "RELU"]
        fitting += ["RELU6"] if 1 < spread < 20 else []
        fitting += ["RELU_N1_TO_1"] if 0.2 < spread < 4 else []
        activation = self.one_of(fitting)
        reach = {"RELU6": 3.0, "RELU_N1_TO_1": 1.0, "RELU": spread}.get(activation, 2 * spread)
        zero_point = self.one_of([-128, self.some(-128, -100)]) if activation in {"RELU", "RELU6"} else None
        zero_point = -128 if zero_point is not None and self.alike else zero_point
        return self.output(shape, reach / 128 * 10 ** self.rng.uniform(-0.1, 0.3), zero_point), activation

    def same(self, x: Value, shape: Sequence[int]) -> Value:
        """An output with the quantisation of ``x``, for ops that only move values."""
        return self.output(shape, x.scale, x.zero_point)

    def int32(self, *values: int) -> int:
        return self.builder.constant(np.asarray(values, np.int32))

    def finish(self, *outputs: Value) -> bytes:
        return self.builder.finish(inputs=self.inputs, outputs=[value.index for value in outputs])

    # Ops with weights

    def _weighted(
        self, x: Value, shape: tuple[int, ...], channel_axis: int, terms: int, dead: float = 0
    ) -> tuple[list[int], float]:
        """Weights and maybe a bias of a layer that sums ``terms`` products; also the deviation of its sums.

        ``dead`` is a share of channels whose sums are always far below 0.
        """
        channels = shape[channel_axis]
        per_channel = self.maybe(0.7)
        scales = np.asarray([self.scale() for _ in range(channels if per_channel else 1)], np.float32)
        if self.alike:
            scales = (scales[:1] * self.rng.uniform(0.5, 1, len(scales))).astype(np.float32)
        low = -128 if self.alike and self.maybe(0.1) else -127  # converters avoid it
        values, is_dead = self.int8(shape, low), np.zeros(channels, np.bool_)
        if dead:
            is_dead = self.rng.random(channels) < dead
            np.moveaxis(values, channel_axis, 0)[is_dead] = 0
        weights = self.builder.constant(values, scale=scales, axis=channel_axis)
        # Standard deviation of a sum of products of uniform int8 values; the bias has the same order.
        spread = math.sqrt(terms) * 74 * 74
        indices = [x.index, weights]
        if dead or self.maybe(0.85):
            bias = (self.rng.normal(0, spread, channels)).astype(np.int32)
            bias[is_dead] = -100 * spread
            indices.append(self.builder.constant(bias, scale=np.float32(x.scale) * scales, axis=0))
        return indices, float(x.scale * scales.max() * spread)

    def _window(self, x: Value, filter_h: int, filter_w: int, stride: Sequence[int], dilation: Sequence[int]):
        """A padding for which the window fits, and the output's height and width."""
        spans = [(filter_h - 1) * dilation[0] + 1, (filter_w - 1) * dilation[1] + 1]
        fits = spans[0] <= x.shape[1] and spans[1] <= x.shape[2]
        padding = "VALID" if fits and self.maybe() else "SAME"
        sizes = [
            -(-size // step) if padding == "SAME" else (size - span) // step + 1
            for size, span, step in zip(x.shape[1:3], spans, stride, strict=True)
        ]
        return padding, sizes

    def conv_2d(
        self,
        x: Value,
        *,
        keep_size: bool = False,
        channels: int | None = None,
        window: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        dead: float = 0,
    ) -> Value:
        """With a random ``window`` and ``stride`` where they are not given, and then maybe dilated."""
        filter_h, filter_w = window or (self.some(1, 4), self.some(1, 4))
        stride = stride or ((1, 1) if keep_size else (self.some(1, 3), self.some(1, 3)))
        dilation = (self.some(1, 3), self.some(1, 3)) if not window and self.maybe(0.3) else (1, 1)
        channels = channels or self.some(1, 9)
        padding, sizes = self._window(x, filter_h, filter_w, stride, dilation)
        if keep_size:
            padding, sizes = "SAME", list(x.shape[1:3])
        shape = (channels, filter_h, filter_w, x.shape[3])
        indices, spread = self._weighted(x, shape, 0, filter_h * filter_w * x.shape[3], dead)
        y, activation = self.activated((1, *sizes, channels), spread)
        self._convolve("CONV_2D", indices, y, activation, padding, stride, dilation)
        return y

    def depthwise_conv_2d(
        self,
        x: Value,
        *,
        keep_size: bool = False,
        window: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        multiplier: int | None = None,
        dead: float = 0,
    ) -> Value:
        """With a random ``window`` and ``stride`` where they are not given, and then maybe dilated."""
        filter_h, filter_w = window or (self.some(1, 4), self.some(1, 4))
        stride = stride or (self.some(1, 3), self.some(1, 3))
        dilation = (self.some(1, 3), self.some(1, 3)) if not window and self.maybe(0.3) else (1, 1)
        multiplier = multiplier or self.one_of([1, 1, 2, 3])
        padding, sizes = self._window(x, filter_h, filter_w, stride, dilation)
        if keep_size:
            padding, sizes = "SAME", [-(-size // step) for size, step in zip(x.shape[1:3], stride, strict=True)]
        shape = (1, filter_h, filter_w, x.shape[3] * multiplier)
        indices, spread = self._weighted(x, shape, 3, filter_h * filter_w, dead)
        y, activation = self.activated((1, *sizes, shape[3]), spread)
        more = {"depthMultiplier": multiplier}
        self._convolve("DEPTHWISE_CONV_2D", indices, y, activation, padding, stride, dilation, **more)
        return y

    def _convolve(
        self, kind: str, indices, y: Value, activation: str, padding: str, stride, dilation, **more: int
    ) -> None:
        self.builder.op(
            kind,
            indices,
            [y.index],
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
            fusedActivationFunction=activation,
            **more,
        )

    def fully_connected(self, x: Value, units: int | None = None, *, rows: bool = False) -> Value:
        """Of all values of ``x``, or row by row along its last dimension."""
        units = units or self.some(1, 12)
        keep = rows or (len(x.shape) > 1 and self.maybe(0.3))
        depth = x.shape[-1] if keep or self.maybe(0.3) else math.prod(x.shape)
        indices, spread = self._weighted(x, (units, depth), 0, depth)
        shape = (*x.shape[:-1], units) if keep else (math.prod(x.shape) // depth, units)
        y, activation = self.activated(shape, spread)
        options = {"fusedActivationFunction": activation, "keepNumDims": keep}
        self.builder.op("FULLY_CONNECTED", indices, [y.index], **options)
        return y

    # Arithmetic and activations

    def arithmetic(self, kind: str, x: Value, other: Value) -> Value:
        shape = np.broadcast_shapes(x.shape, other.shape)
        spread = 74 * 74 * x.scale * other.scale if kind == "MUL" else 100 * max(x.scale, other.scale)
        y, activation = self.activated(shape, spread)
        left, right = (x, other) if self.maybe() else (other, x)
        self.builder.op(kind, [left.index, right.index], [y.index], fusedActivationFunction=activation)
        return y

    def operand(self, x: Value) -> Value:
        """A second operand that broadcasts with ``x``: an input or a constant."""
        shape = tuple(1 if self.maybe(0.3) else size for size in x.shape)
        shape = self.one_of([x.shape, x.shape, shape, shape[self.some(0, len(shape)) :]])
        shape = shape or (1,)
        if self.maybe(0.6) and (len(shape) == 1 or shape[0] == 1):
            return self.input(shape)
        scale, zero_point = self.scale(), self.zero_point()
        index = self.builder.constant(self.int8(shape), scale=scale, zero_point=zero_point)
        return Value(index, shape, scale, zero_point)

    def pool(self, kind: str, x: Value, window: tuple[int, int] | None = None) -> Value:
        """With random steps, or those of the ``window`` given."""
        filter_h, filter_w = window or (self.some(1, 4), self.some(1, 4))
        stride = window or (self.some(1, 3), self.some(1, 3))
        padding, sizes = self._window(x, filter_h, filter_w, stride, (1, 1))
        y = self.same(x, (1, *sizes, x.shape[3]))
        self.builder.op(
            kind,
            [x.index],
            [y.index],
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            filterHeight=filter_h,
            filterWidth=filter_w,
            fusedActivationFunction=self.one_of(_ACTIVATIONS) if self.maybe(self.wild) else "NONE",
        )
        return y

    def mean(self, x: Value, axes: Sequence[int] = ()) -> Value:
        rank = len(x.shape)
        axes = axes or ([1, 2] if rank == 4 and self.maybe() else self._axes(rank))
        keep = self.maybe()
        resolved = {axis % rank for axis in axes}
        shape = [1 if i in resolved else size for i, size in enumerate(x.shape) if keep or i not in resolved]
        y = self.output(shape, x.scale * 10 ** self.rng.uniform(-0.5, 0.1), x.zero_point)
        self.builder.op("MEAN", [x.index, self.int32(*axes)], [y.index], keepDims=keep)
        return y

    def _axes(self, rank: int) -> list[int]:
        """Some dimensions but the first, counted from either end."""
        chosen = self.rng.permutation(np.arange(1, rank))[: self.some(1, max(1, rank - 1))]
        return [int(axis) - (rank if self.maybe(0.3) else 0) for axis in chosen]

    def unary(self, kind: str, x: Value) -> Value:
        """An op with one input and one output of its shape."""
        fixed = {"SOFTMAX": (1 / 256, -128), "LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
        if kind in fixed:
            y = self.output(x.shape, *fixed[kind])
        else:
            zero_point = None if self.maybe(self.wild) else x.zero_point
            y = self.output(x.shape, x.scale * 10 ** self.rng.uniform(-0.2, 0.3), zero_point)
        options = {"SOFTMAX": {"beta": self.one_of([1.0, 1.0, 0.5, 2.0])}, "LEAKY_RELU": {"alpha": self._alpha()}}
        self.builder.op(kind, [x.index], [y.index], **options.get(kind, {}))
        return y

    def _alpha(self) -> float:
        return float(np.float32(self.one_of([0.01, 0.1, 0.2, 0.3, self.rng.uniform(0, 1)])))

    def quantize(self, x: Value, dtype: str) -> Value:
        """To another integer type, or another scale of int8."""
        zero_point = {"INT16": 0, "UINT8": self.some(0, 255)}.get(dtype)
        scale = x.scale * 10 ** self.rng.uniform(-0.3, 0.6)
        y = self.output(x.shape, scale, zero_point, dtype)
        self.builder.op("QUANTIZE", [x.index], [y.index])
        return y

    def dequantize(self, x: Value) -> Value:
        y = self.output(x.shape, dtype="FLOAT32")
        self.builder.op("DEQUANTIZE", [x.index], [y.index])
        return y

    # Moving values

    def reshape(self, x: Value, shape: Sequence[int] | None = None) -> Value:
        count = math.prod(x.shape)
        divisor = self.one_of([i for i in range(1, count + 1) if count % i == 0])
        shape = shape or self.one_of([(1, count), (1, divisor, count // divisor), (1, divisor, 1, count // divisor)])
        y = self.same(x, shape)
        self.builder.op("RESHAPE", [x.index, self.int32(*shape)], [y.index], newShape=list(shape))
        return y

    def squeeze(self, x: Value) -> Value:
        ones = [i for i, size in enumerate(x.shape) if size == 1 and i > 0]
        dims = [i for i in ones if self.maybe()]
        y = self.same(x, [size for i, size in enumerate(x.shape) if i not in dims])
        if dims:
            self.builder.op("SQUEEZE", [x.index], [y.index], squeezeDims=dims)
        else:  # no dimensions named: all that are 1
            y = self.same(x, [size for size in x.shape if size != 1] or [1])
            self.builder.op("SQUEEZE", [x.index], [y.index])
        return y

    def expand_dims(self, x: Value) -> Value:
        axis = self.some(1, len(x.shape))
        y = self.same(x, (*x.shape[:axis], 1, *x.shape[axis:]))
        self.builder.op("EXPAND_DIMS", [x.index, self.int32(axis)], [y.index])
        return y

    def pad(self, x: Value, sides: Sequence[Sequence[int]] = ()) -> Value:
        """With so many values before and behind in each dimension, or random ones."""
        paddings = np.array(sides or self.rng.integers(0, 4, (len(x.shape), 2)), np.int32)
        paddings[0] = 0
        y = self.same(x, [size + int(sum(pad)) for size, pad in zip(x.shape, paddings, strict=True)])
        self.builder.op("PAD", [x.index, self.builder.constant(paddings)], [y.index])
        return y

    def concatenation(self, parts: Sequence[Value], axis: int) -> Value:
        """Joins values of one quantisation along ``axis``."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        y = self.same(parts[0], shape)
        shown = axis - (len(shape) if self.maybe(0.3) else 0)
        self.builder.op("CONCATENATION", [part.index for part in parts], [y.index], axis=shown)
        return y

    def transpose(self, x: Value) -> Value:
        order = [0, *(int(i) + 1 for i in self.rng.permutation(len(x.shape) - 1))]
        y = self.same(x, [x.shape[i] for i in order])
        self.builder.op("TRANSPOSE", [x.index, self.int32(*order)], [y.index])
        return y

    def strided_slice(self, x: Value) -> Value:
        """Slices with steps of either sign, out-of-range bounds and masks; never empty, never without a batch."""
        starts, ends, steps, sizes = [0], [1], [1], [1]
        masks = {"beginMask": 0, "endMask": 0, "shrinkAxisMask": 0}
        for i, size in enumerate(x.shape[1:], 1):
            start, end, step, mask = self._slice(size)
            starts, ends, steps = [*starts, start], [*ends, end], [*steps, step]
            masks = {name: bits | (mask.get(name, 0) << i) for name, bits in masks.items()}
            if not mask.get("shrinkAxisMask"):
                begin = None if mask.get("beginMask") else start
                stop = None if mask.get("endMask") else end
                sizes.append(len(range(*slice(begin, stop, step).indices(size))))
        y = self.same(x, sizes)
        parameters = [self.int32(*values) for values in (starts, ends, steps)]
        self.builder.op("STRIDED_SLICE", [x.index, *parameters], [y.index], **masks)
        return y

    def _slice(self, size: int) -> tuple[int, int, int, dict[str, int]]:
        if self.maybe(0.2):
            index = self.some(-size, size - 1)
            return index, index + 1, 1, {"shrinkAxisMask": 1}
        while True:
            start, end = self.some(-size - 1, size + 1), self.some(-size - 1, size + 1)
            step = self.one_of([1, 1, 2, 3, -1, -2])
            mask = {"beginMask": int(self.maybe(0.3)), "endMask": int(self.maybe(0.3))}
            begin, stop = (None if mask["beginMask"] else start), (None if mask["endMask"] else end)
            if range(*slice(begin, stop, step).indices(size)):
                return start, end, step, mask

    def resize_nearest_neighbor(self, x: Value) -> Value:
        height, width = self.some(1, 12), self.some(1, 12)
        y = self.same(x, (1, height, width, x.shape[3]))
        options = self.one_of([{}, {"alignCorners": True}, {"halfPixelCenters": True}])
        self.builder.op("RESIZE_NEAREST_NEIGHBOR", [x.index, self.int32(height, width)], [y.index], **options)
        return y

    def split(self, x: Value, axis: int, parts: int) -> list[Value]:
        shape = list(x.shape)
        shape[axis] //= parts
        outputs = [self.same(x, shape) for _ in range(parts)]
        shown = axis - (len(shape) if self.maybe(0.3) else 0)
        index = self.builder.constant(np.asarray(shown, np.int32))
        self.builder.op("SPLIT", [index, x.index], [y.index for y in outputs], numSplits=parts)
        return outputs


def _with_image(method: Callable[[Net, Value], Value]) -> Callable[[Net], list[Value]]:
    return lambda net: [method(net, net.input(net.image()))]


def _with_anything(method: Callable[[Net, Value], Value]) -> Callable[[Net], list[Value]]:
    return lambda net: [method(net, net.input(net.anything()))]


def _arithmetic(kind: str) -> Callable[[Net], list[Value]]:
    def build(net: Net) -> list[Value]:
        x = net.input(net.anything())
        return [net.arithmetic(kind, x, net.operand(x))]

    return build


def _unary(kind: str) -> Callable[[Net], list[Value]]:
    return lambda net: [net.unary(kind, net.input(net.anything()))]


def _pool(kind: str) -> Callable[[Net], list[Value]]:
    return lambda net: [net.pool(kind, net.input(net.image()))]


def _mean(net: Net) -> list[Value]:
    return [net.mean(net.input((1, *(net.some(1, 8) for _ in range(net.some(1, 3))))))]


def _quantize(net: Net) -> list[Value]:
    source, target = net.one_of(
        [("INT8", "INT8"), ("INT8", "UINT8"), ("UINT8", "INT8"), ("INT8", "INT16"), ("INT16", "INT8")]
    )
    return [net.quantize(net.input(net.anything(), source), target)]


def _dequantize(net: Net) -> list[Value]:
    return [net.dequantize(net.input(net.anything(), net.one_of(["INT8", "INT8", "UINT8", "INT16"])))]


def _concatenation(net: Net) -> list[Value]:
    first = net.input(net.anything())
    axis = net.some(1, len(first.shape) - 1) if len(first.shape) > 1 else 0
    parts = [first]
    for _ in range(net.some(1, 3)):
        shape = list(first.shape)
        shape[axis] = net.some(1, 5)
        parts.append(net.input(shape, like=first))
    return [net.concatenation(parts, axis)]


def _split(net: Net) -> list[Value]:
    shape, parts = [*net.anything(), net.some(1, 5)], net.some(1, 4)
    axis = net.some(1, len(shape) - 1)
    shape[axis] *= parts
    return net.split(net.input(shape), axis, parts)


_BUILDERS: dict[str, Callable[[Net], list[Value]]] = {
    "ADD": _arithmetic("ADD"),
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "CONCATENATION": _concatenation,
    "CONV_2D": _with_image(Net.conv_2d),
    "DEPTHWISE_CONV_2D": _with_image(Net.depthwise_conv_2d),
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _with_anything(Net.expand_dims),
    "FULLY_CONNECTED": _with_anything(Net.fully_connected),
    "HARD_SWISH": _unary("HARD_SWISH"),
    "LEAKY_RELU": _unary("LEAKY_RELU"),
    "LOGISTIC": _unary("LOGISTIC"),
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
    "MEAN": _mean,
    "MUL": _arithmetic("MUL"),
    "PAD": _with_anything(Net.pad),
    "QUANTIZE": _quantize,
    "RELU": _unary("RELU"),
    "RELU6": _unary("RELU6"),
    "RESHAPE": _with_anything(Net.reshape),
    "RESIZE_NEAREST_NEIGHBOR": _with_image(Net.resize_nearest_neighbor),
    "SOFTMAX": _unary("SOFTMAX"),
    "SPLIT": _split,
    "SQUEEZE": _with_anything(Net.squeeze),
    "STRIDED_SLICE": _with_anything(Net.strided_slice),
    "SUB": _arithmetic("SUB"),
    "TANH": _unary("TANH"),
    "TRANSPOSE": _with_anything(Net.transpose),
}
KINDS = tuple(_BUILDERS)


def random_op_model(kind: str, seed: int) -> bytes:
    """A model of one op of ``kind``."""
    net = Net(seed, wild=0.2)
    return net.finish(*_BUILDERS[kind](net))


def random_graph(seed: int) -> bytes:
    """A small image network: blocks of one to four ops, then maybe a classifier; sometimes a second output."""
    net = Net(seed, wild=0.02)
    x = net.input((1, net.some(4, 10), net.some(4, 10), net.some(1, 4)))
    for _ in range(net.some(2, 5)):
        x = net.one_of(_BLOCKS)(net, x)
    outputs = [x]
    if net.maybe(0.7):
        features = net.mean(x) if net.maybe() else net.reshape(x, (1, math.prod(x.shape)))
        logits = net.fully_connected(net.reshape(features, (1, math.prod(features.shape))), units=net.some(2, 6))
        outputs = [net.unary("SOFTMAX", logits), *([logits] if net.maybe(0.3) else [])]
    return net.finish(*outputs)


def _residual(net: Net, x: Value) -> Value:
    branch = net.conv_2d(x, keep_size=True, channels=x.shape[3])
    return net.arithmetic(net.one_of(["ADD", "ADD", "SUB", "MUL"]), x, branch)


def _branches(net: Net, x: Value) -> Value:
    """Two branches that meet in a concatenation, one of them requantised to fit the other."""
    left, right = net.conv_2d(x, keep_size=True), net.conv_2d(x, keep_size=True)
    fitting = net.output(right.shape, left.scale, left.zero_point)
    net.builder.op("QUANTIZE", [right.index], [fitting.index])
    return net.concatenation([left, fitting], 3)


def _split_and_join(net: Net, x: Value) -> Value:
    wide = net.conv_2d(x, keep_size=True, channels=4)
    left, right = net.split(wide, 3, 2)
    return net.arithmetic("ADD", left, right)


def _second_input(net: Net, x: Value) -> Value:
    return net.arithmetic("ADD", x, net.input(net.one_of([x.shape, (1, 1, 1, x.shape[3])])))


_BLOCKS: tuple[Callable[[Net, Value], Value], ...] = (
    Net.conv_2d,
    Net.conv_2d,
    Net.depthwise_conv_2d,
    Net.depthwise_conv_2d,
    _residual,
    _residual,
    _branches,
    _split_and_join,
    _second_input,
    Net.pad,
    Net.transpose,
    Net.resize_nearest_neighbor,
    lambda net, x: net.pool(net.one_of(["AVERAGE_POOL_2D", "MAX_POOL_2D"]), x),
    lambda net, x: net.unary(net.one_of(["RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH"]), x),
)
