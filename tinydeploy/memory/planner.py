"""Where each buffer goes in the arena: offset allocation over lifetimes.

The problem (dynamic storage allocation) is NP-hard, but graphs of layers are small and kind: a few orders of greedy
placement, then a seeded local search over orders, reach the lower bound on nearly all of them.
"""

import random
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
class Placement:
    """Offsets for a list of buffers, in its order, and the arena that they need.

    ``lower_bound_bytes`` is the largest sum of buffers alive at the same step, ``peak_step``: no placement can need
    less.
    """

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound_bytes: int
    peak_step: int


def align(nbytes: int) -> int:
    """``nbytes``, rounded up to the alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def place(buffers: Sequence[Buffer]) -> Placement:
    """A placement in which no two buffers that are alive together overlap. Deterministic."""
    bound, peak_step = lower_bound(buffers)
    best = _best_order(buffers, bound)
    offsets = _place_in_order(buffers, best)
    return Placement(
        offsets=offsets,
        arena_bytes=_arena_bytes(buffers, offsets),
        lower_bound_bytes=bound,
        peak_step=peak_step,
    )


def lower_bound(buffers: Sequence[Buffer]) -> tuple[int, int]:
    """The largest sum of buffers alive at one step, and the first such step; (0, 0) without buffers."""
    steps = sorted({b.first for b in buffers})  # the sum only grows where a lifetime begins
    live = {step: sum(b.aligned_bytes for b in buffers if b.first <= step <= b.last) for step in steps}
    peak_step = max(live, key=live.__getitem__, default=0)
    return live.get(peak_step, 0), peak_step


def _best_order(buffers: Sequence[Buffer], bound: int) -> list[int]:
    indices = range(len(buffers))
    orders = [
        sorted(indices, key=lambda i: (-buffers[i].nbytes, buffers[i].first)),
        sorted(indices, key=lambda i: (-buffers[i].nbytes * (1 + buffers[i].last - buffers[i].first), i)),
        sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].nbytes)),
        sorted(indices, key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].nbytes)),
    ]
    need, order = min((_need(buffers, order), order) for order in orders)
    chance = random.Random(0)  # noqa: S311 - a seeded search, nothing secret
    for _ in range(_SEARCH_ROUNDS):
        if need == bound:
            break
        candidate = order.copy()
        candidate.insert(chance.randrange(len(order)), candidate.pop(chance.randrange(len(order))))
        candidate_need = _need(buffers, candidate)
        if candidate_need <= need:  # sideways steps too: plateaus are wide
            need, order = candidate_need, candidate
    return order


def _need(buffers: Sequence[Buffer], order: Sequence[int]) -> int:
    return _arena_bytes(buffers, _place_in_order(buffers, order))


def _place_in_order(buffers: Sequence[Buffer], order: Sequence[int]) -> tuple[int, ...]:
    """Greedy placement: each buffer in turn at the lowest gap between those already placed and alive with it."""
    offsets: dict[int, int] = {}
    for index in order:
        buffer = buffers[index]
        taken = sorted(
            (offset, offset + buffers[other].aligned_bytes)
            for other, offset in offsets.items()
            if buffer.overlaps(buffers[other])
        )
        offset = 0
        for begin, end in taken:
            if begin - offset >= buffer.aligned_bytes:
                break
            offset = max(offset, end)
        offsets[index] = offset
    return tuple(offsets[index] for index in range(len(buffers)))


def _arena_bytes(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    return max((o + b.aligned_bytes for o, b in zip(offsets, buffers, strict=True)), default=0)
