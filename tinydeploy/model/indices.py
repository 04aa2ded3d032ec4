"""Inputs of a model that are no quantities, but say which elements to take."""

from typing import cast

from tinydeploy.model.graph import GatherOptions, Graph, Op


def index_limit(graph: Graph, tensor: int) -> int | None:
    """How many elements there are to choose from, where an op reads the tensor as indices; None where none does.

    TensorFlow Lite Micro does not check them: it reads from wherever they point.
    """
    limits = [
        limit
        for op in graph.ops
        for position, index in enumerate(op.inputs)
        if index == tensor and (limit := _limit(graph, op, position)) is not None
    ]
    return min(limits, default=None)


def _limit(graph: Graph, op: Op, position: int) -> int | None:
    if (op.kind, position) == ("EMBEDDING_LOOKUP", 0):
        return graph.tensors[op.inputs[1]].shape[0]
    source = graph.tensors[op.inputs[0]].shape if op.inputs[0] >= 0 else ()
    if (op.kind, position) == ("GATHER", 1):
        return source[cast("GatherOptions", op.options).axis]
    if (op.kind, position) == ("GATHER_ND", 1):
        return min(source[: graph.tensors[op.inputs[1]].shape[-1]], default=None)
    return None
