"""What people are told when there is no device, or not the right one, or it goes away. Lines that do these things."""

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tinydeploy.errors import DeviceNotFoundError, LinkError, TinydeployError, VerificationError, WrongFirmwareError
from tinydeploy.files import data_dir
from tinydeploy.link.frame import Decoder, Frame, encode
from tinydeploy.link.messages import (
    PROTOCOL_VERSION,
    REPLY,
    Ack,
    ErrorCode,
    HelloReply,
    InputChunk,
    LayersChunk,
    Message,
    Refusal,
    ResultChunk,
)
from tinydeploy.link.session import Session
from tinydeploy.link.status import TflmStatus

DESCRIPTION = HelloReply(
    version=PROTOCOL_VERSION,
    engine=1,
    buffers=1,
    inputs=0,
    outputs=0,
    layers=1,
    chunk_bytes=16,
    model_status=0,
    arena_used_bytes=0,
    arena_reserved_bytes=0,
    arena_smallest_bytes=0,
    input_bytes=4,
    output_bytes=2,
    clock_hz=1,
    tick_hz=1,
    build_id=bytes(8),
    model_sha256=bytes(32),
    board=b"x",
)

Answer = Callable[[Frame], list[tuple[int, bytes]]]


class Line:
    """A device that answers each frame with the (message, payload) pairs that a function gives."""

    def __init__(self, answer: Answer, *, junk: bytes = b"") -> None:
        self.answer = answer
        self.arrived = junk
        self.decoder = Decoder()
        self.closed = False

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self.arrived:
            time.sleep(timeout_s)
        data, self.arrived = self.arrived[:max_bytes], self.arrived[max_bytes:]
        return data

    def write(self, data: bytes) -> None:
        for frame in self.decoder.feed(data):
            for message, payload in self.answer(frame):
                self.arrived += encode(
                    Frame(message=message, sequence=frame.sequence, session=frame.session, payload=payload)
                )

    def close(self) -> None:
        self.closed = True


def describes_itself(frame: Frame) -> list[tuple[int, bytes]]:
    return [(Message.HELLO | REPLY, DESCRIPTION.pack())] if frame.message == Message.HELLO else []


def refuses(code: ErrorCode, status: int = 0) -> Answer:
    refusal = Refusal(code=code, message=Message.INPUT, model_status=status).pack()
    return lambda frame: describes_itself(frame) or [(Message.ERROR | REPLY, refusal)]


def failure_of(answer: Answer, *, junk: bytes = b"", silence_s: float = 5.0) -> TinydeployError:
    """How saying hello and one inference go wrong."""
    with pytest.raises(TinydeployError) as caught:
        list(Session.open(Line(answer, junk=junk), 0.25, name="/dev/ttyX", silence_s=silence_s).run([b"abcd"]))
    return caught.value


def test_a_port_where_nothing_answers() -> None:
    error = failure_of(lambda _: [])
    assert isinstance(error, DeviceNotFoundError)
    assert error.exit_code == 7
    assert str(error) == (
        "no answer within 0.25 s\n"
        "  port      /dev/ttyX\n"
        "  received  not a single byte\n"
        "  try       is it the right port, is the board powered, and has it been flashed?"
    )


def test_a_port_where_something_else_talks() -> None:
    error = failure_of(lambda _: [], junk=bytes(range(0x80, 0x98)) + b"\0")
    assert isinstance(error, DeviceNotFoundError)
    assert error.where["received"] == (
        "25 B, but no valid frame (1 damaged); the first: 80 81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f"
    )
    assert "another speed" in error.hint


def test_a_port_where_another_firmware_writes_text() -> None:
    error = failure_of(lambda _: [], junk=b"booting\r\n\r\nHello from Arduino!\r\nt=1\r\nt=2\r\n\0")
    assert isinstance(error, DeviceNotFoundError)
    assert error.where["received"] == "43 B of text; the last lines:\nHello from Arduino!\nt=1\nt=2"
    assert error.hint.startswith("another firmware runs there; flash it again")


def test_a_board_that_waits_in_its_boot_loader() -> None:
    """What an ESP32's ROM prints (the text of its boot log: esp-idf, docs/en/api-guides/startup.rst and esptool)."""
    log = (
        b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n"
    )
    error = failure_of(lambda _: [], junk=log)
    assert isinstance(error, DeviceNotFoundError)
    assert error.where["received"].endswith("boot:0x3 (DOWNLOAD_BOOT)\nwaiting for download")
    assert error.hint.startswith("the board waits in its boot loader: press its reset button")


def test_a_device_that_still_talks_to_somebody_else() -> None:
    late = encode(Frame(message=Message.STATS | REPLY, sequence=1, session=1, payload=bytes(48)))
    error = failure_of(lambda _: [], junk=late * 3)
    assert isinstance(error, DeviceNotFoundError)
    assert error.where["received"] == f"{3 * len(late)} B with 3 valid frames, all of another conversation"
    assert error.hint.startswith("another program talks to it")


def test_a_port_that_echoes() -> None:
    error = failure_of(lambda frame: [(frame.message, frame.payload)])
    assert isinstance(error, DeviceNotFoundError)
    assert error.where["received"] == "everything that is sent comes back"


def test_a_hello_is_repeated_every_tenth_of_a_second_until_it_is_heard() -> None:
    times: list[float] = []

    def deaf_at_first(frame: Frame) -> list[tuple[int, bytes]]:
        times.append(time.monotonic())
        return describes_itself(frame) if len(times) > 3 else []

    Session.open(Line(deaf_at_first), 5.0)
    assert len(times) == 4
    assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(times))


def test_a_device_of_another_protocol_version_says_to_flash_again() -> None:
    error = failure_of(lambda _: [(Message.HELLO | REPLY, b"\3whatever the future brings")])
    assert isinstance(error, WrongFirmwareError)
    assert error.exit_code == 9
    assert error.summary == "the device speaks version 3 of the protocol, this program version 2"
    assert error.hint == "flash it again: tinydeploy flash MODEL --board ID"


def test_a_description_that_makes_no_sense() -> None:
    error = failure_of(lambda _: [(Message.HELLO | REPLY, b"\2too short")])
    assert isinstance(error, WrongFirmwareError)
    assert error.summary == "the device's reply makes no sense: HELLO"


def test_another_firmware_is_named_with_both_ids() -> None:
    session = Session.open(Line(describes_itself))
    session.expect(bytes(8), "00" * 32)
    with pytest.raises(WrongFirmwareError) as caught:
        session.expect(bytes.fromhex("0123456789abcdef"), "ab" * 32)
    assert caught.value.exit_code == 9
    assert str(caught.value) == (
        "the device runs another firmware\n"
        f"  device    model {'00' * 32}\n"
        "            engine aot on x\n"
        "            build 0000000000000000\n"
        f"  expected  model {'ab' * 32}\n"
        "            build 0123456789abcdef\n"
        "  try       flash it again: tinydeploy flash MODEL --board ID"
    )


def test_another_build_of_the_same_model_may_have_had_other_options() -> None:
    with pytest.raises(WrongFirmwareError) as caught:
        Session.open(Line(describes_itself)).expect(bytes.fromhex("0123456789abcdef"), "00" * 32)
    assert caught.value.summary == "the device runs another firmware of the same model"
    assert caught.value.hint == (
        "give the options that it was flashed with, or flash it again: tinydeploy flash MODEL --board ID"
    )


def unexpected(**changes: object) -> TinydeployError:
    """What is said of a device with the right build and these differences."""
    hello = replace(DESCRIPTION, engine=2, **changes)  # type: ignore[arg-type]
    line = Line(lambda _: [(Message.HELLO | REPLY, hello.pack())])
    with pytest.raises(TinydeployError) as caught:
        Session.open(line).expect(bytes(8), "00" * 32)
    return caught.value


def test_a_model_that_was_altered_in_flash_is_told_from_another_firmware() -> None:
    for error in (unexpected(model_sha256=b"\1" * 32), unexpected(model_sha256=b"\1" * 32, model_status=-2)):
        assert error.exit_code == 9
        assert error.summary == "the model in the device's flash is not the one that its firmware was built with"
        assert error.where["device"].startswith("model " + "01" * 32)


def test_an_arena_that_is_too_small_does_not_fit() -> None:
    error = unexpected(model_status=-6, arena_reserved_bytes=4096)
    assert error.exit_code == 4
    assert str(error) == (
        "the arena of 4,096 B is too small for the model to start\n"
        "  device  tflm on x\n"
        "  reason  the arena is too small (status -6)\n"
        "  try     leave out --arena-bytes, or give more"
    )
    error = unexpected(model_status=-6, arena_reserved_bytes=4096, arena_smallest_bytes=5008)
    assert error.summary == "the arena of 4,096 B is too small for the model to start, 5,008 B needed"


def test_a_model_that_does_not_start_is_told_with_the_engines_reason() -> None:
    error = unexpected(model_status=-7)
    assert error.exit_code == 1
    assert error.summary == "the engine could not start the model on the device"
    assert error.where["reason"].startswith("the library has no kernel for an op")
    assert unexpected(model_status=-99).where["reason"] == "status -99"


def test_the_words_for_a_status_are_those_of_the_firmware() -> None:
    """Of enum td_tflm_status, which the C++ side fills."""
    header = (data_dir("firmware") / "tflm" / "td_tflm.h").read_text(encoding="utf-8")
    names = dict(re.findall(r"TD_TFLM_([A-Z_]+) = (-?\d+)", header))
    assert {status.name: str(int(status)) for status in TflmStatus} == names


def test_a_device_that_restarts_in_the_middle() -> None:
    error = failure_of(refuses(ErrorCode.NO_SESSION))
    assert isinstance(error, LinkError)
    assert error.exit_code == 8
    assert error.summary == "the device restarted in the middle of the conversation, or another program talks to it"


def test_a_model_that_could_not_be_started() -> None:
    error = failure_of(refuses(ErrorCode.MODEL_FAILED, status=-3))
    assert isinstance(error, VerificationError)
    assert error.summary == "the engine could not start the model on the device: status -3"


def test_a_request_that_is_refused() -> None:
    error = failure_of(refuses(ErrorCode.BAD_REQUEST))
    assert isinstance(error, LinkError)
    assert error.summary == "the device refused INPUT: BAD_REQUEST"


def test_an_inference_that_fails() -> None:
    failed = ResultChunk(id=0, status=-5, ticks=1, offset=0, data=b"??").pack()
    room = Ack(next_id=0, next_offset=0, end_id=1).pack()

    def fails(frame: Frame) -> list[tuple[int, bytes]]:
        answers = {Message.INPUT: (Message.RESULT | REPLY, failed), Message.RESULT: (Message.INPUT | REPLY, room)}
        return describes_itself(frame) or [answers[Message(frame.message)]]

    error = failure_of(fails)
    assert isinstance(error, VerificationError)
    assert error.summary == "the engine failed at inference 0: status -5"


def test_a_device_that_has_computed_what_it_was_never_sent() -> None:
    result = ResultChunk(id=0, status=0, ticks=1, offset=0, data=b"ok").pack()
    error = failure_of(lambda frame: describes_itself(frame) or [(Message.RESULT | REPLY, result)])
    assert isinstance(error, WrongFirmwareError)
    assert error.summary == "the device's reply makes no sense: RESULT"


@pytest.mark.parametrize(
    ("inference", "first", "ticks"),
    [(1, 0, 0), (1, 0, 2), (0, 0, 1), (1, 1, 1)],
    ids=["no layer", "too many layers", "of another inference", "other layers"],
)
def test_times_of_layers_that_make_no_sense(inference: int, first: int, ticks: int) -> None:
    reply = LayersChunk(id=inference, first=first, data=bytes(4 * ticks)).pack()
    sent: list[int] = []

    def computes(frame: Frame) -> list[tuple[int, bytes]]:
        if frame.message == Message.INPUT:
            sent.append(InputChunk.unpack(frame.payload).id)
            return [(Message.RESULT | REPLY, ResultChunk(id=sent[-1], status=0, ticks=1, offset=0, data=b"ok").pack())]
        if frame.message == Message.LAYERS:
            return [(Message.LAYERS | REPLY, reply)]
        room = Ack(next_id=len(sent), next_offset=0, end_id=len(sent) + 1).pack()
        return describes_itself(frame) or [(Message.INPUT | REPLY, room)]

    with pytest.raises(WrongFirmwareError) as caught:
        Session.open(Line(computes)).profile(b"abcd", layers=True)
    assert caught.value.summary == "the device's reply makes no sense: LAYERS"


def test_a_device_that_falls_silent() -> None:
    error = failure_of(describes_itself, silence_s=0.3)
    assert isinstance(error, LinkError)
    assert error.summary == "the device has stopped answering: nothing for 0.3 s"


def test_a_device_that_answers_but_never_finishes() -> None:
    def computes_for_ever(frame: Frame) -> list[tuple[int, bytes]]:
        nonlocal taken
        taken = taken or frame.message == Message.INPUT
        acknowledged = Ack(next_id=int(taken), next_offset=0, end_id=1).pack()
        return describes_itself(frame) or [(Message.INPUT | REPLY, acknowledged)]

    taken = False

    session = Session.open(Line(computes_for_ever), name="/dev/ttyX", inference_timeout_s=0.4)
    with pytest.raises(LinkError) as caught:
        list(session.run([b"abcd"]))
    assert caught.value.summary == "inference 0 has made no progress for 0.4 s, though the device answers"


def test_a_line_that_breaks() -> None:
    class Unplugged(Line):
        def write(self, data: bytes) -> None:
            if self.decoder.received > 30:
                raise OSError(5, "Input/output error")
            super().write(data)

    session = Session.open(Unplugged(describes_itself), name="/dev/ttyX")
    with pytest.raises(LinkError) as caught:
        list(session.run([b"abcd"] * 9))
    assert caught.value.exit_code == 8
    assert str(caught.value) == (
        "the connection broke: input/output error\n"
        "  port  /dev/ttyX\n"
        "  try   check the cable and the board's power, then start again"
    )


def test_a_session_closes_its_line() -> None:
    line = Line(describes_itself)
    with Session.open(line):
        assert not line.closed
    assert line.closed


def test_the_next_input_travels_before_anybody_has_looked_at_the_result() -> None:
    sent: list[int] = []

    def computes_at_once(frame: Frame) -> list[tuple[int, bytes]]:
        if frame.message == Message.RESULT:
            return [(Message.INPUT | REPLY, Ack(next_id=len(sent), next_offset=0, end_id=len(sent) + 1).pack())]
        if frame.message != Message.INPUT:
            return describes_itself(frame)
        sent.append(InputChunk.unpack(frame.payload).id)
        done = ResultChunk(id=sent[-1], status=0, ticks=1, offset=0, data=b"ok").pack()
        return [(Message.RESULT | REPLY, done)]

    results = Session.open(Line(computes_at_once)).run([b"abcd"] * 3)
    assert next(results).id == 0
    assert sent == [0, 1]
