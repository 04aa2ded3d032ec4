"""The layers of synthetic networks: each function draws one and appends it, or none where no tensor suits it."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinydeploy.benchmark.synthetic_network import SyntheticNetwork, Value

_MOST_MACS = 600_000
_MOST_VALUES = 16_000
"""Of one layer: the emulator has to run it, and the smallest board to hold it."""


def draw_image(net: SyntheticNetwork) -> None:
    """An image of another size: sometimes tall, sometimes of one row."""
    x = net.image(lambda value: value.shape[3] <= 8)
    height, width = net.size(4, 40), net.size(4, 40)
    if net.maybe(0.08):
        height = 1
    assert x is not None
    if not net.resizes:
        _pad_to(net, x, max(height, x.shape[1]), max(width, x.shape[2]))
    elif height * width * x.shape[3] <= _MOST_VALUES:
        y = net.value((1, height, width, x.shape[3]), x.scale, x.zero_point)
        net.op("RESIZE_NEAREST_NEIGHBOR", [x, net.constant(height, width)], y)


def _pad_to(net: SyntheticNetwork, x: Value, height: int, width: int) -> None:
    if height * width * x.shape[3] <= _MOST_VALUES:
        sides = np.array([[0, 0], [0, height - x.shape[1]], [0, width - x.shape[2]], [0, 0]], np.int32)
        y = net.value((1, height, width, x.shape[3]), x.scale, x.zero_point)
        net.op("PAD", [x, net.builder.constant(sides)], y)


def _window(
    net: SyntheticNetwork, x: Value, kernel: tuple[int, int], stride: tuple[int, int], dilation: int
) -> tuple[str, tuple[int, int]]:
    """The padding, and the output's size."""
    spans = [(taps - 1) * dilation + 1 for taps in kernel]
    fits = all(span <= size for span, size in zip(spans, x.shape[1:3], strict=True))
    if fits and net.maybe(0.3):
        height, width = (
            (size - span) // step + 1 for size, span, step in zip(x.shape[1:3], spans, stride, strict=True)
        )
        return "VALID", (height, width)
    height, width = (-(-size // step) for size, step in zip(x.shape[1:3], stride, strict=True))
    return "SAME", (height, width)


def _convolve(net: SyntheticNetwork, kernel: tuple[int, int], stride: tuple[int, int], dilation: int = 1) -> None:
    x = net.image(lambda value: value.shape[3] <= 160)
    assert x is not None
    padding, (height, width) = _window(net, x, kernel, stride, dilation)
    channels = net.channels()
    depth = kernel[0] * kernel[1] * x.shape[3]
    while channels > 1 and (height * width * channels * depth > _MOST_MACS or height * width * channels > _MOST_VALUES):
        channels //= 2
    if height * width * channels * depth > _MOST_MACS:
        return
    inputs, spread = net.weights(x, (channels, *kernel, x.shape[3]), 0, depth, per_channel=net.maybe(0.9))
    y, activation = net.activated((1, height, width, channels), spread)
    _windowed(net, "CONV_2D", inputs, y, (padding, stride, dilation, activation))


def _windowed(
    net: SyntheticNetwork,
    kind: str,
    inputs: Sequence[Value | int],
    y: Value,
    how: tuple[str, tuple[int, int], int, str],
    **more: int,
) -> None:
    padding, stride, dilation, activation = how
    net.op(
        kind,
        inputs,
        y,
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        fusedActivationFunction=activation,
        **more,
    )


def _pointwise(net: SyntheticNetwork) -> None:
    _convolve(net, (1, 1), (1, 1))


def _strided_pointwise(net: SyntheticNetwork) -> None:
    _convolve(net, (1, 1), (2, 2))


def _conv(net: SyntheticNetwork) -> None:
    kernel = ((3, 3), (3, 3), (3, 3), (5, 5), (1, 3), (10, 4), (2, 2), (3, 1), (7, 7), (4, 4))[net.below(10)]
    stride = ((1, 1), (1, 1), (2, 2), (2, 1))[net.below(4)]
    _convolve(net, kernel, stride, dilation=2 if net.maybe(0.07) else 1)


def _depthwise(net: SyntheticNetwork, kernel: tuple[int, int], *, multiplier: int = 1, dilation: int = 1) -> None:
    x = net.image(lambda value: (value.shape[3] == 1) == (multiplier > 4))
    if x is None:
        return
    stride = ((1, 1), (1, 1), (2, 2))[net.below(3)]
    padding, (height, width) = _window(net, x, kernel, stride, dilation)
    channels = x.shape[3] * multiplier
    if height * width * channels > _MOST_VALUES or height * width * channels * math.prod(kernel) > _MOST_MACS:
        return
    inputs, spread = net.weights(x, (1, *kernel, channels), 3, math.prod(kernel), per_channel=net.maybe(0.9))
    y, activation = net.activated((1, height, width, channels), spread)
    _windowed(net, "DEPTHWISE_CONV_2D", inputs, y, (padding, stride, dilation, activation), depthMultiplier=multiplier)


def _depthwise_3x3(net: SyntheticNetwork) -> None:
    _depthwise(net, (3, 3), dilation=2 if net.maybe(0.05) else 1)


def _depthwise_other(net: SyntheticNetwork) -> None:
    kernel = ((5, 5), (3, 1), (1, 3), (7, 7), (4, 4), (2, 2), (9, 1), (10, 8))[net.below(8)]
    _depthwise(net, kernel)


def _depthwise_multiplied(net: SyntheticNetwork) -> None:
    kernel = ((3, 3), (3, 3), (5, 5), (10, 4))[net.below(4)]
    _depthwise(net, kernel, multiplier=2 + net.below(3))


def _depthwise_of_one(net: SyntheticNetwork) -> None:
    """Of an image with one channel, which is made where there is none: many channels of it."""
    if net.image(lambda value: value.shape[3] == 1 and min(value.shape[1:3]) > 3) is None:
        x = net.image(lambda value: min(value.shape[1:3]) > 3)
        if x is not None:
            inputs, spread = net.weights(x, (1, 1, 1, x.shape[3]), 0, x.shape[3], per_channel=True)
            y, activation = net.activated((1, *x.shape[1:3], 1), spread)
            _windowed(net, "CONV_2D", inputs, y, ("SAME", (1, 1), 1, activation))
    kernel = ((3, 3), (5, 5), (10, 8), (10, 4), (8, 8))[net.below(5)]
    _depthwise(net, kernel, multiplier=5 + net.below(12))


def _fully_connected(net: SyntheticNetwork) -> None:
    """Of all values of an image, or of each of its pixels."""
    is_rowwise = net.maybe(0.2)
    x = net.image(lambda value: is_rowwise or math.prod(value.shape) <= 2048)
    if x is None:
        return
    rows = math.prod(x.shape[1:3]) if is_rowwise else 1
    depth = math.prod(x.shape) // rows
    _dense(net, x, rows, min(net.size(1, 200), max(1, min(_MOST_MACS // 2, 40_000 * rows) // (depth * rows))))


def _dense(net: SyntheticNetwork, x: Value, rows: int, units: int) -> Value:
    depth = math.prod(x.shape) // rows
    inputs, spread = net.weights(x, (units, depth), 0, depth, per_channel=net.maybe(0.4))
    flat = _reshaped(net, x, (rows, depth))
    y, activation = net.activated((rows, units), spread)
    net.op("FULLY_CONNECTED", [flat, *inputs[1:]], y, fusedActivationFunction=activation)
    return _reshaped(net, y, (1, rows, 1, units))


def _reshaped(net: SyntheticNetwork, x: Value, shape: tuple[int, ...]) -> Value:
    inputs: list[Value | int] = [x, net.constant(*shape)]
    return net.op("RESHAPE", inputs, net.value(shape, x.scale, x.zero_point), newShape=list(shape))


def _pool(net: SyntheticNetwork) -> None:
    x = net.image(lambda value: min(value.shape[1:3]) > 1)
    if x is None:
        return
    whole = net.maybe(0.3)
    kernel = (x.shape[1], x.shape[2]) if whole else ((2, 2), (2, 2), (3, 3))[net.below(3)]
    stride = kernel if whole else ((2, 2), (2, 2), (1, 1))[net.below(3)]
    padding, (height, width) = _window(net, x, kernel, stride, 1)
    y = net.value((1, height, width, x.shape[3]), x.scale, x.zero_point)
    kind = "AVERAGE_POOL_2D" if whole or net.maybe(0.5) else "MAX_POOL_2D"
    options = {"strideH": stride[0], "strideW": stride[1], "filterHeight": kernel[0], "filterWidth": kernel[1]}
    net.op(kind, [x], y, padding=padding, fusedActivationFunction="NONE", **options)


def _arithmetic(net: SyntheticNetwork) -> None:
    """Of two images of one shape, one of which is made where needed; sometimes with a number for each channel."""
    kind = ("ADD", "ADD", "ADD", "MUL", "SUB")[net.below(5)]
    x = net.image()
    assert x is not None
    other = net.image(lambda value: value.shape == x.shape and value is not x)
    if net.maybe(0.15) or other is None:
        shape = x.shape if net.maybe(0.5) else (1, 1, 1, x.shape[3])
        scale = float(10 ** net.rng.uniform(-2.5, -0.5))
        values = net.rng.integers(-128, 128, shape).astype(np.int8)
        other = Value(net.builder.constant(values, scale=scale, zero_point=net.below(40)), shape, scale, 0)
    spread = 74 * 74 * x.scale * other.scale if kind == "MUL" else 100 * max(x.scale, other.scale)
    y, activation = net.activated(x.shape, spread)
    net.op(kind, [x, other], y, fusedActivationFunction=activation)


def _unary(net: SyntheticNetwork) -> None:
    kind = ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "QUANTIZE")[net.below(7)]
    x = net.image(lambda value: math.prod(value.shape) <= 3000)
    if x is None:
        return
    fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
    y = net.value(x.shape, *fixed.get(kind, (x.scale * net.rng.uniform(0.7, 1.5), x.zero_point)))
    options = {"alpha": 0.1} if kind == "LEAKY_RELU" else {}
    net.op(kind, [x], y, **options)


def _softmax(net: SyntheticNetwork) -> None:
    x = net.image(lambda value: math.prod(value.shape) <= 600)
    if x is None:
        return
    rows, depth = (1, math.prod(x.shape)) if net.maybe(0.7) else (math.prod(x.shape[:3]), x.shape[3])
    if rows == 1 and depth > 24:  # a classifier has few
        x, depth = _sliced(net, x, 2 + net.below(20)), 0
        depth = math.prod(x.shape)
    flat = _reshaped(net, x, (rows, depth))
    y = net.op("SOFTMAX", [flat], net.value((rows, depth), 1 / 256, -128), beta=1.0)
    _reshaped(net, y, (1, rows, 1, depth))


def _sliced(net: SyntheticNetwork, x: Value, channels: int) -> Value:
    """The first channels of the first pixel."""
    y = net.value((1, 1, 1, min(channels, x.shape[3])), x.scale, x.zero_point)
    parts = [net.constant(0, 0, 0, 0), net.constant(*y.shape), net.constant(1, 1, 1, 1)]
    return net.op("STRIDED_SLICE", [x, *parts], y)


def _concatenation(net: SyntheticNetwork) -> None:
    x = net.image()
    assert x is not None
    other = net.image(lambda value: value.shape[1:3] == x.shape[1:3])
    assert other is not None
    if math.prod(x.shape) + math.prod(other.shape) > _MOST_VALUES:
        return
    fitting = net.op("QUANTIZE", [other], net.value(other.shape, x.scale, x.zero_point))
    y = net.value((*x.shape[:3], x.shape[3] + other.shape[3]), x.scale, x.zero_point)
    net.op("CONCATENATION", [x, fitting], y, axis=3)


def _pad(net: SyntheticNetwork) -> None:
    x = net.image(lambda value: math.prod(value.shape) <= 4000)
    assert x is not None
    sides = np.array([[0, 0], [net.below(2), 1 + net.below(2)], [1, net.below(3)], [0, 0]], np.int32)
    shape = [size + int(sum(side)) for size, side in zip(x.shape, sides, strict=True)]
    net.op("PAD", [x, net.builder.constant(sides)], net.value(shape, x.scale, x.zero_point))


def _transpose(net: SyntheticNetwork) -> None:
    x = net.image(lambda value: math.prod(value.shape) <= 3000)
    assert x is not None
    order = (0, *(int(axis) + 1 for axis in net.rng.permutation(3)))
    y = net.value([x.shape[axis] for axis in order], x.scale, x.zero_point)
    net.op("TRANSPOSE", [x, net.constant(*order)], y)


def _mean(net: SyntheticNetwork) -> None:
    x = net.image()
    assert x is not None
    y = net.value((1, 1, 1, x.shape[3]), x.scale, x.zero_point)
    net.op("MEAN", [x, net.constant(1, 2)], y, keepDims=True)


def draw_rare(net: SyntheticNetwork) -> None:
    """Small fully connected layers, and depthwise ones that make a multiple of 4 channels of each."""
    for _ in range(6):
        x = _sliced(net, net.images[0], 1 + net.below(4))
        for _ in range(2):
            x = _dense(net, x, 1, 1 + net.below(24))
    for kernel, channels in (((10, 8), 8), ((3, 3), 16), ((5, 5), 4), ((8, 8), 12), ((10, 4), 8), ((3, 3), 4)):
        height, width = net.size(5, 40), net.size(5, 40)
        small = net.value((1, height, width, 4), net.images[0].scale, net.images[0].zero_point)
        net.op("RESIZE_NEAREST_NEIGHBOR", [net.images[0], net.constant(height, width)], small)
        inputs, spread = net.weights(small, (1, 1, 1, 4), 0, 4, per_channel=True)
        single, activation = net.activated((1, height, width, 1), spread)
        _windowed(net, "CONV_2D", inputs, single, ("SAME", (1, 1), 1, activation))
        for source, multiplier in ((single, channels), (small, 4 * (1 + net.below(2)))):
            _multiply(net, source, kernel, multiplier)


def _multiply(net: SyntheticNetwork, x: Value, kernel: tuple[int, int], multiplier: int) -> None:
    stride = (1 + net.below(2),) * 2
    padding, (height, width) = _window(net, x, kernel, stride, 1)
    channels = x.shape[3] * multiplier
    inputs, spread = net.weights(x, (1, *kernel, channels), 3, math.prod(kernel), per_channel=True)
    y, activation = net.activated((1, height, width, channels), spread)
    _windowed(net, "DEPTHWISE_CONV_2D", inputs, y, (padding, stride, 1, activation), depthMultiplier=multiplier)


DRAWN: dict[Callable[[SyntheticNetwork], None], float] = {
    draw_image: 4,
    _pointwise: 18,
    _strided_pointwise: 3,
    _conv: 18,
    _depthwise_3x3: 14,
    _depthwise_other: 8,
    _depthwise_multiplied: 4,
    _depthwise_of_one: 5,
    _fully_connected: 9,
    _pool: 8,
    _arithmetic: 9,
    _unary: 7,
    _softmax: 3,
    _concatenation: 2,
    _pad: 3,
    _transpose: 1.5,
    _mean: 1,
}
"""What is drawn how often."""

SMALL_OPS = (_unary, _arithmetic, _softmax, _concatenation, _pad, _transpose, _mean, _pool, draw_image)
"""What every fourth network is of, for the most part."""
