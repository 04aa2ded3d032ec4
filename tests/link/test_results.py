"""Results from their parts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydeploy.link.messages import ResultChunk
from tinydeploy.link.results import Results

OUTPUT_BYTES = 20
OUTPUTS = [bytes(range(start, start + OUTPUT_BYTES)) for start in range(0, 100, OUTPUT_BYTES)]
PLACES = [(index, offset) for index in range(len(OUTPUTS)) for offset in range(OUTPUT_BYTES)]


def part(place: tuple[int, int], size: int) -> ResultChunk:
    index, offset = place
    return ResultChunk(id=index, status=0, ticks=index, offset=offset, data=OUTPUTS[index][offset : offset + size])


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.integers(1, OUTPUT_BYTES)), max_size=200))
def test_whatever_comes_each_result_is_given_once_in_order_and_right(parts: list[tuple[tuple[int, int], int]]) -> None:
    results = Results(next_id=0, output_bytes=OUTPUT_BYTES, buffers=2)
    found = []
    for place, size in parts:
        before = results.received_bytes
        is_new = results.take(part(place, size))
        assert is_new == (results.received_bytes > before)
        found += results.finished()
        assert results.missing[0] == len(found)
    while results.next_id < len(OUTPUTS):  # what is missing comes, as a device sends it: from there to the end
        assert results.take(part(results.missing, OUTPUT_BYTES))
        found += results.finished()
    assert [(result.id, result.output, result.ticks) for result in found] == [
        (index, output, index) for index, output in enumerate(OUTPUTS)
    ]
    assert results.received_bytes == len(OUTPUTS) * OUTPUT_BYTES


def test_a_gap_is_what_later_parts_show() -> None:
    results = Results(next_id=0, output_bytes=OUTPUT_BYTES, buffers=2)
    results.take(part((0, 0), 5))
    assert (results.missing, results.has_gap) == ((0, 5), False)
    results.take(part((0, 10), 5))
    assert (results.missing, results.has_gap) == ((0, 5), True)
    results.take(part((0, 5), 5))
    assert (results.missing, results.has_gap) == ((0, 15), False)
    results.take(part((1, 0), OUTPUT_BYTES))
    assert (results.missing, results.has_gap) == ((0, 15), True)


def test_a_device_cannot_hold_more_results_than_it_has_buffers() -> None:
    results = Results(next_id=1, output_bytes=OUTPUT_BYTES, buffers=2)
    assert not results.take(part((0, 0), 5))
    assert results.take(part((2, 0), 5))
    assert not results.take(part((3, 0), 5))


@pytest.mark.parametrize(("offset", "data"), [(0, b""), (OUTPUT_BYTES - 1, b"ab"), (2**32 - 1, b"a")])
def test_a_part_that_cannot_be_one_is_refused(offset: int, data: bytes) -> None:
    results = Results(next_id=0, output_bytes=OUTPUT_BYTES, buffers=1)
    with pytest.raises(ValueError, match="ResultChunk"):
        results.take(ResultChunk(id=0, status=0, ticks=0, offset=offset, data=data))
