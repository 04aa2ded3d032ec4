"""Program → Layout: which memory each tensor lives in, and at which offset.

Graph inputs stay in the link's input buffer and graph outputs are written into its output buffer, so neither is ever
copied; constants stay in flash; everything else shares the arena.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinydeploy.engines.aot.program import Call, Program
from tinydeploy.memory.planner import Buffer, align, place
from tinydeploy.model.graph import Graph


class Memory(enum.Enum):
    """The four places where a tensor can live."""

    FLASH = "flash"
    INPUT = "input buffer"
    OUTPUT = "output buffer"
    ARENA = "arena"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tensor lives: ``offset`` bytes into one of the memories (0 in flash, where each has its own array)."""

    memory: Memory
    offset: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The memory plan of a program.

    ``places`` has every tensor that a call touches and every graph input and output. ``peak_op`` is the op at which
    the arena is fullest, and ``peak_tensors`` those that are in it then; None and empty without an arena.
    ``live_bytes`` says for each op how much of the arena is needed while it runs.
    """

    places: Mapping[int, Place]
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    lower_bound_bytes: int
    live_bytes: tuple[int, ...]
    peak_op: int | None
    peak_tensors: tuple[int, ...]


Lifetime = tuple[int, int]
"""The first and the last step, a step being a call, at which memory holds something that is still needed."""


def plan_layout(graph: Graph, program: Program) -> Layout:
    """The memory plan. Calls that may work in place do so where their input is not needed afterwards."""
    steps = [(layer.op, call) for layer in program.layers for call in layer.calls]
    calls = [call for _, call in steps]
    inputs, input_bytes = _in_a_row(graph, graph.inputs, Memory.INPUT)
    outputs, output_bytes = _in_a_row(graph, graph.outputs, Memory.OUTPUT)
    constants = {t.index: Place(memory=Memory.FLASH, offset=0) for t in graph.tensors if t.is_constant}

    roots = _roots(graph, program)
    fixed = {roots[index]: where for index, where in (constants | inputs | outputs).items()}
    lifetimes = _lifetimes(calls, roots, fixed)
    _merge_in_place(graph, calls, roots, lifetimes)

    owners = sorted(lifetimes)
    buffers = [
        Buffer(nbytes=graph.tensors[owner].nbytes, first=lifetimes[owner][0], last=lifetimes[owner][1])
        for owner in owners
    ]
    placement = place(buffers)
    arena = {
        owner: Place(memory=Memory.ARENA, offset=offset)
        for owner, offset in zip(owners, placement.offsets, strict=True)
    }
    places = fixed | arena
    peak = placement.peak_step
    return Layout(
        places={index: places[root] for index, root in roots.items() if root in places},
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arena_bytes=placement.arena_bytes,
        lower_bound_bytes=placement.lower_bound_bytes,
        live_bytes=_live_bytes(program, buffers),
        peak_op=steps[peak][0] if owners else None,
        peak_tensors=tuple(
            _occupant(o, peak, calls, roots) for o in owners if lifetimes[o][0] <= peak <= lifetimes[o][1]
        ),
    )


def _in_a_row(graph: Graph, tensors: tuple[int, ...], memory: Memory) -> tuple[dict[int, Place], int]:
    """Consecutive aligned places for the tensors, and the bytes of the whole row."""
    places, offset = {}, 0
    for index in tensors:
        places[index] = Place(memory=memory, offset=offset)
        offset += align(graph.tensors[index].nbytes)
    return places, offset


def _roots(graph: Graph, program: Program) -> dict[int, int]:
    """For each tensor the one whose memory it has: its own, or that of the tensor at the start of its aliases."""
    roots = {tensor.index: tensor.index for tensor in graph.tensors}
    for layer in program.layers:
        for target, source in layer.aliases.items():
            roots[target] = roots[source]
    return roots


def _lifetimes(calls: Sequence[Call], roots: Mapping[int, int], fixed: Mapping[int, Place]) -> dict[int, Lifetime]:
    """When the memory of each root that has no fixed place is in use."""
    lifetimes: dict[int, Lifetime] = {}
    for step, call in enumerate(calls):
        for operand in (*call.inputs, call.output):
            root = roots[operand.tensor]
            if root not in fixed:
                lifetimes[root] = (lifetimes.get(root, (step, step))[0], step)
    return lifetimes


def _occupant(root: int, step: int, calls: Sequence[Call], roots: Mapping[int, int]) -> int:
    """Which of the tensors that share a root's memory is in it at a step: the last that was touched by then."""
    touched = (operand.tensor for call in calls[: step + 1] for operand in (*call.inputs, call.output))
    return [tensor for tensor in touched if roots[tensor] == root][-1]


def _live_bytes(program: Program, buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """What is alive while each op runs; at its fullest call where it has several, 0 where it has none."""
    live, step = [], 0
    for layer in program.layers:
        steps = range(step, step + len(layer.calls))
        step = steps.stop
        needs = (sum(b.aligned_bytes for b in buffers if b.first <= now <= b.last) for now in steps)
        live.append(max(needs, default=0))
    return tuple(live)


def _merge_in_place(graph: Graph, calls: Sequence[Call], roots: dict[int, int], lifetimes: dict[int, Lifetime]) -> None:
    """Gives outputs the memory of an input that dies in the same call, where the kernel's contract allows it."""
    for step, call in enumerate(calls):
        target = roots[call.output.tensor]
        for position in call.in_place:
            source = roots[call.inputs[position].tensor]
            if (
                source != target
                and source in lifetimes
                and target in lifetimes
                and lifetimes[source][1] == step == lifetimes[target][0]
                and graph.tensors[source].nbytes == graph.tensors[target].nbytes
            ):
                lifetimes[source] = (lifetimes[source][0], lifetimes.pop(target)[1])
                roots.update({tensor: source for tensor, root in roots.items() if root == target})
                break
