"""What a device says about itself, in the terms of the rest of the program."""

import struct
from dataclasses import dataclass

from tinydeploy.link.messages import HelloReply, TensorReply
from tinydeploy.model.graph import DType, Quantization

# In the order of enum td_dtype and enum td_engine in firmware/include/td_model.h.
_DTYPES = (DType.FLOAT32, DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
_ENGINES = {1: "aot", 2: "tflm"}


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of the deployed model.

    ``offset`` is its place in the bytes of an input or output; ``scale`` is 0 where it is not quantised.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    nbytes: int
    offset: int

    @property
    def quantization(self) -> Quantization | None:
        """The quantisation, None where there is none."""
        return Quantization(scales=(self.scale,), zero_points=(self.zero_point,)) if self.scale > 0 else None


@dataclass(frozen=True, kw_only=True)
class Arena:
    """The device's account of its arena: used, the size of its array, and the smallest one with which the model starts.

    The last is None where the firmware has not tried.
    """

    used_bytes: int
    reserved_bytes: int
    smallest_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Who answers and what it runs.

    ``build_id`` is 8 bytes, ``model_sha256`` in hexadecimal. ``model_status`` is 0, or the engine's reason for not
    having started. ``buffers`` is how many inputs the device can hold; ``input_bytes`` and ``output_bytes`` are the
    sizes of one whole input and output, all tensors at their offsets. Times are in ticks of ``tick_hz``.
    """

    engine: str
    board: str
    build_id: bytes
    model_sha256: str
    model_status: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: int
    arena: Arena
    buffers: int
    input_bytes: int
    output_bytes: int
    chunk_bytes: int
    clock_hz: int
    tick_hz: int


def hello_from(reply: HelloReply, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Hello:
    """The reply to a HELLO, together with the tensors' descriptions.

    Raises:
        ValueError: Numbers that no device of this version can mean.
    """
    sizes = (reply.buffers, reply.chunk_bytes, reply.input_bytes, reply.output_bytes, reply.tick_hz)
    if reply.engine not in _ENGINES or not all(sizes):
        raise ValueError(reply)
    return Hello(
        engine=_ENGINES[reply.engine],
        board=_text(reply.board),
        build_id=reply.build_id,
        model_sha256=reply.model_sha256.hex(),
        model_status=reply.model_status,
        inputs=inputs,
        outputs=outputs,
        layers=reply.layers,
        arena=Arena(
            used_bytes=reply.arena_used_bytes,
            reserved_bytes=reply.arena_reserved_bytes,
            smallest_bytes=reply.arena_smallest_bytes or None,
        ),
        buffers=reply.buffers,
        input_bytes=reply.input_bytes,
        output_bytes=reply.output_bytes,
        chunk_bytes=reply.chunk_bytes,
        clock_hz=reply.clock_hz,
        tick_hz=reply.tick_hz,
    )


def tensor_from(reply: TensorReply) -> TensorSpec:
    """One tensor's description.

    Raises:
        ValueError: Numbers that no device of this version can mean.
    """
    shape = struct.unpack("<6H", reply.shape)
    if reply.dtype >= len(_DTYPES) or reply.rank > len(shape):
        raise ValueError(reply)
    return TensorSpec(
        name=_text(reply.name),
        dtype=_DTYPES[reply.dtype],
        shape=shape[: reply.rank],
        scale=reply.scale,
        zero_point=reply.zero_point,
        nbytes=reply.nbytes,
        offset=reply.offset,
    )


def _text(field: bytes) -> str:
    """A padded text. What is not printable is replaced: it is shown to people and may come from anything."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in field.split(b"\0")[0])
