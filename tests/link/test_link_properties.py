"""What holds of the host's side whatever a line does and whatever a device answers."""

import struct
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_session_failures import DESCRIPTION, Line

from tinydeploy.errors import TinydeployError
from tinydeploy.link.frame import Decoder, Frame, encode
from tinydeploy.link.hello import hello_from, tensor_from
from tinydeploy.link.messages import (
    REPLY,
    Ack,
    HelloReply,
    HelloRequest,
    InputChunk,
    LayersChunk,
    LayersRequest,
    Message,
    Refusal,
    ResultChunk,
    ResultRequest,
    Stats,
    TensorReply,
    TensorRequest,
)
from tinydeploy.link.session import Session

PAYLOADS = [HelloRequest, HelloReply, TensorRequest, TensorReply, InputChunk, Ack, ResultRequest, ResultChunk]
PAYLOADS += [LayersRequest, LayersChunk, Stats, Refusal]

FRAMES = st.builds(
    Frame,
    message=st.integers(0, 255),
    sequence=st.integers(0, 65535),
    session=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=100),
)
GARBAGE = st.binary(max_size=80)
NUMBERS = st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1))

# Well-framed replies that make sense one by one, but not together.
ACKS = st.builds(struct.Struct("<III").pack, NUMBERS, NUMBERS, NUMBERS)
RESULT_HEADS = st.builds(struct.Struct("<IiII").pack, NUMBERS, st.just(0), st.just(1), st.integers(0, 3))
RESULTS = st.builds(bytes.__add__, RESULT_HEADS, st.binary(max_size=3))
NONSENSE = st.one_of(
    st.tuples(st.just(Message.INPUT | REPLY), ACKS),
    st.tuples(st.just(Message.RESULT | REPLY), RESULTS),
    st.tuples(st.sampled_from([int(message) | REPLY for message in Message] + [0xF0, 3]), st.binary(max_size=60)),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(GARBAGE, FRAMES), max_size=6), st.lists(st.integers(1, 30), min_size=1))
def test_intact_frames_are_found_behind_any_garbage_in_any_split(
    sent: list[tuple[bytes, Frame]], cuts: list[int]
) -> None:
    data = b"".join(garbage + b"\0" + encode(frame) for garbage, frame in sent)
    decoder, arrived, turn = Decoder(), [], 0
    while data:
        arrived += decoder.feed(data[: cuts[turn % len(cuts)]])
        data = data[cuts[turn % len(cuts)] :]
        turn += 1
    assert arrived == [frame for _, frame in sent]
    assert decoder.damaged <= sum(1 + garbage.count(0) for garbage, _ in sent if garbage)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PAYLOADS), st.binary(max_size=150), st.booleans())
def test_any_payload_is_a_value_or_refused(payload: type, data: bytes, fitting: bool) -> None:
    if fitting:  # of the right size, so that all its fields are arbitrary
        data = (data * (payload._FORMAT.size // max(1, len(data)) + 1) or bytes(200))[: payload._FORMAT.size]
    try:
        value = payload.unpack(data)
    except (struct.error, ValueError):
        return
    assert len(value.pack()) == len(data)
    if isinstance(value, LayersChunk) and len(value.data) % 4 == 0:
        assert len(value.ticks) == len(value.data) // 4


@settings(deadline=None, max_examples=300)
@given(st.binary(min_size=113, max_size=113), st.binary(min_size=64, max_size=64))
def test_any_description_is_a_value_or_refused(hello: bytes, tensor: bytes) -> None:
    for describe in (
        lambda: hello_from(HelloReply.unpack(hello), (), ()),
        lambda: tensor_from(TensorReply.unpack(tensor)),
    ):
        try:
            assert describe()
        except (struct.error, ValueError):
            continue


ACTIONS: list[Callable[[Session], object]] = [
    lambda session: list(session.run([b"abcd"] * 3)),
    lambda session: session.profile(b"abcd", layers=True),
    lambda session: session.stats(),
]


@pytest.mark.parametrize("action", ACTIONS, ids=["run", "profile", "stats"])
@settings(deadline=None, max_examples=25)
@given(answers=st.lists(st.lists(NONSENSE, max_size=3), min_size=1, max_size=8))
def test_a_device_that_answers_nonsense_ends_in_an_error_and_in_time(
    action: Callable[[Session], object], answers: list[list[tuple[int, bytes]]]
) -> None:
    turn = 0

    def nonsense(frame: Frame) -> list[tuple[int, bytes]]:
        nonlocal turn
        if frame.message == Message.HELLO:
            return [(Message.HELLO | REPLY, DESCRIPTION.pack())]
        turn += 1
        return answers[turn % len(answers)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinydeploy.link.session._REQUEST_TIMEOUT_S", 0.2)
        session = Session.open(Line(nonsense), 0.2, silence_s=0.1, inference_timeout_s=0.2)
        begin = monotonic()
        with suppress(TinydeployError):
            action(session)
    assert monotonic() - begin < 20
    assert len(session._channel.heard) <= 400
