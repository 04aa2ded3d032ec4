"""Padding becomes part of convolutions where it is what they pad with themselves."""

import numpy as np
import pytest
from needless import Layers
from transformed import check_transformed, graph_of, kinds, only

from tinydeploy.engines.aot.passes.fold_padding import fold_padding

AROUND = ((0, 0), (1, 1), (1, 1), (0, 0))
UNEVEN = ((0, 0), (0, 1), (2, 1), (0, 0))


def padded(paddings, *, output=-128, value=None, **conv):
    """A PAD of a 6x5 image and a convolution of it; ``output`` is the zero point of the padded tensor."""
    net = Layers()
    x = net.tensor(1, 6, 5, 3)
    shape = [size + sum(pair) for size, pair in zip((1, 6, 5, 3), paddings, strict=True)]
    wide = net.tensor(*shape, zero_point=output)
    operands = [x, net.int32(*paddings)]
    if value is not None:
        operands.append(net.builder.constant(np.array([value], np.int8), scale=0.1, zero_point=output))
    net.builder.op("PAD" if value is None else "PADV2", operands, [wide])
    y = net.conv(wide, 4, **conv) if conv else net.depthwise(wide, padding="VALID")
    return net.finish([x], [y])


def folded(model):
    """The padding of the convolution that is left."""
    check_transformed([model], fold_padding)
    graph = fold_padding(graph_of(model))
    assert len(graph.ops) == 1
    assert fold_padding(graph) is graph
    return graph.ops[0].options.explicit_padding


@pytest.mark.parametrize(
    ("paddings", "conv", "expected"),
    [
        (AROUND, {"size": 3}, (1, 1, 1, 1)),
        (AROUND, {}, (1, 1, 1, 1)),
        (UNEVEN, {"size": 3}, (0, 2, 1, 1)),
        (UNEVEN, {}, (0, 2, 1, 1)),
        # 8 rows: windows of 3 at 0, 2 and 4, so that the last row is never read.
        (AROUND, {"size": 3, "stride": 2}, (1, 1, 0, 1)),
        # The convolution pads itself, by 1 on all sides.
        (((0, 0), (1, 0), (0, 1), (0, 0)), {"size": 3, "padding": "SAME"}, (2, 1, 1, 2)),
    ],
)
def test_a_convolution_does_the_padding_before_it(paddings, conv, expected):
    assert folded(padded(paddings, **conv)) == expected


def test_padding_with_an_explicit_value_is_the_same_if_it_is_the_zero_point():
    assert folded(padded(AROUND, value=-128, size=3)) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "model",
    [
        padded(AROUND, value=-127, size=3),
        padded(AROUND, output=-127, size=3),
        padded(((0, 0), (1, 1), (1, 1), (0, 1)), size=3),
        padded(((0, 0), (3, 0), (0, 0), (0, 0)), size=3),
        padded(((0, 0), (0, 0), (0, 3), (0, 0)), size=3),
        padded(UNEVEN, size=3, padding="SAME"),
        padded(AROUND, size=1),
    ],
    ids=["another value", "another zero point", "channels", "whole rows", "whole columns", "with its own", "1x1"],
)
def test_padding_that_the_convolution_cannot_do_stays(model):
    """With another value, or so wide that whole windows would be padding."""
    graph = graph_of(model)
    assert fold_padding(graph) is graph
    check_transformed([model], fold_padding)


def two_readers(kind):
    net = Layers()
    x = net.tensor(1, 6, 5, 3)
    wide = net.op("PAD", [x, net.int32(*AROUND)], (1, 8, 7, 3))
    second = net.depthwise(wide, padding="VALID") if kind == "CONV" else net.op("RELU", [wide], (1, 8, 7, 3))
    return net.finish([x], [net.conv(wide, 4, size=3), second])


def test_all_convolutions_of_a_padded_tensor_do_its_padding():
    model = two_readers("CONV")
    graph = fold_padding(graph_of(model))
    assert sorted(kinds(graph)) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    check_transformed([model], fold_padding)


def test_a_padded_tensor_that_something_else_reads_stays():
    graph = graph_of(two_readers("RELU"))
    assert fold_padding(graph) is graph


def test_a_padded_tensor_that_is_an_output_stays():
    net = Layers()
    x = net.tensor(1, 6, 5, 3)
    wide = net.op("PAD", [x, net.int32(*AROUND)], (1, 8, 7, 3))
    graph = graph_of(net.finish([x], [wide, net.conv(wide, 4, size=3)]))
    assert fold_padding(graph) is graph


def test_padding_twice_is_padding_by_the_sum():
    net = Layers()
    x = net.tensor(1, 6, 5, 3)
    wide = net.op("PAD", [x, net.int32(*AROUND)], (1, 8, 7, 3))
    wide = net.op("PAD", [wide, net.int32((0, 0), (0, 1), (1, 0), (0, 0))], (1, 9, 8, 3))
    model = net.finish([x], [net.conv(wide, 4, size=3)])
    graph = fold_padding(fold_padding(graph_of(model)))
    assert only(graph, "CONV_2D").options.explicit_padding == (1, 2, 2, 1)
    check_transformed([model], lambda graph: fold_padding(fold_padding(graph)))
