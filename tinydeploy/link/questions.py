"""What a device is asked and answers at once: who it is, what it has counted, layer times, memory.

Every function raises `LinkError` when it does not answer, and `WrongFirmwareError` when what it answers makes no sense.
"""

import struct
from collections.abc import Callable
from typing import TypeVar

from tinydeploy.link import failures
from tinydeploy.link.channel import Channel
from tinydeploy.link.hello import Hello, TensorSpec, hello_from, tensor_from
from tinydeploy.link.messages import (
    REPLY,
    HelloReply,
    LayersChunk,
    LayersRequest,
    Message,
    ObservedChunk,
    ObserveRequest,
    Stats,
    TensorReply,
    TensorRequest,
)

TIMEOUT_S = 5.0
_RETRY_S = 0.3

_T = TypeVar("_T")


def describe(channel: Channel, reply: HelloReply) -> Hello:
    """What the reply to a HELLO says, together with the tensors."""
    inputs = tuple(_tensor(channel, is_output=False, index=index) for index in range(reply.inputs))
    outputs = tuple(_tensor(channel, is_output=True, index=index) for index in range(reply.outputs))
    return unpacked(channel, lambda _: hello_from(reply, inputs, outputs), Message.HELLO, b"")


def stats(channel: Channel) -> Stats:
    """What it has counted since it started."""
    return _answer(channel, Message.STATS, b"", Stats.unpack)


def observe(channel: Channel, request: ObserveRequest) -> ObservedChunk:
    """Part of its memory, and where the inference stands."""
    return _answer(channel, Message.OBSERVE, request.pack(), ObservedChunk.unpack)


def layer_ticks(channel: Channel, inference: int, layers: int) -> tuple[int, ...]:
    """The times of all layers of an inference for which they were taken."""
    ticks: tuple[int, ...] = ()
    while len(ticks) < layers:
        request = LayersRequest(id=inference, first=len(ticks))
        chunk = _answer(channel, Message.LAYERS, request.pack(), _layers_from)
        is_next = (chunk.id, chunk.first) == (inference, len(ticks))
        if not is_next or not 0 < len(chunk.ticks) <= layers - len(ticks):
            raise failures.not_understood(channel.name, Message.LAYERS.name)
        ticks += chunk.ticks
    return ticks


def unpacked(channel: Channel, unpack: Callable[[bytes], _T], message: Message, payload: bytes) -> _T:
    """The value of a payload."""
    try:
        return unpack(payload)
    except (struct.error, ValueError) as error:
        raise failures.not_understood(channel.name, message.name) from error


def _tensor(channel: Channel, *, is_output: bool, index: int) -> TensorSpec:
    request = TensorRequest(is_output=is_output, index=index)
    return _answer(channel, Message.TENSOR, request.pack(), lambda data: tensor_from(TensorReply.unpack(data)))


def _layers_from(payload: bytes) -> LayersChunk:
    chunk = LayersChunk.unpack(payload)
    _ = chunk.ticks  # which are not of any length
    return chunk


def _answer(channel: Channel, message: Message, payload: bytes, unpack: Callable[[bytes], _T]) -> _T:
    frame = channel.request(message, payload, timeout_s=TIMEOUT_S, retry_s=_RETRY_S)
    if frame is None:
        raise failures.silent(channel.name, TIMEOUT_S)
    if frame.message == Message.ERROR | REPLY:
        raise failures.refused(channel.name, frame.payload)
    return unpacked(channel, unpack, message, frame.payload)
