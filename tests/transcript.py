"""The recorded conversation in tests/link/transcript.txt, which the C and the Python side are both held to.

``python tests/transcript.py`` records it anew, from the real firmware compiled for this machine. Look at the difference
before committing it: every change there is a change of the protocol.

The file: ``=`` begins a part, with a firmware that has just started. Then turn by turn: ``>`` has the bytes that the
host sends in one go, ``<`` those that the device answers with, until it has nothing left to do. ``#`` are comments;
before each line of bytes they say what it means.
"""

import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from host_firmware import Steps, compile_firmware, expected_output

from tinydeploy.link.frame import Decoder, Frame, encode
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

TRANSCRIPT = Path(__file__).resolve().parent / "link" / "transcript.txt"

INPUT_BYTES = 40
SUM_BYTES = 32
MACROS = {"TD_INPUT_BYTES": INPUT_BYTES, "TD_OUTPUT_BYTES": SUM_BYTES + 4, "TD_CHUNK_BYTES": 16, "TD_LAYERS": 5}
SESSION = 0xC0FFEE01
INPUTS = tuple(bytes((17 * i + 31 * k) % 251 for k in range(INPUT_BYTES)) for i in range(3))

PAYLOADS = {
    Message.HELLO: HelloRequest,
    Message.TENSOR: TensorRequest,
    Message.INPUT: InputChunk,
    Message.RESULT: ResultRequest,
    Message.LAYERS: LayersRequest,
    Message.HELLO | REPLY: HelloReply,
    Message.TENSOR | REPLY: TensorReply,
    Message.INPUT | REPLY: Ack,
    Message.RESULT | REPLY: ResultChunk,
    Message.LAYERS | REPLY: LayersChunk,
    Message.STATS | REPLY: Stats,
    Message.ERROR | REPLY: Refusal,
}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the host sends in one go, and what the device answers."""

    host: bytes
    device: bytes


def read_transcript() -> dict[str, list[Turn]]:
    """The turns of each part."""
    parts: dict[str, list[Turn]] = {}
    turns: list[Turn] = []
    host = b""
    for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines():
        kind, content = line[:1], line[1:].strip()
        if kind == "=":
            turns = parts[content] = []
        elif kind == ">":
            host = bytes.fromhex(content)
        elif kind == "<":
            turns.append(Turn(host=host, device=bytes.fromhex(content)))
    return parts


def ordinary_use(steps: Steps) -> Iterator[tuple[int, str]]:
    """A session as the Python side makes it."""
    with Session.open(steps, session_numbers=lambda: SESSION) as session:
        outputs = [result.output for result in session.run(INPUTS)]
        assert outputs == [expected_output(data, 1 + i, sum_bytes=SUM_BYTES) for i, data in enumerate(INPUTS)]
        session.profile(INPUTS[0], layers=True)
        session.stats()
    yield from ()


def faults(steps: Steps) -> Iterator[tuple[int, str]]:
    """What a device does about a host, or a line, that does not behave. Yields (turn, what happens) as it goes."""
    sequence = 0

    def send(what: str, *frames: bytes) -> tuple[int, str]:
        steps.step(b"".join(frames))
        return len(steps.packets) - 1, what

    def frame(message: Message, payload: bytes = b"", session: int = SESSION) -> bytes:
        nonlocal sequence
        sequence += 1
        return encode(Frame(message=message, sequence=sequence, session=session, payload=payload))

    def chunk(input_id: int, offset: int, size: int = 16) -> bytes:
        data = INPUTS[input_id % 3][offset : offset + size]
        return frame(Message.INPUT, InputChunk(id=input_id, offset=offset, flags=0, data=data).pack())

    def result(result_id: int, offset: int = 0) -> bytes:
        return frame(Message.RESULT, ResultRequest(id=result_id, offset=offset).pack())

    hello = HelloRequest(version=1).pack()
    yield send("nothing works before a HELLO", frame(Message.STATS))
    yield send("garbage, then a delimiter and a HELLO", b"\x07garbage\x00", frame(Message.HELLO, hello))
    yield send("the first chunk of an input", chunk(0, 0))
    damaged = bytearray(chunk(0, 16))
    damaged[25] ^= 0x04
    yield send("the second with a flipped bit: counted, no answer", bytes(damaged))
    yield send("the third: out of order, the ACK says what is wanted", chunk(0, 32))
    yield send("the first again: a repetition changes nothing", chunk(0, 0))
    yield send("a HELLO of the same session changes nothing either", frame(Message.HELLO, hello))
    yield send("the second and the third; the result comes of itself", chunk(0, 16), chunk(0, 32))
    yield send("a RESULT that names a result for the first time says that the host has those before it", result(0, 16))
    yield send("the second asks for it: the result once more, from byte 16 on", result(0, 16))
    yield send("an input that is long since computed is not computed again", chunk(0, 32))
    yield send("a second input, the first result still held", chunk(1, 0), chunk(1, 16), chunk(1, 32))
    yield send("a third: taken, but there is no place for its result", chunk(2, 0), chunk(2, 16), chunk(2, 32))
    yield send("a fourth begins in the other buffer", chunk(3, 0), chunk(3, 16), chunk(3, 32))
    yield send("a fifth begins without credit: an overrun", chunk(4, 0))
    yield send("both results acknowledged: the two inputs are computed", result(2))
    yield send("a result that was given up", result(0))
    yield send("a result of an input that was never sent", result(9))
    yield send("layer times of an inference without any", frame(Message.LAYERS, LayersRequest(id=3, first=0).pack()))
    yield send("a tensor that is not there", frame(Message.TENSOR, TensorRequest(is_output=True, index=7).pack()))
    yield send("a request of the wrong size", frame(Message.RESULT, b"\1\2\3"))
    yield send("an unknown message", frame(Message.ERROR))
    yield send("another session", frame(Message.STATS, session=0xBAD))
    yield send("half an input; then the host dies in the middle of a frame", chunk(4, 0), chunk(4, 16)[:9])
    yield send("a new host, a new session", b"\0", frame(Message.HELLO, hello, session=SESSION + 1))
    yield send("its counters", frame(Message.STATS, session=SESSION + 1))


PARTS: dict[str, Callable[[Steps], Iterator[tuple[int, str]]]] = {"ordinary use": ordinary_use, "faults": faults}


def describe(frame: Frame) -> str:
    """One frame in words."""
    kind = frame.message & ~REPLY
    name = "ACK" if frame.message == Message.INPUT | REPLY else Message(kind).name
    payload = PAYLOADS.get(frame.message)
    try:
        content = payload.unpack(frame.payload) if payload else frame.payload.hex()
    except struct.error:
        content = frame.payload.hex()
    return f"{name} {frame.sequence} of {frame.session:x}: {content}"


def render(name: str, turns: list[tuple[bytes, bytes]], remarks: dict[int, str]) -> list[str]:
    """The lines of one part."""
    lines = ["", f"= {name}"]
    for number, turn in enumerate(turns):
        lines += ["", f"# {remarks[number]}"] if number in remarks else [""]
        for sign, data in zip("><", turn, strict=True):
            lines += [f"#   {sign} {describe(frame)}" for frame in Decoder().feed(data)]
            lines.append(f"{sign} {data.hex()}".rstrip())
    return lines


def main() -> None:
    """Records the transcript."""
    lines = [
        "# Recorded by tests/transcript.py, which explains the form. Both sides of the link are tested against it."
    ]
    with tempfile.TemporaryDirectory() as folder:
        program = compile_firmware(Path(folder) / "firmware", "port_steps", **MACROS)
        for name, part in PARTS.items():
            steps = Steps(program)
            remarks = dict(part(steps))
            if steps.process.poll() is None:
                steps.close()
            lines += render(name, steps.packets, remarks)
    TRANSCRIPT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
