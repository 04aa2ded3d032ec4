"""What a log of a line says of the bytes that went over it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcript import TRANSCRIPT

from tinydeploy.errors import LinkError
from tinydeploy.link.frame import Frame, decode, encode
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.frame_text import describe
from tinydeploy.link.messages import (
    NO_LAYER,
    REPLY,
    Ack,
    ErrorCode,
    InputChunk,
    InputFlag,
    Message,
    ObservedChunk,
    ObserveRequest,
    Refusal,
    ResultChunk,
)

NOON = 1_800_000_000.25


class Line:
    """A transport that gives what it was made with, and breaks then."""

    def __init__(self, *arriving: bytes) -> None:
        self.arriving = list(arriving)
        self.sent = b""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:  # noqa: ARG002
        if not self.arriving:
            raise LinkError("the connection to the device broke", hint="look")
        return self.arriving.pop(0)

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        pass


def frame(message: int, payload: bytes, sequence: int = 7) -> bytes:
    return encode(Frame(message=message, sequence=sequence, session=0xABCD, payload=payload))


def said(log: FrameLog) -> list[str]:
    """The lines without their times."""
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{6} ", "", line) for line in log.lines()]


def test_frames_are_told_in_both_directions_however_they_were_cut():
    ack = frame(Message.INPUT | REPLY, Ack(next_id=1, next_offset=0, end_id=3).pack())
    log = FrameLog()
    line = log.around(Line(ack[:5], b"", ack[5:] + ack), "/dev/ttyX")
    line.write(frame(Message.INPUT, InputChunk(id=0, offset=512, flags=InputFlag.MASKED, data=bytes(10)).pack()))
    for _ in range(3):
        line.read(99, 1.0)
    line.close()
    assert said(log) == [
        "-- /dev/ttyX opened",
        "-> INPUT         #7     session 0000abcd    19 B  input 0, 10 B at 512, masked",
        "<- ACK           #7     session 0000abcd    12 B  wants input 1 from 0, has room for inputs before 3",
        "<- ACK           #7     session 0000abcd    12 B  wants input 1 from 0, has room for inputs before 3",
        "-- /dev/ttyX closed",
    ]


def test_what_is_no_frame_is_told_as_text_or_in_hexadecimal():
    log = FrameLog()
    line = log.around(Line(b"booting\r\n\0", b"\x01\x02\x80\xff\0", b"\xc0half"), "x")
    for _ in range(3):
        line.read(99, 1.0)
    assert said(log)[1:] == [
        "<- damaged, 9 B: 'booting\\r\\n'",
        "<- damaged, 4 B: 01 02 80 ff",
        "<- not ended: damaged, 5 B: c0 68 61 6c 66",
    ]


def test_a_line_that_breaks_is_told_and_the_error_goes_on():
    log = FrameLog()
    line = log.around(Line(), "/dev/ttyX")
    with pytest.raises(LinkError):
        line.read(99, 1.0)
    assert said(log)[-1] == "-- /dev/ttyX failed: the connection to the device broke"


def test_the_latest_is_kept_and_what_is_lost_is_told():
    log = FrameLog(capacity_bytes=2_000)
    line = log.around(Line(), "x")
    for number in range(100):
        line.write(frame(Message.RESULT, bytes(9), sequence=number + 1))
    lines = said(log)
    assert re.fullmatch(r"\((\d+) earlier pieces are not kept\)", lines[0])
    assert lines[-1].startswith("-> RESULT        #100 ")
    assert 10 < len(lines) < 20


def test_a_frame_whose_beginning_is_not_kept_is_not_called_damaged():
    whole = frame(Message.RESULT, bytes(9))
    log = FrameLog(capacity_bytes=260)
    for piece in (whole[:9], whole[9:], whole):
        log.received(piece)
    told = "<- RESULT        #7     session 0000abcd     9 B  wants result 0 from 0"
    assert said(log) == ["(1 earlier pieces are not kept)", told]


def test_times_are_those_of_the_day():
    log = FrameLog(now=lambda: NOON)
    log.note("now")
    (line,) = log.lines()
    assert re.fullmatch(r"\d\d:\d\d:00\.250000 -- now", line)


@pytest.mark.parametrize(
    ("message", "payload", "words"),
    [
        (
            Message.OBSERVE,
            ObserveRequest(layer=3, memory=0, offset=1000).pack(),
            "stop after layer 3, arena from 1,000",
        ),
        (
            Message.OBSERVE | REPLY,
            ObservedChunk(layer=NO_LAYER, memory=7, offset=0, data=b"12").pack(),
            "stands after no layer, memory 7, 2 B at 0",
        ),
        (
            Message.RESULT | REPLY,
            ResultChunk(id=4, status=-3, ticks=1000, offset=16, data=bytes(5)).pack(),
            "result 4, 5 B at 16, status -3, 1,000 ticks",
        ),
        (
            Message.ERROR | REPLY,
            Refusal(code=ErrorCode.NO_SESSION, message=Message.INPUT, model_status=0).pack(),
            "refuses INPUT: no session, model status 0",
        ),
        (Message.HELLO | REPLY, b"\x03", "makes no sense: 03"),
        (0x55, b"\x01\x02", "01 02"),
        (Message.STATS, b"", ""),
    ],
)
def test_payloads_are_told_in_words(message, payload, words):
    encoded = frame(message, payload)[:-1]
    assert describe(encoded, decode(encoded)).endswith(words)


@given(st.integers(0, 255), st.binary(max_size=200))
def test_any_payload_whatever_is_told_in_one_line(message, payload):
    encoded = frame(message, payload)[:-1]
    text = describe(encoded, decode(encoded))
    assert text.isprintable()


def test_all_that_the_recorded_device_says_makes_sense():
    log = FrameLog()
    for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines():
        if line.startswith("< "):
            log.received(bytes.fromhex(line[2:]))
    lines = said(log)
    assert {line.split("#")[0][3:].strip() for line in lines} == {
        "ACK",
        "ERROR",
        "HELLO reply",
        "LAYERS reply",
        "RESULT reply",
        "STATS reply",
        "TENSOR reply",
    }
    assert not [line for line in lines if "makes no sense" in line]
