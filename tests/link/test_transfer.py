"""The data exchange without a line: what is sent when, and what is made of the answers."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tinydeploy.errors import UsageError
from tinydeploy.link.chunk_size import ChunkSize
from tinydeploy.link.hello import Arena, Hello
from tinydeploy.link.messages import Ack, InputChunk, InputFlag, ResultChunk, ResultRequest
from tinydeploy.link.traffic import Repeated
from tinydeploy.link.transfer import WINDOW_CHUNKS, Transfer


def hello(*, buffers: int = 2, chunk_bytes: int = 4, input_bytes: int = 10) -> Hello:
    return Hello(
        engine="aot",
        board="x",
        build_id=bytes(8),
        model_sha256="00",
        model_status=0,
        inputs=(),
        outputs=(),
        layers=1,
        arena=Arena(used_bytes=0, reserved_bytes=0, smallest_bytes=None),
        buffers=buffers,
        input_bytes=input_bytes,
        output_bytes=6,
        chunk_bytes=chunk_bytes,
        clock_hz=1,
        tick_hz=1,
    )


def transfer(inputs: Iterable[bytes], *, buffers: int = 2, chunk_bytes: int = 4) -> Transfer:
    described = hello(buffers=buffers, chunk_bytes=chunk_bytes)
    return Transfer(inputs, hello=described, first_id=0, end_id=buffers, flags=InputFlag.NONE)


class Sender:
    """Takes from a transfer what it wants to send, with frame numbers from 1 on."""

    def __init__(self, source: Transfer) -> None:
        self.source = source
        self.sequence = 0

    def all(self) -> list[InputChunk | ResultRequest]:
        messages = []
        while (message := self.source.next_message(self.sequence + 1, now=float(self.sequence))) is not None:
            self.sequence += 1
            messages.append(message)
        return messages


def places(messages: list[InputChunk | ResultRequest]) -> list[tuple[int, int]]:
    return [(message.id, message.offset) for message in messages]


def result(result_id: int, offset: int, data: bytes) -> ResultChunk:
    return ResultChunk(id=result_id, status=0, ticks=5, offset=offset, data=data)


def test_results_are_asked_for_in_parts_as_large_as_the_line_bears() -> None:
    clean, bad = ChunkSize(), ChunkSize()
    for _ in range(100):
        bad.lost(37)
        bad.arrived(37)

    def most(line: ChunkSize, output_bytes: int) -> int:
        described = replace(hello(chunk_bytes=512), output_bytes=output_bytes)
        source = Transfer([], hello=described, first_id=0, end_id=0, flags=InputFlag.NONE, chunk_size=line)
        (request,) = Sender(source).all()
        return request.most

    assert [most(clean, size) for size in (10, 600, 2000)] == [0, 0, 0]
    assert most(bad, 10) == 0, "it is one part in any case"
    assert 20 < most(bad, 600) < 60
    for _ in range(40):
        bad.arrived(500)
    assert most(bad, 2000) in range(100, 256)


def test_replies_that_arrive_damaged_tell_of_the_line_too() -> None:
    line = ChunkSize()
    described = replace(hello(chunk_bytes=512), output_bytes=600)
    source = Transfer([bytes(10)], hello=described, first_id=0, end_id=2, flags=InputFlag.NONE, chunk_size=line)
    for _ in range(20):
        source.on_damage()
    (asked, *_) = Sender(source).all()
    assert asked.most in range(1, 200)


def test_an_input_goes_in_chunks_and_no_further_than_the_credits() -> None:
    sender = Sender(transfer([b"0123456789"] * 5))
    assert places(sender.all()) == [(0, 0), (0, 4), (0, 8), (1, 0), (1, 4), (1, 8)]


def test_unknown_credits_are_asked_for_before_anything_is_sent() -> None:
    unknown = Transfer([bytes(10)], hello=hello(), first_id=0, end_id=0, flags=InputFlag.NONE)
    sender = Sender(unknown)
    assert sender.all() == [ResultRequest(id=0, offset=0)]
    unknown.on_ack(1, Ack(next_id=0, next_offset=0, end_id=0), now=0)
    assert sender.all() == []
    unknown.on_ack(1, Ack(next_id=0, next_offset=0, end_id=1), now=0)
    assert places(sender.all()) == [(0, 0), (0, 4), (0, 8)]


def test_an_input_is_taken_from_its_source_only_when_there_is_room() -> None:
    taken = []
    sender = Sender(transfer((taken.append(i) or bytes(10) for i in range(5)), buffers=1))
    sender.all()
    assert taken == [0]
    sender.source.on_ack(3, Ack(next_id=1, next_offset=0, end_id=2), now=0)
    sender.all()
    assert taken == [0, 1]


def test_only_a_few_chunks_are_under_way() -> None:
    sender = Sender(transfer([bytes(10)] * 5, chunk_bytes=1))
    assert len(sender.all()) == WINDOW_CHUNKS
    sender.source.on_ack(3, Ack(next_id=0, next_offset=3, end_id=2), now=0)
    assert places(sender.all()) == [(0, 8), (0, 9), (1, 0)]


def test_a_chunk_that_the_device_passed_over_is_sent_again_with_all_after_it() -> None:
    sender = Sender(transfer([bytes(10)] * 5))
    sender.all()
    sender.source.on_ack(4, Ack(next_id=0, next_offset=4, end_id=2), now=0)
    assert places(sender.all()) == [(0, 4), (0, 8), (1, 0), (1, 4), (1, 8)]
    # The rest of what was sent the first time is answered now: that is no reason to send it a third time.
    sender.source.on_ack(6, Ack(next_id=0, next_offset=4, end_id=2), now=0)
    assert sender.all() == []


def test_an_answer_to_a_later_request_shows_a_lost_chunk_too() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    sender.source.on_ack(9, Ack(next_id=0, next_offset=8, end_id=2), now=0)
    assert places(sender.all()) == [(0, 8)]


def test_an_ack_that_answers_nothing_gives_credit_and_repeats_nothing() -> None:
    sender = Sender(transfer([bytes(10)] * 5, buffers=1))
    sender.all()
    sender.source.on_ack(0, Ack(next_id=0, next_offset=0, end_id=2), now=0)
    assert places(sender.all()) == [(1, 0), (1, 4), (1, 8)]


def test_a_round_trip_is_timed_by_the_frame_that_is_answered() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    assert sender.source.on_ack(2, Ack(next_id=0, next_offset=8, end_id=2), now=7.5) == 6.5
    assert sender.source.on_ack(2, Ack(next_id=0, next_offset=8, end_id=2), now=9.5) is None


def test_a_result_is_put_together_given_once_and_acknowledged() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    assert sender.source.on_result(result(0, 0, b"abcd")) == []
    assert sender.source.on_result(result(0, 0, b"abcd")) == []
    (done,) = sender.source.on_result(result(0, 4, b"ef"))
    assert (done.id, done.output, done.status, done.ticks) == (0, b"abcdef", 0, 5)
    assert sender.source.on_result(result(0, 4, b"ef")) == []
    assert sender.all() == [ResultRequest(id=1, offset=0)]
    assert sender.source.done


def test_a_missing_part_of_a_result_is_asked_for_once_and_what_came_after_it_is_kept() -> None:
    sender = Sender(transfer([bytes(10)] * 2))
    sender.all()
    sender.source.on_result(result(0, 0, b"ab"))
    sender.source.on_result(result(0, 4, b"ef"))
    sender.source.on_result(result(1, 0, b"ghijkl"))
    assert sender.all() == [ResultRequest(id=0, offset=2)]
    assert not sender.source.done
    found = sender.source.on_result(result(0, 2, b"cd"))
    assert [(done.id, done.output) for done in found] == [(0, b"abcdef"), (1, b"ghijkl")]
    assert sender.all() == [ResultRequest(id=2, offset=0)]
    assert sender.source.done


def test_what_arrives_damaged_is_asked_for_at_once() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    sender.source.on_result(result(0, 0, b"ab"))
    sender.source.on_damage()
    assert sender.all() == [ResultRequest(id=0, offset=2)]


def test_a_device_owes_answers_to_what_was_sent_and_results_that_it_has_computed() -> None:
    sender = Sender(transfer([bytes(10)]))
    assert not sender.source.is_owed
    sender.all()
    assert sender.source.is_owed  # ACKs
    sender.source.on_ack(3, Ack(next_id=1, next_offset=0, end_id=2), now=0)
    assert not sender.source.is_owed  # it computes
    sender.source.on_ack(0, Ack(next_id=1, next_offset=0, end_id=3), now=0)
    assert sender.source.is_owed  # it has: a result
    sender.source.on_result(result(0, 0, b"abcdef"))
    assert not sender.source.is_owed
    assert sender.all() == [ResultRequest(id=1, offset=0)]
    assert sender.source.is_owed  # an answer to that


def test_chunks_become_smaller_where_they_are_lost_and_a_delimiter_goes_before_each() -> None:
    described = hello(chunk_bytes=100, input_bytes=100)
    sender = Sender(Transfer([bytes(100)] * 2, hello=described, first_id=0, end_id=2, flags=InputFlag.NONE))
    assert places(sender.all()) == [(0, 0), (1, 0)]
    assert not sender.source.is_lossy
    for _ in range(50):  # the device gets something in every round, but never the first chunk
        sender.source.on_ack(sender.sequence, Ack(next_id=0, next_offset=0, end_id=2), now=0)
        sender.all()
    assert sender.source.is_lossy
    sender.source.on_silence()
    assert places(sender.all()) == [(0, 0), (0, 0), (0, 34), (0, 67), (1, 0), (1, 34), (1, 67)]  # the first is RESULT


def test_after_silence_the_device_is_asked_and_what_it_has_not_is_sent_again() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    sender.source.on_ack(1, Ack(next_id=0, next_offset=4, end_id=2), now=0)
    sender.source.on_silence()
    assert sender.all() == [ResultRequest(id=0, offset=0)]
    sender.source.on_ack(sender.sequence, Ack(next_id=0, next_offset=4, end_id=2), now=0)
    assert places(sender.all()) == [(0, 4), (0, 8)]


def test_a_device_that_was_only_late_is_sent_nothing_again() -> None:
    repeated = Repeated()
    sender = Sender(Transfer([bytes(10)], hello=hello(), first_id=0, end_id=2, flags=InputFlag.NONE, repeated=repeated))
    sender.all()
    for _ in range(20):
        sender.source.on_silence()
        sender.all()
    sender.source.on_ack(sender.sequence, Ack(next_id=1, next_offset=0, end_id=2), now=0)
    assert sender.all() == []
    assert repeated.chunks == 0
    assert not sender.source.is_lossy


def test_a_result_proves_that_its_input_arrived_even_if_every_ack_was_lost() -> None:
    sender = Sender(transfer([bytes(10)] * 5, buffers=1))
    sender.all()
    sender.source.on_result(result(0, 0, b"abcdef"))
    assert places(sender.all()) == [(1, 0), (1, 0), (1, 4), (1, 8)]  # the first acknowledges result 0


@pytest.mark.parametrize("ack", [Ack(next_id=0, next_offset=9, end_id=1), Ack(next_id=1, next_offset=0, end_id=2)])
def test_a_device_cannot_have_what_was_not_sent(ack: Ack) -> None:
    source = transfer([bytes(10)])
    source.next_message(1, now=0)
    source.next_message(2, now=0)
    with pytest.raises(ValueError, match=r"\d+"):
        source.on_ack(2, ack, now=0)


def test_a_result_cannot_be_longer_than_an_output() -> None:
    sender = Sender(transfer([bytes(10)]))
    sender.all()
    with pytest.raises(ValueError, match=r"abcdefg"):
        sender.source.on_result(result(0, 0, b"abcdefg"))


def test_no_inputs_are_done_at_once() -> None:
    sender = Sender(transfer([]))
    assert sender.all() == []
    assert sender.source.done


def test_an_input_of_the_wrong_size_is_refused_with_both_sizes() -> None:
    sender = Sender(transfer([b"short"]))
    with pytest.raises(UsageError) as caught:
        sender.all()
    assert str(caught.value) == "an input has 5 B, but the model takes 10 B"
    assert caught.value.exit_code == 2
