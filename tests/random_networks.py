"""Random image networks as people train them, small: what the `aot` engine's faster ways are for.

    random_network(seed) -> bytes

Separable and residual layers, inverted residuals, padding as PyTorch exports it, several readers of a tensor, joined
branches, channels that are always 0 after a ReLU, odd numbers of channels, averages over whole images. The same seed
gives the same bytes. `random_graphs` has ops and graphs of any kind.
"""

import math
from collections.abc import Callable

import numpy as np
from random_graphs import Net, Value

_SMALLEST = 3
"""Images with fewer rows or columns are not made smaller."""


def random_network(seed: int) -> bytes:
    """Two to four blocks, then mostly an average and a classifier. One in eight has wild quantisation.

    Some images are of one row, some networks have an output between blocks.
    """
    net = Net(seed, wild=0.3 if seed % 8 == 7 else 0.01, alike=True)
    size = (1, net.some(8, 40)) if net.maybe(0.08) else (net.some(6, 14), net.some(6, 14))
    x = net.input((1, *size, net.one_of([1, 2, 3, net.some(4, 12)])))
    if net.maybe(0.7):
        x = net.conv_2d(x, channels=_channels(net), window=(3, 3), stride=_stride(net, x))
    early = []
    for _ in range(net.some(2, 4)):
        x = net.one_of(_BLOCKS)(net, x)
        early += [x] if net.maybe(0.08) else []
    outputs = [x]
    if net.maybe(0.8):
        features = _average(net, x) if net.maybe(0.7) else x
        logits = net.fully_connected(net.reshape(features, (1, math.prod(features.shape))), units=net.some(2, 10))
        outputs = [net.unary("SOFTMAX", logits), *([logits] if net.maybe(0.3) else [])]
    return net.finish(*outputs, *(value for value in early if value not in outputs))


def _channels(net: Net) -> int:
    """More often even than odd; sometimes a multiple of 4."""
    return net.one_of([net.some(3, 20), 2 * net.some(2, 8), 4 * net.some(1, 5)])


def _stride(net: Net, x: Value) -> tuple[int, int]:
    return (2, 2) if min(x.shape[1:3]) > _SMALLEST and net.maybe(0.4) else (1, 1)


def _dead(net: Net) -> float:
    """A share of channels that are always far below 0, mostly none."""
    return net.one_of([0.0, 0.0, 0.2, 0.5])


def _separable(net: Net, x: Value) -> Value:
    """Depthwise and pointwise layers in turn, with padding on both sides, on one or none."""
    for _ in range(net.some(1, 3)):
        window = (3, 3) if net.maybe(0.9) else None
        keep_size = net.maybe(0.7)
        x = net.depthwise_conv_2d(
            x, keep_size=keep_size, window=window, stride=_stride(net, x), multiplier=1, dead=_dead(net)
        )
        x = net.conv_2d(x, channels=_channels(net), window=(1, 1), stride=(1, 1), dead=_dead(net))
    return x


def _inverted_residual(net: Net, x: Value) -> Value:
    wide = net.conv_2d(x, channels=_channels(net), window=(1, 1), stride=(1, 1), dead=_dead(net))
    deep = net.depthwise_conv_2d(wide, keep_size=True, window=(3, 3), stride=(1, 1), multiplier=1)
    narrow = net.conv_2d(deep, channels=x.shape[3], window=(1, 1), stride=(1, 1))
    return net.arithmetic("ADD", x, narrow)


def _residual(net: Net, x: Value) -> Value:
    channels = _channels(net)
    inner = net.conv_2d(x, keep_size=True, channels=channels, window=(3, 3), dead=_dead(net))
    outer = net.conv_2d(inner, keep_size=True, channels=x.shape[3], window=(3, 3), dead=_dead(net))
    return net.arithmetic(net.one_of(["ADD", "ADD", "SUB"]), x, outer)


def _downsampled_residual(net: Net, x: Value) -> Value:
    """The block's input goes through a pointwise layer of its own."""
    stride, channels = _stride(net, x), _channels(net)
    inner = net.conv_2d(x, keep_size=stride == (1, 1), channels=channels, window=(3, 3), stride=stride)
    if inner.shape[1:3] != tuple(-(-size // stride[0]) for size in x.shape[1:3]):
        return inner
    beside = net.conv_2d(x, keep_size=stride == (1, 1), channels=channels, window=(1, 1), stride=stride)
    return net.arithmetic("ADD", inner, beside) if inner.shape == beside.shape else inner


def _padded(net: Net, x: Value) -> Value:
    """Zeros around the image in an op of their own, for a layer without padding."""
    before, behind = net.some(0, 1), net.some(1, 2)
    wide = net.pad(x, [(0, 0), (before, behind), (before, behind), (0, 0)])
    if net.maybe():
        return net.depthwise_conv_2d(wide, window=(3, 3), stride=_stride(net, x), multiplier=1)
    return net.conv_2d(wide, channels=_channels(net), window=(3, 3), stride=_stride(net, x))


def _two_readers(net: Net, x: Value) -> Value:
    """A layer's output is read by a depthwise layer, and by something that wants it otherwise."""
    shared = net.conv_2d(x, channels=_channels(net), window=(1, 1), stride=(1, 1), dead=_dead(net))
    deep = net.depthwise_conv_2d(shared, keep_size=True, window=(3, 3), stride=(1, 1), multiplier=1)
    if net.maybe():
        return net.arithmetic("ADD", deep, shared)
    return _joined(net, deep, net.conv_2d(shared, keep_size=True, window=(3, 3), channels=_channels(net)))


def _branches(net: Net, x: Value) -> Value:
    left = net.conv_2d(x, keep_size=True, window=(3, 3), channels=_channels(net), dead=_dead(net))
    right = net.conv_2d(x, keep_size=True, window=(1, 1), channels=_channels(net), dead=_dead(net))
    return _joined(net, left, right)


def _joined(net: Net, left: Value, right: Value) -> Value:
    """Along the channels, the second scaled to fit the first."""
    fitting = net.output(right.shape, left.scale, left.zero_point)
    net.builder.op("QUANTIZE", [right.index], [fitting.index])
    return net.concatenation([left, fitting], 3)


def _shifted(net: Net, x: Value) -> Value:
    """A constant added or subtracted, as normalisation leaves it; rarely a tensor added to itself."""
    if net.maybe(0.2):
        return net.arithmetic("ADD", x, x)
    scale, zero_point = net.scale(), net.zero_point()
    index = net.builder.constant(np.array([net.some(-128, 127)], np.int8), scale=scale, zero_point=zero_point)
    return net.arithmetic(net.one_of(["ADD", "SUB"]), x, Value(index, (1,), scale, zero_point))


def _pooled(net: Net, x: Value) -> Value:
    return net.pool(net.one_of(["AVERAGE_POOL_2D", "MAX_POOL_2D"]), x, (2, 2))


def _squeezed(net: Net, x: Value) -> Value:
    """A layer of one channel, and a depthwise layer that makes many of it."""
    single = net.conv_2d(x, keep_size=True, window=(1, 1), channels=1)
    window = net.one_of([(3, 3), (5, 4), (10, 4)])
    return net.depthwise_conv_2d(
        single, keep_size=True, window=window, stride=_stride(net, x), multiplier=net.some(4, 9)
    )


def _pixel_by_pixel(net: Net, x: Value) -> Value:
    """A fully connected layer of each pixel's channels."""
    rows = net.reshape(x, (1, math.prod(x.shape[1:3]), x.shape[3]))
    y = net.fully_connected(rows, units=_channels(net), rows=True)
    return net.reshape(y, (*x.shape[:3], y.shape[-1]))


def _average(net: Net, x: Value) -> Value:
    """Of whole images, often of a depthwise layer's output or of what a pointwise layer makes of that."""
    if net.maybe():
        x = net.depthwise_conv_2d(x, keep_size=True, window=(3, 3), stride=(1, 1), multiplier=1)
        x = net.conv_2d(x, channels=_channels(net), window=(1, 1), stride=(1, 1)) if net.maybe() else x
    if net.maybe():
        return net.mean(x, [1, 2])
    return net.pool("AVERAGE_POOL_2D", x, (x.shape[1], x.shape[2]))


_BLOCKS: tuple[Callable[[Net, Value], Value], ...] = (
    *(_separable, _separable, _separable, _inverted_residual, _residual, _residual, _downsampled_residual),
    *(_padded, _two_readers, _branches, _shifted, _pooled, _squeezed, _pixel_by_pixel),
)
