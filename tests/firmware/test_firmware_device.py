"""What the firmware's C does about hosts and lines that do not behave, frame by frame."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bad_line import attacks
from host_firmware import Steps, expected_output, random_inputs

from tinydeploy.link.frame import Decoder, Frame, encode
from tinydeploy.link.messages import REPLY, Ack, HelloRequest, InputChunk, Message, ResultChunk, ResultRequest, Stats
from tinydeploy.link.session import Session

Build = Callable[..., Path]


class Hand:
    """A host that makes its frames by hand, against a firmware that does everything in turn."""

    def __init__(self, program: Path) -> None:
        self.steps = Steps(program)
        self.sequence = 0
        self.step(self.frame(Message.HELLO, HelloRequest(version=1).pack()))

    def frame(self, message: int, payload: bytes = b"", session: int = 5) -> bytes:
        self.sequence = (self.sequence + 1) % 65536
        return encode(Frame(message=message, sequence=self.sequence, session=session, payload=payload))

    def step(self, data: bytes) -> list[Frame]:
        return Decoder().feed(self.steps.step(data))

    def chunk(self, input_id: int, offset: int, data: bytes, session: int = 5) -> bytes:
        return self.frame(Message.INPUT, InputChunk(id=input_id, offset=offset, flags=0, data=data).pack(), session)

    def input(self, input_id: int, data: bytes, session: int = 5) -> bytes:
        return b"".join(self.chunk(input_id, at, data[at : at + 128], session) for at in range(0, len(data), 128))

    def result(self, result_id: int, *, offset: int = 0, most: int = 0) -> bytes:
        return self.frame(Message.RESULT, ResultRequest(id=result_id, offset=offset, most=most).pack())


def results_in(frames: list[Frame]) -> list[ResultChunk]:
    return [ResultChunk.unpack(frame.payload) for frame in frames if frame.message == Message.RESULT | REPLY]


@pytest.fixture
def hand(build: Build) -> Iterator[Hand]:
    by_hand = Hand(build("port_steps"))
    yield by_hand
    by_hand.steps.close()


def ack_in(frames: list[Frame]) -> Ack:
    (ack,) = [Ack.unpack(frame.payload) for frame in frames if frame.message == Message.INPUT | REPLY]
    return ack


def test_ten_million_bytes_neither_stop_the_device_nor_make_it_compute(build: Build) -> None:
    line = Steps(build("port_steps"))
    packet = bytearray()
    for piece in attacks(10_000_000, seed=17):
        packet += piece
        if len(packet) > 10_000:
            line.step(bytes(packet))
            packet.clear()
    line.packets.clear()
    with Session.open(line) as session:
        outputs = [result.output for result in session.run(random_inputs(16))]
        stats = session.stats()
    assert outputs == [expected_output(data, 1 + i) for i, data in enumerate(random_inputs(16))]
    assert stats.inferences == 16
    assert stats.damaged > 30_000
    assert stats.dropped > 3000
    assert stats.overruns == 0


def test_intact_frames_with_any_content_neither_stop_the_device_nor_make_it_compute(hand: Hand) -> None:
    source = random.Random(19)

    def any_frame() -> bytes:
        message = source.choice([1, 2, 3, 3, 3, 4, 4, 5, 6, 8, 0x7F, 0x81, 0xFF])
        numbers = bytes(source.choices([0, 0, 0, 0, 1, 128, 255], k=source.choice([0, 1, 2, 6, 8, 9])))
        data = source.randbytes(source.choice([0, 0, 1, 128, 129, 1500]))
        # Of an input, only its first byte may get through, so that none becomes complete.
        payload = numbers + data if message != Message.INPUT or len(numbers) < 9 else numbers + data[:1]
        return hand.frame(message, payload, session=source.choice([5, 5, 5, 0, 6]))

    for _ in range(40):
        hand.step(b"".join(any_frame() for _ in range(50)))
    hand.step(hand.frame(Message.HELLO, b"\1"))
    (reply,) = hand.step(hand.frame(Message.STATS))
    assert reply.message == Message.STATS | REPLY
    assert Stats.unpack(reply.payload).inferences == 0
    assert Stats.unpack(reply.payload).frames > 1000


def test_a_chunk_beyond_the_end_of_an_input_is_refused(hand: Hand) -> None:
    data = random_inputs(1)[0]
    hand.step(b"".join(hand.chunk(0, at, data[at : at + 100]) for at in range(0, 900, 100)))
    (refusal,) = hand.step(hand.chunk(0, 900, bytes(101)))
    assert (refusal.message, refusal.payload[0]) == (Message.ERROR | REPLY, 3)
    assert ack_in(hand.step(hand.chunk(0, 900, data[900:]))).next_id == 1


def test_a_damaged_frame_destroys_nothing_that_was_accepted(hand: Hand) -> None:
    data = random_inputs(1)[0]
    hand.step(hand.chunk(0, 0, data[:128]))
    for _ in range(20):
        damaged = bytearray(hand.chunk(0, 128, b"\xaa" * 128))
        damaged[-3] ^= 1
        assert hand.step(bytes(damaged)) == []
    rest = b"".join(hand.chunk(0, at, data[at : at + 128]) for at in range(128, 1000, 128))
    replies = [frame.payload[16:] for frame in hand.step(rest) if frame.message == Message.RESULT | REPLY]
    assert b"".join(replies) == expected_output(data, 1)


def test_an_input_that_is_repeated_is_not_computed_again(hand: Hand) -> None:
    data = random_inputs(1)[0]
    hand.step(hand.input(0, data))
    assert ack_in(hand.step(hand.input(0, data))) == Ack(next_id=1, next_offset=0, end_id=3)
    assert ack_in(hand.step(hand.result(0))) == Ack(next_id=1, next_offset=0, end_id=3)
    assert b"".join(frame.payload[16:] for frame in hand.step(hand.result(0))) == expected_output(data, 1)


def test_a_result_is_sent_again_to_who_names_it_again_and_not_to_who_acknowledges_those_before_it(hand: Hand) -> None:
    first, second = random_inputs(2)
    hand.step(hand.input(0, first) + hand.input(1, second))
    assert ack_in(hand.step(hand.result(1))) == Ack(next_id=2, next_offset=0, end_id=4)
    assert b"".join(frame.payload[16:] for frame in hand.step(hand.result(1))) == expected_output(second, 2)
    (gone,) = hand.step(hand.result(0))
    assert gone.message == Message.ERROR | REPLY


@pytest.mark.parametrize("begun", [1, 20, 100])
def test_a_result_on_its_way_is_not_written_over_by_the_next_one(begun: int, hand: Hand) -> None:
    """Not even where the host, meanwhile, says that it has it: its frame would be intact, and hold two results."""
    first, second, third = random_inputs(3)
    hand.step(hand.input(0, first) + hand.result(0))
    sent = hand.steps.step(hand.result(0), most=begun)
    sent += hand.steps.step(hand.result(1) + hand.input(1, second) + hand.input(2, third))
    sent += hand.steps.step(b"")  # there was no room for the last one until the first had gone
    results = results_in(Decoder().feed(sent))
    outputs = [expected_output(data, count) for count, data in enumerate((first, second, third), start=1)]
    assert {result.id for result in results} == {0, 1, 2}
    for result in results:
        assert result.data == outputs[result.id][result.offset : result.offset + len(result.data)]
    for number in (1, 2):
        assert b"".join(result.data for result in results if result.id == number) == outputs[number]


def test_results_come_in_parts_of_the_size_that_the_latest_request_says(hand: Hand) -> None:
    first, second = random_inputs(2)
    outputs = [expected_output(data, count) for count, data in enumerate((first, second), start=1)]
    whole = [len(result.data) for result in results_in(hand.step(hand.input(0, first)))]
    assert sum(whole) == len(outputs[0])
    hand.step(hand.result(0, most=7))
    parts = results_in(hand.step(hand.result(0, offset=3, most=7)))
    assert {len(result.data) for result in parts[:-1]} == {7}
    assert b"".join(result.data for result in parts) == outputs[0][3:]
    hand.step(hand.result(1, most=5))
    unasked = results_in(hand.step(hand.input(1, second)))
    assert {len(result.data) for result in unasked[:-1]} == {5}
    assert b"".join(result.data for result in unasked) == outputs[1]
    for most in (0, 255):  # which is more than a chunk of this firmware has
        assert [len(result.data) for result in results_in(hand.step(hand.result(1, most=most)))] == whole


def test_parts_have_their_usual_size_again_in_a_new_session(hand: Hand) -> None:
    hand.step(hand.result(0, most=1))
    hand.step(hand.frame(Message.HELLO, HelloRequest(version=1).pack(), session=6))
    results = results_in(hand.step(hand.input(0, random_inputs(1)[0], session=6)))
    assert max(len(result.data) for result in results) > 1


def test_inputs_beyond_the_credits_are_dropped_and_counted(hand: Hand) -> None:
    inputs = random_inputs(5)
    for number in range(4):  # two are computed, and their results held; two wait
        hand.step(hand.input(number, inputs[number]))
    assert ack_in(hand.step(hand.chunk(4, 0, inputs[4][:128]))) == Ack(next_id=4, next_offset=0, end_id=4)
    (reply,) = hand.step(hand.frame(Message.STATS))
    assert Stats.unpack(reply.payload).overruns == 1
    computed = hand.step(hand.result(2))
    outputs = b"".join(result.data for result in results_in(computed))
    assert outputs == expected_output(inputs[2], 3) + expected_output(inputs[3], 4)
