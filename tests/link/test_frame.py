"""Framing, host side."""

import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydeploy.link.frame import Decoder, Frame, cobs_decode, cobs_encode, decode, encode

FRAMES = st.builds(
    Frame,
    message=st.integers(0, 255),
    sequence=st.integers(0, 65535),
    session=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=1200),
)
HELLO = Frame(message=1, sequence=2, session=3, payload=b"\0\1\0")


# From the paper and its well-known table: Cheshire and Baker, Consistent Overhead Byte Stuffing, 1999.
@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ("", "01"),
        ("00", "0101"),
        ("0000", "010101"),
        ("001100", "01021101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
    ],
)
def test_cobs_gives_the_published_examples(data: str, encoded: str) -> None:
    assert cobs_encode(bytes.fromhex(data)).hex() == encoded
    assert cobs_decode(bytes.fromhex(encoded)) == bytes.fromhex(data)


@pytest.mark.parametrize("size", [253, 254, 255, 508, 509])
def test_cobs_adds_one_byte_in_254(size: int) -> None:
    encoded = cobs_encode(b"x" * size)
    assert len(encoded) == size + max(1, -(-size // 254))
    assert cobs_decode(encoded) == b"x" * size


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=2000))
def test_cobs_has_no_zeros_and_loses_nothing(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert cobs_decode(encoded) == data


@settings(deadline=None)  # the machine may be busy
@given(FRAMES)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    encoded = encode(frame)
    assert encoded.index(0) == len(encoded) - 1
    assert decode(encoded[:-1]) == frame


def test_a_frame_ends_with_the_crc_of_ethernet() -> None:
    body = cobs_decode(encode(HELLO)[:-1])
    assert body is not None
    assert int.from_bytes(body[-4:], "little") == binascii.crc32(body[:-4])
    assert binascii.crc32(b"123456789") == 0xCBF43926


@settings(deadline=None)  # the machine may be busy
@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(1, 50), min_size=1))
def test_frames_arrive_whole_however_the_bytes_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode(frame) for frame in frames)
    decoder = Decoder()
    arrived = []
    turn = 0
    while data:
        size = cuts[turn % len(cuts)]
        arrived += decoder.feed(data[:size])
        data = data[size:]
        turn += 1
    assert arrived == frames
    assert decoder.damaged == 0


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_can_be_decoded_and_the_next_frame_is_found(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        decoder.feed(piece)
    assert decoder.received == sum(map(len, pieces))
    assert decoder.feed(b"\0" + encode(HELLO)) == [HELLO]


@settings(deadline=None)  # the machine may be busy
@given(FRAMES, st.data())
def test_a_flipped_bit_is_always_noticed(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(encode(frame))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert frame not in Decoder().feed(bytes(encoded) + b"\0")


def test_damaged_frames_are_counted_and_delimiters_in_a_row_are_not() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\0\0\0" + encode(HELLO)[:-3] + b"\0\0" + encode(HELLO)) == [HELLO]
    assert decoder.damaged == 1


def test_garbage_without_an_end_costs_no_memory() -> None:
    decoder = Decoder()
    for _ in range(40):
        decoder.feed(b"\x55" * 10_000)
    assert len(decoder._partial) <= Decoder.MAX_ENCODED_BYTES
    assert decoder.feed(b"\0" + encode(HELLO)) == [HELLO]
    assert decoder.damaged == 1
