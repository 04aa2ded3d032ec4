"""What is in a .wav file: where its sound is, and the sound.

The format: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, and mmreg.h.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.samples.problems import bad_member, unreadable

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}
# What a program writes as a size before it knows it, and then cannot go back.
_UNKNOWN_SIZE = 0xFFFFFFFF
_MAX_CHUNKS = 10_000
_HINT = "write it again as PCM: ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Where the sound of a file is: ``frames`` of ``channels`` numbers each, from byte ``start`` on.

    ``encoding`` is their numpy type; of 24 bits, which numpy does not have, it is ``<i3``.
    """

    path: Path
    rate_hz: int
    channels: int
    encoding: str
    start: int
    frames: int


def is_wav(start: bytes) -> bool:
    """Whether a file that starts with these 12 bytes is one."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def read_header(path: Path) -> Sound:
    """PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64, with any number of channels.

    Raises:
        UsageError: It is something else, or not all there.
    """
    try:
        with path.open("rb") as stream:
            if not is_wav(stream.read(12)):
                raise bad_member(path, "it is not a .wav file", hint=_HINT)
            chunks = {name: (start, size) for name, start, size in _chunks(stream)}
            if b"fmt " not in chunks or b"data" not in chunks:
                missing = "format" if b"fmt " not in chunks else "sound"
                raise bad_member(path, f"it is damaged or truncated: it has no {missing}", hint=_HINT)
            return _sound(path, stream, chunks[b"fmt "], chunks[b"data"])
    except OSError as error:
        raise unreadable(path, error) from error


def read_frames(sound: Sound, first: int, count: int) -> npt.NDArray[np.float32]:
    """``count`` frames from ``first`` on, the mean of their channels; integers are scaled to -1 up to, but not 1.

    Raises:
        UsageError: The file cannot be read, or has a NaN or an infinity there.
    """
    width = int(sound.encoding[-1]) * sound.channels
    try:
        with sound.path.open("rb") as stream:
            stream.seek(sound.start + first * width)
            data = stream.read(count * width)
    except OSError as error:
        raise unreadable(sound.path, error) from error
    if len(data) != count * width:
        raise bad_member(
            sound.path, "it was cut short while it was read", hint="leave the file alone until this is done"
        )
    mixed = _numbers(data, sound.encoding).reshape(count, sound.channels).mean(axis=1)
    if not np.isfinite(mixed).all():
        place = first + int(np.argmin(np.isfinite(mixed)))
        raise bad_member(sound.path, f"it has a NaN or an infinity at frame {place:,}", hint=_HINT)
    return np.asarray(mixed, np.float32)


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of the file's parts as it says them; ends where the file does."""
    for _ in range(_MAX_CHUNKS):
        header = stream.read(8)
        if len(header) < 8:
            return
        name, size = struct.unpack("<4sI", header)
        yield name, stream.tell(), size
        stream.seek(size + size % 2, 1)


def _sound(path: Path, stream: BinaryIO, form: tuple[int, int], data: tuple[int, int]) -> Sound:
    stream.seek(form[0])
    fields = stream.read(min(form[1], 40))
    if len(fields) < 16:
        raise bad_member(path, "it is damaged or truncated: its format is not all there", hint=_HINT)
    tag, channels, rate_hz, _, width, bits = struct.unpack("<HHIIHH", fields[:16])
    if tag == _EXTENSIBLE and len(fields) >= 26:
        tag = int.from_bytes(fields[24:26], "little")
    encoding = _encoding(path, tag, bits)
    if channels == 0 or rate_hz == 0 or width != channels * int(encoding[-1]):
        told = f"its header contradicts itself: {channels} channels of {bits} bits in {width} bytes, {rate_hz:,} Hz"
        raise bad_member(path, told, hint=_HINT)
    start, size = data
    there = stream.seek(0, 2) - start
    if size == _UNKNOWN_SIZE:
        size = there
    if size > there:
        told = f"it is truncated: {max(0, there):,} of {size:,} bytes of sound"
        raise bad_member(path, told, hint="fetch the file again, or take it out")
    if size < width:
        raise bad_member(path, "there is no sound in it", hint="take it out")
    return Sound(path=path, rate_hz=rate_hz, channels=channels, encoding=encoding, start=start, frames=size // width)


def _encoding(path: Path, tag: int, bits: int) -> str:
    known = {_PCM: {8: "|u1", 16: "<i2", 24: "<i3", 32: "<i4"}, _FLOAT: {32: "<f4", 64: "<f8"}}
    encoding = known.get(tag, {}).get(bits)
    if encoding is None:
        raise _unknown(path, tag, bits)
    return encoding


def _unknown(path: Path, tag: int, bits: int) -> UsageError:
    kind = {_PCM: "PCM", _FLOAT: "floats", **_COMPRESSED}.get(tag, f"format {tag}")
    return bad_member(path, f"its sound is {kind} of {bits} bits, expected PCM or floats", hint=_HINT)


def _numbers(data: bytes, encoding: str) -> npt.NDArray[np.float64]:
    if encoding == "<i3":
        # The lowest byte of four is zero, so that the sign is where it belongs.
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4") / 2.0**31
    numbers = np.frombuffer(data, encoding)
    if numbers.dtype.kind == "f":
        return numbers.astype(np.float64)
    zero = 128 if numbers.dtype.kind == "u" else 0
    return (numbers.astype(np.float64) - zero) / 2.0 ** (8 * numbers.dtype.itemsize - 1)
