"""Where each block of memory goes in the arena: offset allocation over lifetimes.

The problem (dynamic storage allocation) is NP-hard, but graphs of layers are small and kind: a few orders of greedy
placement, then a seeded local search over orders, reach the lower bound on nearly all of them.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 16
"""Every buffer starts at a multiple of this many bytes (TD_ALIGN), which suits all vector units in sight."""

_SEARCH_ROUNDS = 400
"""Local search steps before the best placement so far is taken; about 0.1 s for a hundred buffers."""


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """A piece of memory that is alive from step ``first`` to step ``last``, both included."""

    nbytes: int
    first: int
    last: int

    @property
    def aligned_bytes(self) -> int:
        """The size, rounded up to the alignment."""
        return align(self.nbytes)

    def overlaps(self, other: "Buffer") -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, kw_only=True)
class Span:
    """What a block holds from step ``first`` to step ``last``, both included: its bytes from ``begin`` to ``end``.

    ``begin`` is a multiple of the alignment.
    """

    first: int
    last: int
    begin: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, kw_only=True)
class Block:
    """Spans at fixed distances from each other: a buffer, or several that take over each other's memory in turn."""

    spans: tuple[Span, ...]

    @classmethod
    def of(cls, buffer: Buffer) -> "Block":
        """A block of one buffer."""
        return cls(spans=(Span(first=buffer.first, last=buffer.last, begin=0, end=buffer.nbytes),))

    @property
    def size(self) -> int:
        """Bytes from the block's start to the end of all its spans, rounded up to the alignment."""
        return align(max(span.end for span in self.spans))

    @property
    def lifetime(self) -> tuple[int, int]:
        """The first and the last step at which something is in it."""
        return min(span.first for span in self.spans), max(span.last for span in self.spans)

    def live_bytes(self, step: int) -> int:
        """Bytes from the first to the last that are alive at a step."""
        alive = [span for span in self.spans if span.first <= step <= span.last]
        return align(max(span.end for span in alive)) - min(span.begin for span in alive) if alive else 0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Offsets for a list of blocks, in its order, and the arena that they need.

    ``lower_bound_bytes`` is the largest sum of what is alive at the same step, ``peak_step``: no placement can need
    less.
    """

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound_bytes: int
    peak_step: int


def align(nbytes: int) -> int:
    """``nbytes``, rounded up to the alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def place(blocks: Sequence[Block]) -> Placement:
    """A placement in which no two spans that are alive together overlap. Deterministic."""
    bound, peak_step = lower_bound(blocks)
    offsets = _best_offsets(blocks, bound)
    return Placement(
        offsets=offsets,
        arena_bytes=_arena_bytes(blocks, offsets),
        lower_bound_bytes=bound,
        peak_step=peak_step,
    )


def lower_bound(blocks: Sequence[Block]) -> tuple[int, int]:
    """The largest sum of what is alive at one step, and the first such step; (0, 0) without blocks."""
    # The sum only grows where a span begins.
    steps = sorted({span.first for block in blocks for span in block.spans})
    live = dict.fromkeys(steps, 0)
    for block in blocks:
        first, last = block.lifetime
        for step in steps[bisect_left(steps, first) : bisect_right(steps, last)]:
            live[step] += block.live_bytes(step)
    peak_step = max(live, key=live.__getitem__, default=0)
    return live.get(peak_step, 0), peak_step


def _best_offsets(blocks: Sequence[Block], bound: int) -> tuple[int, ...]:
    indices = range(len(blocks))
    sizes = [block.size for block in blocks]
    lifetimes = [block.lifetime for block in blocks]
    orders = [
        sorted(indices, key=lambda i: (-sizes[i], lifetimes[i][0])),
        sorted(indices, key=lambda i: (-sizes[i] * (1 + lifetimes[i][1] - lifetimes[i][0]), i)),
        sorted(indices, key=lambda i: (lifetimes[i][0], -sizes[i])),
        sorted(indices, key=lambda i: (lifetimes[i][0] - lifetimes[i][1], -sizes[i])),
    ]
    meetings = _meetings(blocks)

    def tried(order: Sequence[int]) -> tuple[int, Sequence[int], tuple[int, ...]]:
        offsets = _place_in_order(meetings, order)
        return _arena_bytes(blocks, offsets), order, offsets

    best = min(map(tried, orders))
    chance = random.Random(0)  # noqa: S311 - a seeded search, nothing secret
    for _ in range(_SEARCH_ROUNDS):
        if best[0] == bound:
            break
        candidate = [*best[1]]
        candidate.insert(chance.randrange(len(candidate)), candidate.pop(chance.randrange(len(candidate))))
        trial = tried(candidate)
        if trial[0] <= best[0]:  # sideways steps too: plateaus are wide
            best = trial
    return best[2]


def _place_in_order(meetings: "_Meetings", order: Sequence[int]) -> tuple[int, ...]:
    """Greedy placement: each block in turn at the lowest offset where it meets none of those already placed."""
    offsets: dict[int, int] = {}
    for index in order:
        offset = 0
        placed = ((offsets[other], low, high) for other, low, high in meetings[index] if other in offsets)
        for begin, end in sorted((there + low, there + high) for there, low, high in placed):
            if begin < offset < end:
                offset = end
        offsets[index] = offset
    return tuple(offsets[index] for index in range(len(meetings)))


_Meetings = Sequence[Sequence[tuple[int, int, int]]]
"""For each block those that are alive at one time with it, and the open interval, from their offset, in which it must
not start: its spans would meet theirs. Another block can be there several times."""


def _meetings(blocks: Sequence[Block]) -> _Meetings:
    """In time that grows with the number of meetings, which in a chain of layers is that of the layers."""
    found: list[list[tuple[int, int, int]]] = [[] for _ in blocks]
    alive: list[tuple[int, Span]] = []
    spans = [(index, span) for index, block in enumerate(blocks) for span in block.spans]
    for index, span in sorted(spans, key=lambda both: both[1].first):
        alive = [(other, theirs) for other, theirs in alive if theirs.last >= span.first]
        for other, theirs in alive:
            if other != index:
                found[index].append((other, theirs.begin - align(span.end), align(theirs.end) - span.begin))
                found[other].append((index, span.begin - align(theirs.end), align(span.end) - theirs.begin))
        alive.append((index, span))
    return found


def _arena_bytes(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    return max((offset + block.size for offset, block in zip(offsets, blocks, strict=True)), default=0)
