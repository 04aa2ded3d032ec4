"""Multiply-accumulates of an op, the usual measure of a layer's work."""

from tinydeploy.model.graph import Graph, Op


def op_macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of one inference of ``op``; 0 for ops that do none (pooling, element-wise ops)."""
    if op.kind not in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}:
        return 0
    weights = graph.tensors[op.inputs[1]]
    outputs = graph.output_of(op).elements
    if op.kind == "DEPTHWISE_CONV_2D":  # [1, height, width, channels]: one input channel per output
        return outputs * weights.shape[1] * weights.shape[2]
    return outputs * (weights.elements // weights.shape[0])  # weights are [channels, ...]


def graph_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference of the whole graph."""
    return sum(op_macs(graph, op) for op in graph.ops)
