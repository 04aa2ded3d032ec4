"""RESHAPE, SQUEEZE and EXPAND_DIMS: other names for the same bytes."""

from tinydeploy.engines.aot.operator import Operator, tensor_at
from tinydeploy.engines.aot.program import Layer
from tinydeploy.engines.constraint import Constraint
from tinydeploy.model.graph import Graph, Op


def lower_alias(_: Graph, op: Op) -> Layer:
    """No call: the output shares the input's memory."""
    return Layer(op=op.index, calls=(), aliases={op.outputs[0]: op.inputs[0]})


def _same_type(graph: Graph, op: Op) -> bool:
    return tensor_at(graph, op, 0).dtype is graph.output_of(op).dtype


_CONSTRAINTS = (Constraint(sentence="input and output have one type", holds=_same_type),)

OPERATORS = tuple(
    Operator(kind=kind, constraints=_CONSTRAINTS, lower=lower_alias) for kind in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
)
