"""Graph → Program: every op of the graph becomes kernel calls, or the model is refused with all the reasons."""

from dataclasses import dataclass

from tinydeploy.engines.aot.operator import Constraint
from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.program import Call, Layer, Operand, Program
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.text import printable


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """An op that the engine cannot compile, and why."""

    op: Op
    reason: str


def unsupported_ops(graph: Graph) -> tuple[Unsupported, ...]:
    """Everything in the graph that the engine cannot compile, in the graph's order; empty where all is well."""
    found = []
    for op in graph.ops:
        operator = OPERATORS.get(op.kind)
        if operator is None or op.is_custom:
            found.append(Unsupported(op=op, reason="not supported by the aot engine"))
            continue
        broken = _first_broken(graph, op, operator.constraints)
        if broken is not None:
            found.append(Unsupported(op=op, reason=f"supported only where {broken.sentence}"))
    return tuple(found)


def compile_graph(graph: Graph) -> Program:
    """The kernel calls of one inference.

    Raises:
        ModelError: Ops are not supported; all of them are listed with their index and the reason.
    """
    refused = unsupported_ops(graph)
    if refused:
        raise ModelError(
            f"{len(refused)} of the {len(graph.ops)} ops in {printable(graph.name)} cannot be compiled",
            where={"ops": "\n".join(f"{_name(item.op)}: {item.reason}" for item in refused)},
            hint="replace these ops in the model; docs/supported-ops.md lists what is supported",
        )
    layers = tuple(OPERATORS[op.kind].lower(graph, op) for op in graph.ops)
    return Program(layers=_copy_where_outputs_cannot_alias(graph, layers))


def _first_broken(graph: Graph, op: Op, constraints: tuple[Constraint, ...]) -> Constraint | None:
    return next((constraint for constraint in constraints if not constraint.holds(graph, op)), None)


def _name(op: Op) -> str:
    return f"op {op.index} {printable(op.kind)}"


def _copy_where_outputs_cannot_alias(graph: Graph, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Replaces an alias by a copy where its two tensors must live in different places.

    A graph output has a place of its own, so it can share memory neither with a graph input or a constant nor with
    another graph output.
    """
    placed = {*graph.inputs, *graph.outputs, *(t.index for t in graph.tensors if t.is_constant)}
    group = {tensor.index: {tensor.index} for tensor in graph.tensors}  # which tensors share memory, by tensor
    result = []
    for layer in layers:
        aliases, copies = {}, []
        for target, source in layer.aliases.items():
            if placed & group[target] and placed & group[source]:
                copies.append(_copy(graph, source, target))
                continue
            aliases[target] = source
            merged = group[target] | group[source]
            group |= dict.fromkeys(merged, merged)
        result.append(Layer(op=layer.op, calls=(*layer.calls, *copies), aliases=aliases))
    return tuple(result)


def _copy(graph: Graph, source: int, target: int) -> Call:
    return Call(
        kernel="copy",
        parameters={"bytes": graph.tensors[source].nbytes},
        inputs=(Operand(tensor=source),),
        output=Operand(tensor=target),
    )
