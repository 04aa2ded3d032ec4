"""What lies where in the arena, and when: the planner's decisions, for whoever wants to show or to question them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from tinydeploy.memory.planner import align

BlockKind = Literal["tensor", "scratch", "persistent", "input", "output"]
"""A tensor in the arena; working memory of a kernel; what a library keeps for good; a tensor in a link's buffer."""


@dataclass(frozen=True, kw_only=True)
class MapBlock:
    """Memory with one use, alive from step ``first`` to ``last``, both included, ``nbytes`` from ``offset``.

    The offset is in the arena, for the kinds "input" and "output" in the link's buffers. ``tensor`` is None where it
    is none; ``aliases`` are tensors that are only other names for the same bytes. ``op`` is whose working memory it is.
    ``takes_over`` is the tensor whose memory this one is written over while it is still read: the only block that this
    one may overlap. ``label`` is printable.
    """

    kind: BlockKind
    label: str
    offset: int
    nbytes: int
    first: int
    last: int
    tensor: int | None = None
    op: int | None = None
    takes_over: int | None = None
    aliases: tuple[int, ...] = ()

    @property
    def is_in_arena(self) -> bool:
        """Whether it is part of the arena; else it is in a buffer of the link."""
        return self.kind not in ("input", "output")

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.nbytes

    def is_alive(self, step: int) -> bool:
        """Whether it is in use at a step."""
        return self.first <= step <= self.last


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """Blocks over time.

    ``steps`` has for each step the op that runs; None before the first. An op can take several steps, and none if
    it only renames. ``peak_step`` is the step at which most is alive; None where nothing ever is. All blocks of the
    arena lie within ``arena_bytes``, which is at least what is reserved for it.
    """

    steps: tuple[int | None, ...]
    blocks: tuple[MapBlock, ...]
    arena_bytes: int
    peak_step: int | None

    def alive(self, step: int) -> tuple[MapBlock, ...]:
        """What is in the arena at a step."""
        return self._alive[step]

    @cached_property
    def _alive(self) -> tuple[tuple[MapBlock, ...], ...]:
        found: list[list[MapBlock]] = [[] for _ in self.steps]
        for block in self.blocks:
            if block.is_in_arena:
                for step in range(max(block.first, 0), min(block.last + 1, len(found))):
                    found[step].append(block)
        return tuple(map(tuple, found))

    def steps_of(self, op: int) -> tuple[int, ...]:
        """When an op runs."""
        return tuple(step for step, runs in enumerate(self.steps) if runs == op)

    def block_of(self, tensor: int) -> MapBlock | None:
        """The block that a tensor is in, under its own or another name; None where it is in none."""
        return next((block for block in self.blocks if tensor == block.tensor or tensor in block.aliases), None)

    def scratch_bytes(self, op: int) -> int:
        """Working memory of an op: of its step that takes most."""
        scratch = [block for block in self.blocks if block.kind == "scratch" and block.op == op]
        return max((covered_bytes([b for b in scratch if b.is_alive(step)]) for step in self.steps_of(op)), default=0)


def covered_bytes(blocks: Sequence[MapBlock]) -> int:
    """Bytes of the arena that lie in at least one of the blocks, each rounded up to the alignment."""
    total = reached = 0
    for block in sorted(blocks, key=lambda block: block.offset):
        end = block.offset + align(block.nbytes)
        total += max(0, end - max(block.offset, reached))
        reached = max(reached, end)
    return total


@dataclass(frozen=True, kw_only=True)
class Alteration:
    """What would be otherwise, by the tensor that a block of the map belongs to: its bytes, its first and last step.

    ``offsets`` are given in advance, as a file can for TensorFlow Lite Micro; an engine that places by itself takes
    none. Working memory is placed anew too, and stays as large as it is.
    """

    nbytes: Mapping[int, int] = field(default_factory=dict)
    lifetimes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    offsets: Mapping[int, int] = field(default_factory=dict)


NOTHING_ALTERED = Alteration()
