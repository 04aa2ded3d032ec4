"""Frames: a body and its CRC-32, COBS-encoded, ended by a zero byte. Pure; bytes in, bytes out."""

import binascii
import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<BHI")
_CRC_BYTES = 4
_FULL_BLOCK = 254

DELIMITER = b"\0"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message as it travels: its number, the sequence number that pairs reply and request, and the session."""

    message: int
    sequence: int
    session: int
    payload: bytes


def encode(frame: Frame) -> bytes:
    """The frame's bytes on the wire, the delimiter included."""
    body = _HEADER.pack(frame.message, frame.sequence, frame.session) + frame.payload
    return cobs_encode(body + binascii.crc32(body).to_bytes(_CRC_BYTES, "little")) + DELIMITER


def decode(encoded: bytes) -> Frame | None:
    """The frame whose encoded bytes, without the delimiter, these are; None if they are damaged."""
    body = cobs_decode(encoded)
    if body is None or len(body) < _HEADER.size + _CRC_BYTES:
        return None
    content, crc = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
    if binascii.crc32(content).to_bytes(_CRC_BYTES, "little") != crc:
        return None
    message, sequence, session = _HEADER.unpack_from(content)
    return Frame(message=message, sequence=sequence, session=session, payload=content[_HEADER.size :])


def cobs_encode(data: bytes) -> bytes:
    """Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): no zeros, one byte in 254 longer at most."""
    out = bytearray()
    runs = data.split(b"\0")
    for index, run in enumerate(runs):
        full = len(run) // _FULL_BLOCK * _FULL_BLOCK
        for start in range(0, full, _FULL_BLOCK):
            out.append(_FULL_BLOCK + 1)
            out += run[start : start + _FULL_BLOCK]
        is_last = index == len(runs) - 1
        if not (is_last and run and full == len(run)):  # a full block at the very end stands for itself
            out.append(len(run) - full + 1)
            out += run[full:]
    return bytes(out)


def cobs_decode(encoded: bytes) -> bytes | None:
    """The data that were encoded; None where a block is cut short or a zero is among the bytes."""
    if not encoded or 0 in encoded:
        return None
    out = bytearray()
    at = 0
    while at < len(encoded):
        code = encoded[at]
        end = at + code
        if end > len(encoded):
            return None
        out += encoded[at + 1 : end]
        if code <= _FULL_BLOCK and end < len(encoded):
            out.append(0)
        at = end
    return bytes(out)


class Decoder:
    """Takes bytes as they come and gives the intact frames in them.

    ``received`` counts bytes, ``damaged`` the frames that ended but could not be used. Bytes of a frame that does not
    end are kept up to a bound, so that garbage without a zero costs no memory.
    """

    MAX_ENCODED_BYTES = 1 << 17

    def __init__(self) -> None:
        self.received = 0
        self.damaged = 0
        self._partial = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete, in order."""
        self.received += len(data)
        *ended, rest = data.split(DELIMITER)
        frames = []
        for part in ended:
            self._keep(part)
            frames += self._end()
        self._keep(rest)
        return frames

    def _keep(self, part: bytes) -> None:
        self._overlong = self._overlong or len(self._partial) + len(part) > self.MAX_ENCODED_BYTES
        if self._overlong:
            self._partial.clear()
        else:
            self._partial += part

    def _end(self) -> list[Frame]:
        encoded, overlong = bytes(self._partial), self._overlong
        self._partial.clear()
        self._overlong = False
        if not encoded and not overlong:
            return []  # delimiters in a row
        frame = None if overlong else decode(encoded)
        if frame is None:
            self.damaged += 1
            return []
        return [frame]
