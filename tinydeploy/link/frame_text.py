"""A frame in one line for people. Pure; made for any bytes whatever."""

import struct
from collections.abc import Callable, Mapping

from tinydeploy.link.frame import Frame
from tinydeploy.link.messages import (
    NO_LAYER,
    REPLY,
    Ack,
    ErrorCode,
    HelloReply,
    HelloRequest,
    InputChunk,
    InputFlag,
    LayersChunk,
    LayersRequest,
    Memory,
    Message,
    ObservedChunk,
    ObserveRequest,
    Refusal,
    ResultChunk,
    ResultRequest,
    Stats,
    TensorReply,
    TensorRequest,
)

_SHOWN_BYTES = 48
_TEXT_CHARS = 4


def describe(encoded: bytes, frame: Frame | None) -> str:
    """What ``encoded``, without its delimiter, is: ``frame`` is what it decodes to, None where it is damaged."""
    if frame is None:
        return f"damaged, {len(encoded):,} B: {shown_bytes(encoded)}"
    header = f"{_name(frame.message):<13} #{frame.sequence:<5} session {frame.session:08x}  {len(frame.payload):>4} B"
    return f"{header}  {_content(frame)}".rstrip()


def shown_bytes(data: bytes) -> str:
    """Bytes as text where all of them are, else in hexadecimal; the beginning, where there are many."""
    start, more = data[:_SHOWN_BYTES], " ..." if len(data) > _SHOWN_BYTES else ""
    is_text = len(start) >= _TEXT_CHARS and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    return f"{start.decode('ascii')!r}{more}" if is_text else f"{start.hex(' ')}{more}"


def _name(message: int) -> str:
    """``HELLO`` for the request, ``HELLO reply`` for the reply; the one to INPUT is ``ACK``."""
    request = message & ~REPLY
    if request not in set(Message):
        return f"message {message:#04x}"
    if message == Message.INPUT | REPLY:
        return "ACK"
    name = Message(request).name
    return f"{name} reply" if message & REPLY and request != Message.ERROR else name


def _content(frame: Frame) -> str:
    say = _WORDS.get(frame.message)
    if say is None:
        return shown_bytes(frame.payload) if frame.payload else ""
    try:
        return say(frame.payload)
    except (struct.error, ValueError):
        return f"makes no sense: {shown_bytes(frame.payload)}"


def _hello(payload: bytes) -> str:
    return f"version {HelloRequest.unpack(payload).version}"


def _hello_reply(payload: bytes) -> str:
    reply = HelloReply.unpack(payload)
    board = reply.board.split(b"\0")[0].decode("ascii", "replace")
    return (
        f"version {reply.version}, board {board!r}, build {reply.build_id.hex()}, "
        f"model {reply.model_sha256.hex()[:12]}, status {reply.model_status}, "
        f"{reply.buffers} buffers, input {reply.input_bytes:,} B, "
        f"output {reply.output_bytes:,} B, chunk {reply.chunk_bytes} B"
    )


def _tensor(payload: bytes) -> str:
    request = TensorRequest.unpack(payload)
    return f"{'output' if request.is_output else 'input'} {request.index}"


def _tensor_reply(payload: bytes) -> str:
    reply = TensorReply.unpack(payload)
    name = reply.name.split(b"\0")[0].decode("ascii", "replace")
    where = f"{reply.nbytes:,} B at {reply.offset:,}"
    return f"{'output' if reply.is_output else 'input'} {reply.index}, {name!r}, {where}"


def _input(payload: bytes) -> str:
    chunk = InputChunk.unpack(payload)
    flags = "".join(f", {flag.name.lower()}" for flag in InputFlag(chunk.flags & 3) if flag.name)
    return f"input {chunk.id}, {len(chunk.data):,} B at {chunk.offset:,}{flags}"


def _ack(payload: bytes) -> str:
    ack = Ack.unpack(payload)
    return f"wants input {ack.next_id} from {ack.next_offset:,}, has room for inputs before {ack.end_id}"


def _result(payload: bytes) -> str:
    request = ResultRequest.unpack(payload)
    parts = f", {request.most} B at a time" if request.most else ""
    return f"wants result {request.id} from {request.offset:,}{parts}"


def _result_reply(payload: bytes) -> str:
    chunk = ResultChunk.unpack(payload)
    return f"result {chunk.id}, {len(chunk.data):,} B at {chunk.offset:,}, status {chunk.status}, {chunk.ticks:,} ticks"


def _layers(payload: bytes) -> str:
    request = LayersRequest.unpack(payload)
    return f"inference {request.id} from layer {request.first}"


def _layers_reply(payload: bytes) -> str:
    chunk = LayersChunk.unpack(payload)
    return f"inference {chunk.id}, {len(chunk.data) // 4} layers from {chunk.first}"


def _stats_reply(payload: bytes) -> str:
    stats = Stats.unpack(payload)
    return (
        f"{stats.inferences:,} inferences, {stats.frames:,} frames, {stats.damaged:,} damaged, "
        f"{stats.dropped:,} dropped, {stats.overruns:,} overruns, stack {stats.stack_bytes:,} B"
    )


def _observe(payload: bytes) -> str:
    request = ObserveRequest.unpack(payload)
    return f"stop after {_layer(request.layer)}, {_memory(request.memory)} from {request.offset:,}"


def _observe_reply(payload: bytes) -> str:
    chunk = ObservedChunk.unpack(payload)
    return f"stands after {_layer(chunk.layer)}, {_memory(chunk.memory)}, {len(chunk.data):,} B at {chunk.offset:,}"


def _layer(layer: int) -> str:
    return "no layer" if layer == NO_LAYER else f"layer {layer}"


def _memory(memory: int) -> str:
    return Memory(memory).name.lower() if memory in set(Memory) else f"memory {memory}"


def _error(payload: bytes) -> str:
    refusal = Refusal.unpack(payload)
    known = {code.value: code.name.lower().replace("_", " ") for code in ErrorCode}
    reason = known.get(refusal.code, f"code {refusal.code}")
    return f"refuses {_name(refusal.message)}: {reason}, model status {refusal.model_status}"


_WORDS: Mapping[int, Callable[[bytes], str]] = {
    Message.HELLO: _hello,
    Message.HELLO | REPLY: _hello_reply,
    Message.TENSOR: _tensor,
    Message.TENSOR | REPLY: _tensor_reply,
    Message.INPUT: _input,
    Message.INPUT | REPLY: _ack,
    Message.RESULT: _result,
    Message.RESULT | REPLY: _result_reply,
    Message.LAYERS: _layers,
    Message.LAYERS | REPLY: _layers_reply,
    Message.STATS | REPLY: _stats_reply,
    Message.OBSERVE: _observe,
    Message.OBSERVE | REPLY: _observe_reply,
    Message.ERROR | REPLY: _error,
}
