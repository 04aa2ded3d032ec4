"""The messages of the link as values: frozen dataclasses to payloads and back. Pure; docs/protocol.md is the contract.

The fields of a message are those of its payload, in its order. Every ``unpack`` raises `struct.error` or `ValueError`
for a payload that cannot be one.
"""

import dataclasses
import enum
import struct
from dataclasses import dataclass
from typing import ClassVar, Self

PROTOCOL_VERSION = 2

REPLY = 0x80
"""Set in the number of every message that the device sends."""


class Message(enum.IntEnum):
    """Numbers of the requests. A reply has `REPLY` added; the one to INPUT is called ACK. ERROR is a reply only."""

    HELLO = 0x01
    TENSOR = 0x02
    INPUT = 0x03
    RESULT = 0x04
    LAYERS = 0x05
    STATS = 0x06
    RESET = 0x07
    OBSERVE = 0x08
    ERROR = 0x7F


class InputFlag(enum.IntFlag):
    """How an inference is to be made: with nothing of the link interrupting it; with each layer timed."""

    NONE = 0
    MASKED = 1
    LAYERS = 2


NO_LAYER = 0xFFFF
"""Stands for no layer where one is named."""


class Memory(enum.IntEnum):
    """What of a device's memory can be shown: the arena; input and output of the inference in hand."""

    ARENA = 0
    INPUT = 1
    OUTPUT = 2


class ErrorCode(enum.IntEnum):
    """Why the device refused a request."""

    UNKNOWN_MESSAGE = 1
    NO_SESSION = 2
    BAD_REQUEST = 3
    MODEL_FAILED = 4
    GONE = 5


@dataclass(frozen=True, kw_only=True)
class _Fixed:
    """A payload with one field after the other."""

    _FORMAT: ClassVar[struct.Struct]

    def pack(self) -> bytes:
        """The payload."""
        return self._FORMAT.pack(*(getattr(self, field.name) for field in dataclasses.fields(self)))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The message with this payload."""
        names = (field.name for field in dataclasses.fields(cls))
        return cls(**dict(zip(names, cls._FORMAT.unpack(payload), strict=True)))


@dataclass(frozen=True, kw_only=True)
class _WithData(_Fixed):
    """A payload whose last field, ``data``, is everything that is left."""

    data: bytes

    def pack(self) -> bytes:
        """The payload."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "data"]
        return self._FORMAT.pack(*(getattr(self, name) for name in names)) + self.data

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The message with this payload."""
        names = (field.name for field in dataclasses.fields(cls) if field.name != "data")
        values = dict(zip(names, cls._FORMAT.unpack_from(payload), strict=True))
        return cls(**values, data=payload[cls._FORMAT.size :])


@dataclass(frozen=True, kw_only=True)
class HelloRequest(_Fixed):
    """Begins the session whose number is in the frame's header."""

    version: int

    _FORMAT = struct.Struct("<B")


@dataclass(frozen=True, kw_only=True)
class HelloReply(_Fixed):
    """Who answers, what it runs and how to talk to it.

    ``model_status`` is 0, or the engine's reason for not having started. ``buffers`` is how many inputs it can hold,
    ``chunk_bytes`` the most data that it takes and sends in one frame. ``board`` is a text padded with zeros.
    """

    version: int
    engine: int
    buffers: int
    inputs: int
    outputs: int
    layers: int
    chunk_bytes: int
    model_status: int
    arena_used_bytes: int
    arena_reserved_bytes: int
    arena_smallest_bytes: int
    input_bytes: int
    output_bytes: int
    clock_hz: int
    tick_hz: int
    build_id: bytes
    model_sha256: bytes
    board: bytes

    _FORMAT = struct.Struct("<5BHHi7I8s32s32s")


def hello_version(payload: bytes) -> int:
    """The protocol version in the reply to a HELLO: the first byte, in every version there will be."""
    return payload[0] if payload else 0


@dataclass(frozen=True, kw_only=True)
class TensorRequest(_Fixed):
    """Asks for the description of one input or output of the model."""

    is_output: bool
    index: int

    _FORMAT = struct.Struct("<?B")


@dataclass(frozen=True, kw_only=True)
class TensorReply(_Fixed):
    """The description. ``shape`` is six 16-bit numbers of which ``rank`` count; ``name`` is padded with zeros."""

    is_output: bool
    index: int
    dtype: int
    rank: int
    shape: bytes
    scale: float
    zero_point: int
    nbytes: int
    offset: int
    name: bytes

    _FORMAT = struct.Struct("<?3B12sfiII32s")


@dataclass(frozen=True, kw_only=True)
class InputChunk(_WithData):
    """Part of an input. The flags of its last part count."""

    id: int
    offset: int
    flags: int

    _FORMAT = struct.Struct("<IIB")


@dataclass(frozen=True, kw_only=True)
class Ack(_Fixed):
    """How far the device has come: the chunk that it wants next, and the first input that it has no buffer for."""

    next_id: int
    next_offset: int
    end_id: int

    _FORMAT = struct.Struct("<III")


@dataclass(frozen=True, kw_only=True)
class ResultRequest(_Fixed):
    """Says that the host has all results before ``id``, and asks for this one from ``offset`` on.

    From now on a part of a result is to have ``most`` bytes at most; 0: as many as the device puts into a frame.
    """

    id: int
    offset: int
    most: int = 0

    _FORMAT = struct.Struct("<IIB")


@dataclass(frozen=True, kw_only=True)
class ResultChunk(_WithData):
    """Part of a result. ``status`` is 0, or the engine's reason for having failed; ``ticks`` the inference's time."""

    id: int
    status: int
    ticks: int
    offset: int

    _FORMAT = struct.Struct("<IiII")


@dataclass(frozen=True, kw_only=True)
class LayersRequest(_Fixed):
    """Asks for the layer times of inference ``id``, from layer ``first`` on."""

    id: int
    first: int

    _FORMAT = struct.Struct("<IH")


@dataclass(frozen=True, kw_only=True)
class LayersChunk(_WithData):
    """Times of some layers, in ticks of 32 bits each."""

    id: int
    first: int

    _FORMAT = struct.Struct("<IH")

    @property
    def ticks(self) -> tuple[int, ...]:
        """The times of the layers from ``first`` on."""
        return struct.unpack(f"<{len(self.data) // 4}I", self.data)


@dataclass(frozen=True, kw_only=True)
class ObserveRequest(_Fixed):
    """Has the inference stop behind ``layer``, and asks for what is in ``memory`` from ``offset`` on."""

    layer: int
    memory: int
    offset: int

    _FORMAT = struct.Struct("<HBI")


@dataclass(frozen=True, kw_only=True)
class ObservedChunk(_WithData):
    """Part of a memory. ``layer`` is the one that the inference stands behind; `NO_LAYER`, and no data, if it runs."""

    layer: int
    memory: int
    offset: int

    _FORMAT = struct.Struct("<HBI")


@dataclass(frozen=True, kw_only=True)
class Stats(_Fixed):
    """What the device has counted.

    ``frames`` arrived intact, ``dropped`` of them were of no use, ``damaged`` ones were not intact, and ``overruns``
    brought an input for which there was no buffer. ``stack_bytes`` is the high-water mark since start, 0 where the
    board cannot tell. The ticks: waiting for an input, blocked because the host has not taken the results, computing.
    """

    inferences: int
    frames: int
    damaged: int
    dropped: int
    overruns: int
    stack_bytes: int
    waiting_ticks: int
    blocked_ticks: int
    computing_ticks: int

    _FORMAT = struct.Struct("<6I3Q")

    def since(self, earlier: "Stats") -> "Stats":
        """What was counted since an earlier look. A counter of 32 bits may have wrapped once in between."""
        changes = {
            name: (getattr(self, name) - getattr(earlier, name)) % (2**64 if name.endswith("_ticks") else 2**32)
            for name in (field.name for field in dataclasses.fields(self))
        }
        return dataclasses.replace(Stats(**changes), stack_bytes=self.stack_bytes)


@dataclass(frozen=True, kw_only=True)
class Refusal(_Fixed):
    """The device got a frame but will not do what it asks. ``model_status`` is the one of HELLO."""

    code: int
    message: int
    model_status: int

    _FORMAT = struct.Struct("<BBi")
