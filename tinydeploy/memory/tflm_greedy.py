"""Where TensorFlow Lite Micro's GreedyMemoryPlanner puts each buffer, offset for offset.

It is not `tinydeploy.memory.planner.place`: that one searches for a small arena, this one has to find what the
device will find.
"""

import bisect
from collections.abc import Sequence

from tinydeploy.memory.planner import Buffer
from tinydeploy.memory.tflm_file import ONLINE


def greedy_offsets(buffers: Sequence[Buffer], fixed: Sequence[int]) -> tuple[int, ...]:
    """The offset of each buffer, those of ``fixed`` given in advance and `ONLINE` elsewhere.

    By memory_planner/greedy_memory_planner.cc, CalculateOffsetsIfNeeded: buffers with fixed offsets first, then by
    size, largest first, and of equals the later one first; each goes into the lowest gap that is wide enough.
    """
    given = [index for index, offset in enumerate(fixed) if offset != ONLINE]
    free = [index for index, offset in enumerate(fixed) if offset == ONLINE]
    free.sort(key=lambda index: (buffers[index].aligned_bytes, index), reverse=True)
    offsets = list(fixed)
    placed: list[int] = []  # by offset, and of equal ones the earlier placed first
    for index in [*given, *free]:
        if offsets[index] == ONLINE:
            offsets[index] = _lowest_gap(buffers, offsets, placed, index)
        bisect.insort_right(placed, index, key=offsets.__getitem__)
    return tuple(offsets)


def _lowest_gap(buffers: Sequence[Buffer], offsets: Sequence[int], placed: Sequence[int], wanted: int) -> int:
    offset = 0
    for other in placed:
        if not buffers[other].overlaps(buffers[wanted]):
            continue
        if offsets[other] - offset >= buffers[wanted].aligned_bytes:
            break
        offset = max(offset, offsets[other] + buffers[other].aligned_bytes)
    return offset
