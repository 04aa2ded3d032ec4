"""TflmArena → MemoryMap: what the library's arena holds, op by op."""

from collections.abc import Iterator

from tinydeploy.memory.memory_map import MapBlock, MemoryMap
from tinydeploy.memory.tflm_arena import TflmArena
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable


def memory_map(graph: Graph, arena: TflmArena, reserved_bytes: int) -> MemoryMap:
    """Step 0 is before the first op, when the inputs are there; step n is op n - 1.

    What the library keeps lies at the end of the arena, first what it took first. Where less is reserved than it takes,
    the map shows what it takes.
    """
    last = len(graph.ops)
    arena_bytes = max(reserved_bytes, arena.activation_bytes + arena.persistent_bytes)
    blocks = sorted(_planned(graph, arena, last), key=lambda block: (block.first, block.offset, block.kind))
    return MemoryMap(
        steps=(None, *(op.index for op in graph.ops)),
        blocks=(*blocks, *_kept(arena, arena_bytes, last)),
        arena_bytes=arena_bytes,
        peak_step=arena.peak_op + 1,
    )


def _planned(graph: Graph, arena: TflmArena, last: int) -> Iterator[MapBlock]:
    """Tensors and working memory; what nothing uses is placed by the library, and left out here."""
    for buffer in arena.buffers:
        if buffer.last < 0:
            continue
        if buffer.tensor is not None:
            label = printable(graph.tensors[buffer.tensor].name)
        else:
            assert buffer.op is not None
            label = f"working memory of op {buffer.op} {printable(graph.ops[buffer.op].kind)}"
        yield MapBlock(
            kind="scratch" if buffer.tensor is None else "tensor",
            label=label,
            offset=buffer.offset,
            nbytes=buffer.nbytes,
            first=max(buffer.first, 0),
            last=min(buffer.last, last),
            tensor=buffer.tensor,
            op=buffer.op,
        )


def _kept(arena: TflmArena, arena_bytes: int, last: int) -> Iterator[MapBlock]:
    end = arena_bytes
    for part in arena.persistent:
        end -= part.nbytes
        if part.nbytes:
            yield MapBlock(
                kind="persistent", label=printable(part.what), offset=end, nbytes=part.nbytes, first=0, last=last
            )
