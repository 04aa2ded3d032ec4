"""Multiply-accumulates of an op, the usual measure of a layer's work."""

from tinydeploy.model.graph import BatchMatMulOptions, Graph, Op


def op_macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of one inference of ``op``; 0 for ops that do none (pooling, element-wise ops).

    Of an LSTM those with its weights count, not the few per unit that join its gates.
    """
    match op.kind:
        case "CONV_2D" | "FULLY_CONNECTED":
            weights = graph.tensors[op.inputs[1]]  # [channels, ...]
            return graph.output_of(op).elements * (weights.elements // weights.shape[0])
        case "DEPTHWISE_CONV_2D":
            weights = graph.tensors[op.inputs[1]]  # [1, height, width, channels]: one input channel per output
            return graph.output_of(op).elements * weights.shape[1] * weights.shape[2]
        case "TRANSPOSE_CONV":
            weights, source = graph.tensors[op.inputs[1]], graph.tensors[op.inputs[2]]
            return source.elements // weights.shape[3] * weights.elements
        case "BATCH_MATMUL":
            assert isinstance(op.options, BatchMatMulOptions)
            left = graph.tensors[op.inputs[0]]
            return graph.output_of(op).elements * left.shape[-2 if op.options.adjoint_x else -1]
        case "SVDF":
            batch = graph.tensors[op.inputs[0]].shape[0]
            return batch * sum(graph.tensors[op.inputs[position]].elements for position in (1, 2))
        case "UNIDIRECTIONAL_SEQUENCE_LSTM":
            steps = graph.tensors[op.inputs[0]].shape[0] * graph.tensors[op.inputs[0]].shape[1]
            weights_of = [graph.tensors[index] for index in op.inputs[1:9] if index >= 0]
            return steps * sum(weights.elements for weights in weights_of)
        case _:
            return 0


def graph_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference of the whole graph."""
    return sum(op_macs(graph, op) for op in graph.ops)
