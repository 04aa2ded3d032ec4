"""The C encoder and decoder against the Python ones."""

import random
import subprocess
from pathlib import Path

import pytest
from host_firmware import FIRMWARE, HOST_PARTS, compile_c

from tinydeploy.link.frame import Frame as HostFrame
from tinydeploy.link.frame import cobs_decode, cobs_encode, decode, encode


@pytest.fixture(scope="module")
def frame_filter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = [HOST_PARTS / "frame_filter.c", FIRMWARE / "src" / "td_frame.c", FIRMWARE / "src" / "td_crc.c"]
    return compile_c(tmp_path_factory.mktemp("frame") / "frame_filter", *sources)


def bodies() -> list[bytes]:
    """Bodies around every edge of the encoding, and random ones with few and with many zeros."""
    source = random.Random(7)
    edges = [
        prefix + b"x" * size + suffix
        for size in (0, 1, 249, 250, 251, 253, 254, 255, 508, 509)
        for prefix in (b"", b"\0")
        for suffix in (b"", b"\0", b"\0\0")
    ]
    noisy = [source.randbytes(source.randrange(700)) for _ in range(200)]
    sparse = [bytes(source.choices((0, 1), k=source.randrange(700))) for _ in range(100)]
    return edges + noisy + sparse


def run(program: Path, mode: str, data: bytes) -> bytes:
    done = subprocess.run([program, mode], input=data, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout


def packets(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:2], "little")
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return found


def test_c_and_python_encode_alike(frame_filter: Path) -> None:
    frames = [HostFrame(message=body[0], sequence=1, session=0, payload=body[1:]) for body in bodies() if body]
    expected = [encode(frame) for frame in frames]
    raw = [cobs_decode(encoded[:-1])[:-4] for encoded in expected]  # type: ignore[index]
    stream = b"".join(len(body).to_bytes(2, "little") + body for body in raw)
    assert run(frame_filter, "encode", stream) == b"".join(expected)


def test_c_decodes_what_python_encodes(frame_filter: Path) -> None:
    frames = [HostFrame(message=3, sequence=1, session=0, payload=body) for body in bodies()]
    stream = b"".join(encode(frame) for frame in frames)
    found = packets(run(frame_filter, "decode", stream))
    assert [decode(cobs_encode(body)) for body in found] == frames


def test_c_and_python_find_the_same_frames_in_a_damaged_stream(frame_filter: Path) -> None:
    source = random.Random(11)
    stream = bytearray(b"".join(encode(HostFrame(message=3, sequence=1, session=0, payload=body)) for body in bodies()))
    for _ in range(150):
        stream[source.randrange(len(stream))] = source.randrange(256)
    found = [decode(cobs_encode(body)) for body in packets(run(frame_filter, "decode", bytes(stream))) if body]
    expected = [decode(part) for part in bytes(stream).split(b"\0")]
    assert found == [frame for frame in expected if frame is not None]
    assert 200 < len(found) < len(bodies())


def test_any_megabyte_can_be_decoded(frame_filter: Path) -> None:
    noise = random.Random(13).randbytes(1 << 20)
    assert set(packets(run(frame_filter, "decode", noise))) == {b""}
