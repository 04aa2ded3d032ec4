"""Graph → Program: every op of the graph becomes kernel calls, or the model is refused with all the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.choose import Choice, Price, choose
from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.dsp import CANDIDATES
from tinydeploy.engines.aot.dsp.context import look_at
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.objectives import compile_for
from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.engines.aot.plain import plain_way
from tinydeploy.engines.aot.program import Call, Layer, Operand, Program
from tinydeploy.engines.interface import Objective
from tinydeploy.engines.refusal import Unsupported, unsupported_ends
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.text import printable

_LOOKED_AT_BYTES = 16 << 20
"""Of a tensor, beyond which an op has no faster ways: no core with a way of its own has that much memory, and to count
the windows of such images would take minutes."""


def unsupported(graph: Graph) -> tuple[Unsupported, ...]:
    """Everything that the engine cannot compile: ops in the graph's order, then inputs and outputs."""
    reasons = ((f"op {op.index} {printable(op.kind)}", _reason_against(graph, op)) for op in graph.ops)
    ops = (Unsupported(place=place, reason=reason) for place, reason in reasons if reason)
    return (*ops, *unsupported_ends(graph))


def _reason_against(graph: Graph, op: Op) -> str:
    """Why an op cannot be compiled; empty where it can."""
    operator = OPERATORS.get(op.kind)
    if operator is None or op.is_custom:
        return "not supported by the aot engine"
    if any(graph.tensors[index].is_variable for index in op.inputs if index >= 0):
        return "reads a variable; state that outlives an inference is not supported"
    broken = next((constraint for constraint in operator.constraints if not constraint.holds(graph, op)), None)
    return "" if broken is None else f"supported only where {broken.sentence}"


def require_support(graph: Graph) -> None:
    """Nothing where the engine can compile the graph.

    Raises:
        ModelError: Something is not supported; all of it is listed with its place and the reason.
    """
    refused = unsupported(graph)
    if refused:
        raise ModelError(
            f"{printable(graph.name)} cannot be compiled: {len(refused)} of its ops, inputs and outputs "
            "are not supported",
            where={"reasons": "\n".join(map(str, refused))},
            hint="change these in the model, or take --engine tflm; docs/supported-ops.md lists what each supports",
        )


def compile_graph(graph: Graph, kernels: KernelSet = "reference", objective: Objective | None = None) -> Compiled:
    """The kernel calls of one inference, chosen for the objective.

    Raises:
        ModelError: Something is not supported; all of it is listed with its place and the reason.
    """
    return compile_reduced(graph, graph if kernels == "reference" else run_passes(graph), kernels, objective)


def compile_reduced(graph: Graph, reduced: Graph, kernels: KernelSet, objective: Objective | None) -> Compiled:
    """The same of a graph whose passes have run, which several sets of kernels share.

    Raises:
        ModelError: As `compile_graph`.
    """
    require_support(reduced)
    ways = _candidates(reduced, kernels)
    lowered: dict[int, Layer] = {}

    def compiled(candidates: Sequence[Sequence[Candidate]], price: Price) -> Compiled:
        choices = choose(reduced, candidates, price)
        for choice in choices:
            if id(choice.chosen) not in lowered:
                lowered[id(choice.chosen)] = choice.chosen.lower()
        layers = {choice.op: lowered[id(choice.chosen)] for choice in choices}
        every = tuple(replace(choice, candidates=tuple(found)) for choice, found in zip(choices, ways, strict=True))
        program = _program(graph, reduced, choices, layers)
        return Compiled(graph=reduced, kernels=kernels, choices=every, program=program)

    return compile_for(objective, ways, compiled)


def _candidates(graph: Graph, kernels: KernelSet) -> list[list[Candidate]]:
    """The ways in which each op can be computed, in the graph's order."""
    ways = [[plain_way(graph, op, kernels)] for op in graph.ops]
    if kernels == "dsp":
        context = look_at(graph)
        for op, found in zip(graph.ops, ways, strict=True):
            if any(graph.tensors[index].nbytes > _LOOKED_AT_BYTES for index in (*op.inputs, *op.outputs) if index >= 0):
                continue
            found += [way for propose in CANDIDATES.get(op.kind, ()) for way in propose(context, op)]
    return ways


def _program(graph: Graph, reduced: Graph, choices: Sequence[Choice], layers: Mapping[int, Layer]) -> Program:
    """The chosen ways' calls, by op; ops that the passes have removed are layers without any."""
    shifts: dict[str, set[int]] = {}
    for choice in choices:
        for kernel, shift in choice.chosen.shifts.items():
            shifts.setdefault(kernel, set()).add(shift)
    every = tuple(layers.get(op.index, Layer(op=op.index, calls=())) for op in graph.ops)
    return Program(
        layers=_copy_where_outputs_cannot_alias(reduced, every),
        storages={index: planes for choice in choices for index, planes in choice.chosen.writes.items()},
        shifts={kernel: tuple(sorted(values)) for kernel, values in sorted(shifts.items())},
    )


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
