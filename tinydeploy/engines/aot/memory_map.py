"""Layout → MemoryMap: what the arena of a compiled model holds, call by call."""

from collections.abc import Iterator, Mapping

from tinydeploy.engines.aot.layout import Layout, Memory
from tinydeploy.engines.aot.program import Call, Program
from tinydeploy.memory.memory_map import BlockKind, MapBlock, MemoryMap
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable

_KINDS: Mapping[Memory, BlockKind] = {Memory.ARENA: "tensor", Memory.INPUT: "input", Memory.OUTPUT: "output"}


def memory_map(graph: Graph, program: Program, layout: Layout) -> MemoryMap:
    """A step is a call. Graph inputs and outputs stay in the link's buffers, and so are blocks of these."""
    calls = [call for layer in program.layers for call in layer.calls]
    blocks = (*_tensors(graph, calls, layout), *_scratch(graph, calls, layout))
    return MemoryMap(
        steps=layout.steps,
        blocks=tuple(sorted(blocks, key=lambda block: (block.first, block.offset, block.kind))),
        arena_bytes=layout.arena_bytes,
        peak_step=layout.peak_step,
    )


def _tensors(graph: Graph, calls: list[Call], layout: Layout) -> Iterator[MapBlock]:
    lifetimes = {**_lifetimes_of_buffers(graph, calls, layout), **layout.lifetimes}
    names: dict[int, list[int]] = {}
    for tensor, root in layout.roots.items():
        names.setdefault(root, []).append(tensor)
    for root, (first, last) in lifetimes.items():
        place = layout.places[root]
        yield MapBlock(
            kind=_KINDS[place.memory],
            label=printable(graph.tensors[root].name),
            offset=place.offset,
            nbytes=layout.sizes[root],
            first=first,
            last=last,
            tensor=root,
            takes_over=layout.taken_over.get(root),
            aliases=tuple(tensor for tensor in names[root] if tensor != root),
        )


def _lifetimes_of_buffers(graph: Graph, calls: list[Call], layout: Layout) -> dict[int, tuple[int, int]]:
    """An input is there from the first step to the last that reads it, an output from where it is written to the end.

    Only of tensors that go by their own name: one that is both input and output has no life of its own.
    """
    used: dict[int, list[int]] = {}
    for step, call in enumerate(calls):
        for operand in (*call.inputs, call.output):
            used.setdefault(layout.roots[operand.tensor], []).append(step)
    inputs = {index: (0, used[index][-1]) for index in graph.inputs if index in used}
    outputs = {layout.roots[index] for index in graph.outputs} & used.keys()
    placed = {root for root in outputs if layout.places[root].memory is Memory.OUTPUT}
    return inputs | {root: (used[root][0], len(calls) - 1) for root in sorted(placed)}


def _scratch(graph: Graph, calls: list[Call], layout: Layout) -> Iterator[MapBlock]:
    for step, offset in layout.scratch.items():
        op = graph.ops[_position(graph, layout.steps[step])]
        yield MapBlock(
            kind="scratch",
            label=f"working memory of op {op.index} {printable(op.kind)}",
            offset=offset,
            nbytes=calls[step].scratch_bytes,
            first=step,
            last=step,
            op=op.index,
        )


def _position(graph: Graph, op: int) -> int:
    """Where an op is in a graph that passes have made shorter."""
    return next(position for position, other in enumerate(graph.ops) if other.index == op)
