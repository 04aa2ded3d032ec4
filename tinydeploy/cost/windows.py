"""Where the windows of a convolution or of pooling lie, along one side of its input at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tinydeploy.model.graph import Conv2DOptions, DepthwiseConv2DOptions, Graph, Op, Padding, PoolOptions


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side: its sizes, the window's taps, stride and dilation along it, and what windows see.

    ``before`` is how far the first window reaches out of the input. ``inside`` counts the taps that meet a value, of
    all windows together; ``whole`` the windows all of whose taps do. ``alike`` has the groups of neighbouring windows,
    from the first on: how many, and the taps inside; whole windows make one group, all others one each.
    Over both sides the products of these counts are those of the whole layer.
    """

    inputs: int
    outputs: int
    taps: int
    stride: int
    dilation: int
    before: int
    inside: int
    whole: int
    alike: tuple[tuple[int, int], ...]


def sides_of(graph: Graph, op: Op) -> tuple[Side, Side]:
    """The windows' rows and columns."""
    options = op.options
    assert isinstance(options, Conv2DOptions | DepthwiseConv2DOptions | PoolOptions)
    sizes, outputs = graph.tensors[op.inputs[0]].shape[1:3], graph.output_of(op).shape[1:3]
    strides, dilations, before = (options.stride_h, options.stride_w), (1, 1), None
    if isinstance(options, PoolOptions):
        kernel: tuple[int, ...] = (options.filter_h, options.filter_w)
    else:
        kernel = graph.tensors[op.inputs[1]].shape[1:3]
        dilations = (options.dilation_h, options.dilation_w)
        before = options.explicit_padding
    down, across = (
        _side(
            sizes[i],
            outputs[i],
            kernel[i],
            (strides[i], dilations[i]),
            before[i]
            if before
            else _before(options.padding, sizes[i], outputs[i], kernel[i], strides[i], dilations[i]),
        )
        for i in (0, 1)
    )
    return down, across


def _before(padding: Padding, size: int, outputs: int, taps: int, stride: int, dilation: int) -> int:
    """How far the first window reaches out: ComputePaddingWithOffset of TFLite's kernels/padding.h."""
    if padding is Padding.VALID:
        return 0
    return max((outputs - 1) * stride + (taps - 1) * dilation + 1 - size, 0) // 2


def _side(size: int, outputs: int, taps: int, steps: tuple[int, int], before: int) -> Side:
    stride, dilation = steps
    counts = [
        sum(0 <= output * stride - before + tap * dilation < size for tap in range(taps)) for output in range(outputs)
    ]
    return Side(
        inputs=size,
        outputs=outputs,
        taps=taps,
        stride=stride,
        dilation=dilation,
        before=before,
        inside=sum(counts),
        whole=sum(count == taps for count in counts),
        alike=tuple(_alike(counts, taps)),
    )


def _alike(counts: list[int], taps: int) -> Iterator[tuple[int, int]]:
    for count, windows in groupby(counts):
        number = sum(1 for _ in windows)
        yield from [(number, count)] if count == taps else [(1, count)] * number
