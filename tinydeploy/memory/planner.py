"""Where each block of memory goes in the arena: offset allocation over lifetimes.

The problem (dynamic storage allocation) is NP-hard, but graphs of layers are small and kind: a few orders of greedy
placement, then a seeded local search over orders, reach the lower bound on nearly all of them.
"""

import random
from collections.abc import Mapping, Sequence
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
    best = _best_order(blocks, bound)
    offsets = _place_in_order(blocks, best)
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
    live = {step: sum(block.live_bytes(step) for block in blocks) for step in steps}
    peak_step = max(live, key=live.__getitem__, default=0)
    return live.get(peak_step, 0), peak_step


def _best_order(blocks: Sequence[Block], bound: int) -> list[int]:
    indices = range(len(blocks))
    sizes = [block.size for block in blocks]
    lifetimes = [block.lifetime for block in blocks]
    orders = [
        sorted(indices, key=lambda i: (-sizes[i], lifetimes[i][0])),
        sorted(indices, key=lambda i: (-sizes[i] * (1 + lifetimes[i][1] - lifetimes[i][0]), i)),
        sorted(indices, key=lambda i: (lifetimes[i][0], -sizes[i])),
        sorted(indices, key=lambda i: (lifetimes[i][0] - lifetimes[i][1], -sizes[i])),
    ]
    need, order = min((_need(blocks, order), order) for order in orders)
    chance = random.Random(0)  # noqa: S311 - a seeded search, nothing secret
    for _ in range(_SEARCH_ROUNDS):
        if need == bound:
            break
        candidate = order.copy()
        candidate.insert(chance.randrange(len(order)), candidate.pop(chance.randrange(len(order))))
        candidate_need = _need(blocks, candidate)
        if candidate_need <= need:  # sideways steps too: plateaus are wide
            need, order = candidate_need, candidate
    return order


def _need(blocks: Sequence[Block], order: Sequence[int]) -> int:
    return _arena_bytes(blocks, _place_in_order(blocks, order))


def _place_in_order(blocks: Sequence[Block], order: Sequence[int]) -> tuple[int, ...]:
    """Greedy placement: each block in turn at the lowest offset where it meets none of those already placed."""
    offsets: dict[int, int] = {}
    for index in order:
        offset = 0
        for begin, end in _forbidden(blocks, index, offsets):
            if begin < offset < end:
                offset = end
        offsets[index] = offset
    return tuple(offsets[index] for index in range(len(blocks)))


def _forbidden(blocks: Sequence[Block], index: int, offsets: Mapping[int, int]) -> list[tuple[int, int]]:
    """The open intervals in which the block must not start, sorted: its spans would meet some that are placed."""
    return sorted(
        (offset + theirs.begin - align(ours.end), offset + align(theirs.end) - ours.begin)
        for other, offset in offsets.items()
        for theirs in blocks[other].spans
        for ours in blocks[index].spans
        if ours.overlaps(theirs)
    )


def _arena_bytes(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    return max((offset + block.size for offset, block in zip(offsets, blocks, strict=True)), default=0)
