"""Multiply-accumulates of an op, the usual measure of a layer's work."""

import math
from collections.abc import Callable, Mapping
from typing import cast

from tinydeploy.model.graph import BatchMatMulOptions, Graph, Op


def op_macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of one inference of ``op``; 0 for ops that do none (pooling, element-wise ops)."""
    count = None if op.is_custom else _COUNTS.get(op.kind)
    return 0 if count is None else count(graph, op)


def graph_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference of the whole graph."""
    return sum(op_macs(graph, op) for op in graph.ops)


def _shape(graph: Graph, op: Op, position: int) -> tuple[int, ...]:
    return graph.tensors[op.inputs[position]].shape


def _weights_times_outputs(graph: Graph, op: Op) -> int:
    return graph.output_of(op).elements * math.prod(_shape(graph, op, 1)[1:])  # weights are [channels, ...]


def _depthwise(graph: Graph, op: Op) -> int:
    _, height, width, _ = _shape(graph, op, 1)  # one input channel for each output
    return graph.output_of(op).elements * height * width


def _transpose_conv(graph: Graph, op: Op) -> int:
    channels, height, width, _ = _shape(graph, op, 1)
    return math.prod(_shape(graph, op, 2)) * height * width * channels


def _batch_matmul(graph: Graph, op: Op) -> int:
    transposed = cast("BatchMatMulOptions", op.options).adjoint_x
    return graph.output_of(op).elements * _shape(graph, op, 0)[-2 if transposed else -1]


def _svdf(graph: Graph, op: Op) -> int:
    batch, _ = _shape(graph, op, 0)
    return batch * sum(math.prod(_shape(graph, op, position)) for position in (1, 2))


def _lstm(graph: Graph, op: Op) -> int:
    """Those with the gates' weights; the few per unit that join the gates do not count."""
    first, second, _ = _shape(graph, op, 0)
    return first * second * sum(graph.tensors[index].elements for index in op.inputs[1:9] if index >= 0)


_COUNTS: Mapping[str, Callable[[Graph, Op], int]] = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _weights_times_outputs,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _weights_times_outputs,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
