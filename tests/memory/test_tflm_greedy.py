import itertools

from hypothesis import given
from hypothesis import strategies as st

from tinydeploy.memory.planner import Buffer, align
from tinydeploy.memory.tflm_file import ONLINE
from tinydeploy.memory.tflm_greedy import greedy_offsets


def always(*sizes):
    return [Buffer(nbytes=nbytes, first=0, last=1) for nbytes in sizes]


def placed(buffers, fixed=None):
    return greedy_offsets(buffers, fixed or [ONLINE] * len(buffers))


def test_the_largest_goes_to_the_bottom():
    assert placed(always(16, 64, 32)) == (96, 0, 64)


def test_of_buffers_of_equal_size_the_later_one_goes_first():
    assert placed(always(32, 32, 32)) == (64, 32, 0)


def test_sizes_are_compared_as_they_are_reserved():
    assert placed(always(17, 32)) == (32, 0)


def test_a_buffer_goes_into_the_lowest_gap_that_is_wide_enough():
    # The first of 64 leaves its place at step 1 to whoever starts then.
    early, both, late = (Buffer(nbytes=size, first=a, last=b) for size, a, b in ((96, 0, 0), (64, 0, 1), (48, 1, 1)))
    assert placed([early, both, late]) == (0, 96, 0)


def test_given_offsets_are_kept_and_come_first():
    assert placed(always(16, 64, 16), [ONLINE, ONLINE, 32]) == (0, 48, 32)


def test_given_offsets_may_overlap_as_whoever_gave_them_wished():
    assert placed(always(64, 64), [16, 16]) == (16, 16)


def test_nothing_to_place_is_placed():
    assert placed([]) == ()


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-1, 8), st.integers(0, 5)), max_size=14))
def test_buffers_that_are_alive_together_never_overlap(some):
    buffers = [Buffer(nbytes=nbytes, first=first, last=first + length) for nbytes, first, length in some]
    spans = list(zip(placed(buffers), buffers, strict=True))
    for (at_a, a), (at_b, b) in itertools.combinations(spans, 2):
        assert not a.overlaps(b) or at_a + align(a.nbytes) <= at_b or at_b + align(b.nbytes) <= at_a
