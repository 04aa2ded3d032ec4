"""Where the parts of a memory map's picture go: lanes for the memories, rows for the steps."""

from collections.abc import Mapping
from dataclasses import dataclass

from tinydeploy.memory.memory_map import MemoryMap, covered_bytes
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan
from tinydeploy.report.picture import text_width

WIDE, NARROW = 760.0, 344.0
"""Widths in pixels: of a page beside which a table may stand, and of a phone."""

MARGIN, GAP = 6.0, 16.0
"""Pixels: around the picture, and between its lanes."""

USUAL, SMALL = 11.0, 10.0
"""Font sizes in pixels, by the names that they have in templates/report/map.css."""

_HEAD, _LEAST_LANE, _NUMBERS = 40.0, 8.0, 36.0
_BOLD = 1.08
"""Bold words are so much wider."""

_TICKS = 6
"""More marks of bytes than so many are not drawn; on a phone half of them."""

_LABELS = 22
"""Longest name of an op, which a custom op may choose itself."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A memory, from ``left`` on so many pixels wide."""

    name: str
    left: float
    width: float
    nbytes: int

    def at(self, offset: int) -> float:
        """Where a byte is, in pixels."""
        return self.left + (self.width * offset / self.nbytes if self.nbytes else 0)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Lanes by name, and the rows, one for each step, from ``top`` on. ``live`` is what is alive in the arena then.

    The arena may be empty and then has no lane.
    """

    graph: Graph
    memory: MemoryMap
    lanes: Mapping[str, Lane]
    width: float
    top: float
    row: float
    live: tuple[int, ...]

    @property
    def is_wide(self) -> bool:
        """Whether there is room for figures beside the lanes."""
        return self.width > NARROW

    @property
    def bottom(self) -> float:
        """Behind the last row."""
        return self.y(len(self.live))

    def y(self, step: float) -> float:
        """The upper edge of a step's row."""
        return self.top + self.row * step

    def layer_name(self, op: int | None) -> str:
        """What stands before a row; printable, and not too long."""
        return _layer_name(self.graph, op)

    def ticks(self) -> list[int]:
        """Offsets in the arena to be marked: multiples of a power of two, a few of them."""
        arena = self.lanes.get("arena")
        if arena is None:
            return []
        most = min(_TICKS if self.is_wide else _TICKS // 2, max(1, int(arena.width // 52)))
        step = 16
        while arena.nbytes / step > most:
            step *= 2
        return list(range(0, arena.nbytes + 1, step))


def make_scene(plan: Plan, width: float, above: float) -> Scene:
    """Where all goes in a picture that is so wide, below so many pixels of title."""
    memory = plan.engine.memory
    buffers = {"input": plan.engine.input_bytes, "output": plan.engine.output_bytes}
    used = {block.kind for block in memory.blocks}
    sizes = {"arena": memory.arena_bytes} | {name: nbytes for name, nbytes in buffers.items() if name in used}
    is_wide = width > NARROW
    size = USUAL if is_wide else SMALL
    longest = max((text_width(_layer_name(plan.graph, op), size) for op in memory.steps), default=0)
    left = MARGIN + _NUMBERS + _BOLD * longest
    right = width - MARGIN - (62.0 if is_wide else 0.0)
    return Scene(
        graph=plan.graph,
        memory=memory,
        lanes=_lanes({name: nbytes for name, nbytes in sizes.items() if nbytes}, left, right),
        width=width,
        top=above + _HEAD,
        row=_row_height(len(memory.steps)),
        live=tuple(
            covered_bytes([block for block in memory.alive(step) if block.kind != "persistent"])
            for step in range(len(memory.steps))
        ),
    )


def _layer_name(graph: Graph, op: int | None) -> str:
    return "before" if op is None else printable(graph.ops[op].kind, limit=_LABELS)


def _row_height(steps: int) -> float:
    """Rows of few layers may be high; no row is too low for its words."""
    return max(14.0, min(30.0, 720.0 / max(steps, 1)))


def _lanes(sizes: Mapping[str, int], left: float, right: float) -> dict[str, Lane]:
    """Side by side, as wide as they are large, but wide enough to be seen."""
    room = right - left - GAP * (len(sizes) - 1)
    total = sum(sizes.values())
    widths = {name: max(_LEAST_LANE, room * nbytes / total) for name, nbytes in sizes.items()}
    largest = max(sizes, key=sizes.__getitem__, default="")
    if largest:
        widths[largest] -= sum(widths.values()) - room
    lanes = {}
    for name, nbytes in sizes.items():
        lanes[name] = Lane(name=name, left=left, width=widths[name], nbytes=nbytes)
        left += widths[name] + GAP
    return lanes
