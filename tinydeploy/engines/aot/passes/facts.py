"""What several passes ask about a graph: which ops they may touch, who reads and who writes a tensor."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.model.graph import Graph, Op, Tensor

Fact = TypeVar("Fact")


def once_per_graph(fact: Callable[[Graph], Fact]) -> Callable[[Graph], Fact]:
    """``fact``, computed at the first call with each graph and kept as long as the graph is."""
    known: WeakKeyDictionary[Graph, Fact] = WeakKeyDictionary()

    def ask(graph: Graph) -> Fact:
        if graph not in known:
            known[graph] = fact(graph)
        return known[graph]

    return ask


@once_per_graph
def compiled_ops(graph: Graph) -> frozenset[int]:
    """The positions in ``graph.ops`` of those that the engine compiles.

    Only of these it is known what they compute. Passes leave all others alone, and assume nothing of their outputs.
    """
    return frozenset(position for position, op in enumerate(graph.ops) if is_compiled(graph, op))


def is_compiled(graph: Graph, op: Op) -> bool:
    """Whether the engine compiles the op."""
    operator = OPERATORS.get(op.kind)
    return (
        operator is not None
        and not op.is_custom
        and not any(graph.tensors[index].is_variable for index in op.inputs if index >= 0)
        and all(constraint.holds(graph, op) for constraint in operator.constraints)
    )


@once_per_graph
def readers(graph: Graph) -> Mapping[int, tuple[Op, ...]]:
    """The ops that read each tensor, each op once, for all tensors; the graph's outputs are read by its user too."""
    found: dict[int, list[Op]] = {tensor.index: [] for tensor in graph.tensors}
    for op in graph.ops:
        for index in dict.fromkeys(op.inputs):
            if index >= 0:
                found[index].append(op)
    return {index: tuple(ops) for index, ops in found.items()}


@once_per_graph
def writers(graph: Graph) -> Mapping[int, Op]:
    """The op that writes each tensor, for the tensors that an op writes."""
    return {index: op for op in graph.ops for index in op.outputs}


def reference_parameters(graph: Graph, op: Op) -> Mapping[str, Any]:
    """The parameters of the one kernel call by which the reference kernels compute ``op``, which is compiled.

    They are the fields of the kernel's struct. What they say of the arithmetic holds for all kernels.
    """
    (call,) = OPERATORS[op.kind].lower(graph, op).calls
    return call.parameters


def channels_of(tensor: Tensor) -> int:
    """The size of the last dimension, 1 for a scalar. Passes call its indices channels in every tensor."""
    return tensor.shape[-1] if tensor.shape else 1
