"""Graph → Program: every op of the graph becomes kernel calls, or the model is refused with all the reasons."""

from dataclasses import dataclass

from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.program import Call, Layer, Operand, Program
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import DType, Graph, Op, Tensor
from tinydeploy.model.text import printable, shape_text, tensor_label

_END_TYPES = {DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32}
_MAX_ENDS = 255
_MAX_END_DIMENSION = 65_535
"""What ``struct td_model`` and ``struct td_tensor`` can say of a model's inputs and outputs."""


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """A place in the model that the engine cannot compile, and why."""

    place: str
    reason: str


def unsupported(graph: Graph) -> tuple[Unsupported, ...]:
    """Everything that the engine cannot compile: ops in the graph's order, then inputs and outputs."""
    ops = ((f"op {op.index} {printable(op.kind)}", _reason_against(graph, op)) for op in graph.ops)
    ends = (
        (f"{side} {tensor_label(graph.tensors[index])}", _reason_against_end(graph.tensors[index]))
        for side, indices in (("input", graph.inputs), ("output", graph.outputs))
        for index in indices
    )
    found = [Unsupported(place=place, reason=reason) for place, reason in (*ops, *ends) if reason]
    if max(len(graph.inputs), len(graph.outputs)) > _MAX_ENDS:
        found.append(Unsupported(place="model", reason=f"more than {_MAX_ENDS} inputs or outputs"))
    return tuple(found)


def _reason_against(graph: Graph, op: Op) -> str:
    """Why an op cannot be compiled; empty where it can."""
    operator = OPERATORS.get(op.kind)
    if operator is None or op.is_custom:
        return "not supported by the aot engine"
    if any(graph.tensors[index].is_variable for index in op.inputs if index >= 0):
        return "reads a variable; state that outlives an inference is not supported"
    broken = next((constraint for constraint in operator.constraints if not constraint.holds(graph, op)), None)
    return "" if broken is None else f"supported only where {broken.sentence}"


def _reason_against_end(tensor: Tensor) -> str:
    """Why a tensor cannot be an input or output of the firmware; empty where it can."""
    if tensor.dtype not in _END_TYPES:
        return f"the link carries no {tensor.dtype.value.lower()}"
    if max(tensor.shape, default=1) > _MAX_END_DIMENSION:
        return f"no dimension may be larger than {_MAX_END_DIMENSION:,}: {shape_text(tensor.shape)}"
    return ""


def compile_graph(graph: Graph) -> Program:
    """The kernel calls of one inference.

    Raises:
        ModelError: Something is not supported; all of it is listed with its place and the reason.
    """
    refused = unsupported(graph)
    if refused:
        raise ModelError(
            f"{printable(graph.name)} cannot be compiled: {len(refused)} of its ops, inputs and outputs "
            "are not supported",
            where={"reasons": "\n".join(f"{item.place}: {item.reason}" for item in refused)},
            hint="change these in the model; docs/supported-ops.md lists what is supported",
        )
    layers = tuple(OPERATORS[op.kind].lower(graph, op) for op in graph.ops)
    return Program(layers=_copy_where_outputs_cannot_alias(graph, layers))


def _copy_where_outputs_cannot_alias(graph: Graph, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Replaces an alias by a copy where its two tensors must live in different places.

    A graph output has a place of its own, so it can share memory neither with a graph input nor with another graph
    output. Constants are copied too: their arrays go by their own tensors' names.
    """
    placed = {*graph.inputs, *graph.outputs, *(t.index for t in graph.tensors if t.is_constant)}
    group = {tensor.index: {tensor.index} for tensor in graph.tensors}  # which tensors share memory, by tensor
    result = []
    for layer in layers:
        aliases, copies = {}, []
        for target, source in layer.aliases.items():
            is_constant = graph.tensors[source].is_constant
            if is_constant or (placed & group[target] and placed & group[source]):
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
