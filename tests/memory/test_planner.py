import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tinydeploy.memory.planner import ALIGNMENT, Block, Buffer, Span, align, place


@st.composite
def buffers(draw):
    first = draw(st.integers(0, 12))
    return Buffer(nbytes=draw(st.integers(1, 5000)), first=first, last=first + draw(st.integers(0, 6)))


@given(st.lists(buffers(), max_size=12))
def test_buffers_that_are_alive_together_never_overlap_and_all_lie_in_the_arena(some):
    placement = place(list(map(Block.of, some)))
    spans = [(o, o + b.nbytes, b) for o, b in zip(placement.offsets, some, strict=True)]
    for (begin_a, end_a, a), (begin_b, end_b, b) in itertools.combinations(spans, 2):
        assert not a.overlaps(b) or end_a <= begin_b or end_b <= begin_a
    assert all(offset % ALIGNMENT == 0 for offset in placement.offsets)
    assert placement.arena_bytes == max((align(end) for _, end, _ in spans), default=0)
    assert placement.arena_bytes >= placement.lower_bound_bytes


@given(st.lists(buffers(), min_size=1, max_size=12))
def test_the_lower_bound_is_the_fullest_step(some):
    placement = place(list(map(Block.of, some)))
    live = {
        step: sum(align(b.nbytes) for b in some if b.first <= step <= b.last)
        for step in range(min(b.first for b in some), max(b.last for b in some) + 1)
    }
    assert placement.lower_bound_bytes == max(live.values()) == live[placement.peak_step]


def test_the_same_buffers_are_always_placed_alike():
    some = [Buffer(nbytes=37 * i % 1000 + 1, first=i % 7, last=i % 7 + i % 4) for i in range(30)]
    some = list(map(Block.of, some))
    assert place(some) == place(some)


def test_where_placing_by_size_wastes_memory_the_lower_bound_is_still_reached():
    # The first layers of a MobileNet: by size, the largest goes to the bottom and two others cannot go beneath it.
    sizes = (27_648, 18_432, 18_432, 36_864)
    some = [Buffer(nbytes=n, first=max(0, i - 1), last=i) for i, n in enumerate(sizes)]
    placement = place(list(map(Block.of, some)))
    assert placement.arena_bytes == placement.lower_bound_bytes == 18_432 + 36_864


def test_nothing_to_place_needs_no_arena():
    placement = place([])
    assert (placement.offsets, placement.arena_bytes, placement.lower_bound_bytes) == ((), 0, 0)


@st.composite
def blocks(draw):
    """Chains of buffers, each of which takes over at the step at which the one before is read for the last time."""
    step, spans = draw(st.integers(0, 8)), []
    for _ in range(draw(st.integers(1, 4))):
        last, begin = step + draw(st.integers(0, 3)), ALIGNMENT * draw(st.integers(0, 20))
        spans.append(Span(first=step, last=last, begin=begin, end=begin + draw(st.integers(1, 2000))))
        step = last
    return Block(spans=tuple(spans))


@settings(deadline=None)
@given(st.lists(blocks(), max_size=6))
def test_blocks_overlap_only_where_nothing_of_them_is_alive_at_once(some):
    placement = place(some)
    placed = list(zip(placement.offsets, some, strict=True))
    for (offset_a, a), (offset_b, b) in itertools.combinations(placed, 2):
        for ours, theirs in itertools.product(a.spans, b.spans):
            apart = offset_a + ours.end <= offset_b + theirs.begin or offset_b + theirs.end <= offset_a + ours.begin
            assert apart or not ours.overlaps(theirs)
    assert placement.arena_bytes == max((offset + block.size for offset, block in placed), default=0)
    assert placement.arena_bytes >= placement.lower_bound_bytes


def test_memory_that_a_smaller_successor_gave_up_is_used_by_others():
    shrinking = Block(spans=(Span(first=0, last=1, begin=0, end=4096), Span(first=1, last=3, begin=0, end=1024)))
    later = Block.of(Buffer(nbytes=3072, first=2, last=4))
    assert place([shrinking, later]).arena_bytes == 4096
