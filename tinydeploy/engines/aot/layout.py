"""Program → Layout: which memory each tensor lives in, and at which offset.

Graph inputs stay in the link's input buffer and graph outputs are written into its output buffer, so neither is ever
copied; constants stay in flash; everything else shares the arena.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinydeploy.engines.aot.program import Call, Program
from tinydeploy.memory.memory_map import NOTHING_ALTERED, Alteration
from tinydeploy.memory.planner import Block, Placement, Span, align, place
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

    ``places`` has every tensor that a call touches and every graph input and output; ``scratch`` the offset in the
    arena of each call's scratch memory, by the call's number in the program. ``peak_op`` is the op at which the arena
    is fullest, ``peak_tensors`` (by their bytes) and ``scratch_bytes`` what is in it then; None, empty and 0 without
    an arena.
    ``live_bytes`` says for each op how much of the arena is needed while it runs. ``steps`` has the op of each call.
    ``roots`` says whose place a tensor shares, ``sizes`` what a tensor takes as it is stored. ``lifetimes`` are those
    of the roots in the arena, ``taken_over`` has the roots that are written over another one, and which.
    """

    places: Mapping[int, Place]
    scratch: Mapping[int, int]
    scratch_bytes: int
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    lower_bound_bytes: int
    live_bytes: tuple[int, ...]
    peak_op: int | None
    peak_tensors: Mapping[int, int]
    peak_step: int | None
    steps: tuple[int, ...]
    roots: Mapping[int, int]
    sizes: Mapping[int, int]
    lifetimes: Mapping[int, "Lifetime"]
    taken_over: Mapping[int, int]


Lifetime = tuple[int, int]
"""The first and the last step, a step being a call, at which memory holds something that is still needed."""


def plan_layout(graph: Graph, program: Program, alteration: Alteration = NOTHING_ALTERED) -> Layout:
    """The memory plan. Calls that may work in place do so where their input is not needed afterwards, and it helps.

    With an alteration it is what the plan would be. One that alters sizes is only to be looked at.
    """
    steps = [(layer.op, call) for layer in program.layers for call in layer.calls]
    calls = [call for _, call in steps]
    inputs, input_bytes = _in_a_row(graph, graph.inputs, Memory.INPUT)
    outputs, output_bytes = _in_a_row(graph, graph.outputs, Memory.OUTPUT)
    constants = {t.index: Place(memory=Memory.FLASH, offset=0) for t in graph.tensors if t.is_constant}

    roots = _roots(graph, program)
    fixed = {roots[index]: where for index, where in (constants | inputs | outputs).items()}
    lifetimes = _lifetimes(calls, roots, fixed)
    lifetimes |= {root: alive for root, alive in alteration.lifetimes.items() if root in lifetimes}
    sizes = {**_sizes(graph, program), **alteration.nbytes}
    arena = min(
        (_place_in_arena(sizes, lifetimes, calls, shared) for shared in (_taken_over(calls, roots, lifetimes), {})),
        key=lambda arena: arena.placement.arena_bytes,
    )
    places = fixed | {root: Place(memory=Memory.ARENA, offset=offset) for root, offset in arena.offsets.items()}
    peak = arena.placement.peak_step
    return Layout(
        places={index: places[root] for index, root in roots.items() if root in places},
        scratch=arena.scratch,
        scratch_bytes=align(calls[peak].scratch_bytes) if arena.blocks else 0,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arena_bytes=arena.placement.arena_bytes,
        lower_bound_bytes=arena.placement.lower_bound_bytes,
        live_bytes=_live_bytes(program, arena.blocks),
        peak_op=steps[peak][0] if arena.blocks else None,
        peak_tensors={
            _occupant(root, peak, calls, roots): sizes[root]
            for root, (first, last) in sorted(lifetimes.items())
            if first <= peak <= last
        },
        peak_step=peak if arena.blocks else None,
        steps=tuple(op for op, _ in steps),
        roots=roots,
        sizes=sizes,
        lifetimes=lifetimes,
        taken_over=arena.taken_over,
    )


def _sizes(graph: Graph, program: Program) -> Mapping[int, int]:
    """Bytes of each tensor as it is stored."""
    dense = {tensor.index: tensor.nbytes for tensor in graph.tensors}
    return dense | {index: planes.nbytes for index, planes in program.storages.items()}


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
    """Which of the tensors that share a root's memory is in it at a step: the last that was touched by then, if any."""
    touched = (operand.tensor for call in calls[: step + 1] for operand in (*call.inputs, call.output))
    return [root, *(tensor for tensor in touched if roots[tensor] == root)][-1]


def _live_bytes(program: Program, blocks: Sequence[Block]) -> tuple[int, ...]:
    """What is alive while each op runs; at its fullest call where it has several, 0 where it has none."""
    live, step = [], 0
    for layer in program.layers:
        steps = range(step, step + len(layer.calls))
        step = steps.stop
        live.append(max((sum(block.live_bytes(now) for block in blocks) for now in steps), default=0))
    return tuple(live)


def _taken_over(
    calls: Sequence[Call], roots: Mapping[int, int], lifetimes: Mapping[int, Lifetime]
) -> dict[int, tuple[int, int]]:
    """Outputs that take the memory of an input that dies in the same call: by output, that input and the lag."""
    taken: dict[int, tuple[int, int]] = {}
    heirs: set[int] = set()
    for step, call in enumerate(calls):
        target = roots[call.output.tensor]
        for position, lag in call.in_place.items():
            source = roots[call.inputs[position].tensor]
            if (
                source != target
                and source in lifetimes
                and source not in heirs
                and target in lifetimes
                and target not in taken
                and lifetimes[source][1] == step == lifetimes[target][0]
            ):
                taken[target] = (source, align(lag))
                heirs.add(source)
                break
    return taken


@dataclass(frozen=True, kw_only=True)
class _Arena:
    """Blocks in the arena: where each root's memory is, and each call's scratch memory, by the call's number.

    ``taken_over`` has the roots that are written over another, and which.
    """

    blocks: tuple[Block, ...]
    placement: Placement
    offsets: Mapping[int, int]
    scratch: Mapping[int, int]
    taken_over: Mapping[int, int]


def _place_in_arena(
    sizes: Mapping[int, int],
    lifetimes: Mapping[int, Lifetime],
    calls: Sequence[Call],
    taken: Mapping[int, tuple[int, int]],
) -> _Arena:
    """Places chains of memory that is taken over, and scratch memory."""
    chains, starts = _chains(lifetimes, taken)
    blocks = [
        Block(
            spans=tuple(
                Span(
                    first=lifetimes[root][0],
                    last=lifetimes[root][1],
                    begin=starts[root],
                    end=starts[root] + sizes[root],
                )
                for root in chain
            )
        )
        for chain in chains
    ]
    with_scratch = [step for step, call in enumerate(calls) if call.scratch_bytes]
    blocks += [
        Block(spans=(Span(first=step, last=step, begin=0, end=calls[step].scratch_bytes),)) for step in with_scratch
    ]
    placement = place(blocks)
    offsets = {
        root: offset + starts[root] for chain, offset in zip(chains, placement.offsets, strict=False) for root in chain
    }
    scratch = dict(zip(with_scratch, placement.offsets[len(chains) :], strict=True))
    return _Arena(
        blocks=tuple(blocks),
        placement=placement,
        offsets=offsets,
        scratch=scratch,
        taken_over={target: source for target, (source, _) in taken.items()},
    )


def _chains(
    lifetimes: Mapping[int, Lifetime], taken: Mapping[int, tuple[int, int]]
) -> tuple[list[list[int]], dict[int, int]]:
    """Roots that take over each other's memory, and where each starts from the start of its chain."""
    starts: dict[int, int] = {}
    chain_of: dict[int, list[int]] = {}
    chains: list[list[int]] = []
    for root in sorted(lifetimes, key=lambda root: (lifetimes[root], root)):
        if root in taken:
            source, lag = taken[root]
            starts[root] = starts[source] - lag
            chain_of[root] = chain_of[source]
            chain_of[root].append(root)
        else:
            starts[root] = 0
            chain_of[root] = [root]
            chains.append(chain_of[root])
    for chain in chains:
        lowest = min(starts[root] for root in chain)
        starts.update({root: starts[root] - lowest for root in chain})
    return chains, starts
