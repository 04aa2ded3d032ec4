"""Recognising an ONNX file, which has no identifier: a protocol buffer with the fields of ModelProto."""

from pathlib import Path
from typing import IO

# Number: wire type, of the fields of ModelProto (onnx/onnx.proto, IR version 13). 0: a number, 2: bytes with a length.
_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_IR_VERSION, _GRAPH, _OPSET_IMPORT = 1, 7, 8
_LONGEST_NUMBER = 10


def is_onnx(path: Path) -> bool:
    """Whether a file has only fields of a ModelProto, the graph and the two versions among them, up to its end.

    Raises:
        OSError: It cannot be read.
    """
    size, seen = path.stat().st_size, set()
    with path.open("rb") as stream:
        while stream.tell() < size:
            tag = _number(stream)
            if tag is None or _FIELDS.get(tag >> 3) != tag & 7:
                return False
            seen.add(tag >> 3)
            value = _number(stream)
            if value is None:
                return False
            if tag & 7 == 2:
                stream.seek(value, 1)
        return stream.tell() == size and seen >= {_IR_VERSION, _GRAPH, _OPSET_IMPORT}


def _number(stream: IO[bytes]) -> int | None:
    """The next varint; None where there is none."""
    value = 0
    for position in range(_LONGEST_NUMBER):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << 7 * position
        if byte[0] < 0x80:
            return value
    return None
