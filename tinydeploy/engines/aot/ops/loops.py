"""Nested loops over strided arrays, with as few loops as possible."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loop:
    """``count`` iterations; each moves on by one step in every array."""

    count: int
    steps: tuple[int, ...]


def merged_loops(shape: Sequence[int], *strides: Sequence[int]) -> tuple[Loop, ...]:
    """The loops over ``shape``, outermost first, for arrays with these strides.

    Dimensions of 1 vanish, and neighbours merge where every array goes through both of them at an even pace.
    """
    loops: list[Loop] = []
    for count, *steps in reversed(list(zip(shape, *strides, strict=True))):
        if count == 1:
            continue
        inner = loops[-1] if loops else None
        if inner and all(step == inner_step * inner.count for step, inner_step in zip(steps, inner.steps, strict=True)):
            loops[-1] = Loop(count=inner.count * count, steps=inner.steps)
        else:
            loops.append(Loop(count=count, steps=tuple(steps)))
    return tuple(reversed(loops))


def padded(loops: Sequence[Loop], depth: int, arrays: int) -> tuple[Loop, ...]:
    """Exactly ``depth`` loops: idle ones are put around."""
    idle = Loop(count=1, steps=(0,) * arrays)
    return (idle,) * (depth - len(loops)) + tuple(loops)
