"""A line that does to bytes what bad lines do, between a host and any device; the same for the same seed and bytes."""

import math
import random
from collections import Counter, deque
from collections.abc import Iterator
from time import monotonic, sleep

from tinydeploy.link.channel import Transport
from tinydeploy.link.frame import Frame, encode
from tinydeploy.link.messages import InputChunk, Message

KINDS = ("drop", "flip", "double", "delay", "truncate")
LONGEST_DELAY_S = 0.01


class Damage:
    """What happens to one direction: to each byte at the given rate, one of `KINDS`, all equally often.

    A byte is lost, has one bit flipped, comes twice, is held up together with all behind it, or is lost together with
    the rest of what was sent in one go. ``faults`` counts each kind, ``passed`` the bytes that were given to it.
    """

    def __init__(self, *, rate: float, seed: int) -> None:
        self.rate = rate
        self.faults: Counter[str] = Counter()
        self.passed = 0
        self._random = random.Random(seed)
        self._left = self._gap()

    def pieces(self, data: bytes) -> list[tuple[float, bytes]]:
        """What arrives of these bytes: each piece after so many seconds more than the one before."""
        self.passed += len(data)
        pieces = [(0.0, bytearray())]
        at = 0
        while at + self._left < len(data):
            fault_at = at + self._left
            pieces[-1][1].extend(data[at:fault_at])
            self._left = self._gap()
            kind = self._random.choice(KINDS)
            self.faults[kind] += 1
            byte = data[fault_at]
            if kind == "truncate":
                return _bytes(pieces)
            if kind == "delay":
                pieces.append((self._random.uniform(0, LONGEST_DELAY_S), bytearray([byte])))
            else:
                flipped = byte ^ 1 << self._random.randrange(8)
                pieces[-1][1].extend({"drop": (), "flip": (flipped,), "double": (byte, byte)}[kind])
            at = fault_at + 1
        self._left -= len(data) - at
        pieces[-1][1].extend(data[at:])
        return _bytes(pieces)

    def _gap(self) -> int:
        """How many bytes pass unharmed before the next fault: geometrically distributed."""
        if self.rate <= 0:
            return 1 << 62
        return int(math.log(1 - self._random.random()) / math.log(1 - self.rate))


class BadLine:
    """A transport over another one, damaged in both directions. What is held up on its way out holds up the host."""

    def __init__(self, line: Transport, *, rate: float, seed: int) -> None:
        self.line = line
        self.out = Damage(rate=rate, seed=seed)
        self.back = Damage(rate=rate, seed=seed + 1_000_003)
        self._held: deque[tuple[float, bytes]] = deque()

    @property
    def faults(self) -> Counter[str]:
        """Of both directions."""
        return self.out.faults + self.back.faults

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self._held:
            due_s = monotonic()
            for delay_s, piece in self.back.pieces(self.line.read(max_bytes // 2, timeout_s)):
                due_s += delay_s
                if piece:
                    self._held.append((due_s, piece))
            timeout_s = 0.0
        if not self._held:
            return b""
        early_s = self._held[0][0] - monotonic()
        if early_s > timeout_s:
            sleep(max(0.0, timeout_s))
            return b""
        sleep(max(0.0, early_s))
        return self._held.popleft()[1]

    def write(self, data: bytes) -> None:
        for delay_s, piece in self.out.pieces(data):
            sleep(delay_s)
            if piece:
                self.line.write(piece)

    def close(self) -> None:
        self.line.close()


def _bytes(pieces: list[tuple[float, bytearray]]) -> list[tuple[float, bytes]]:
    return [(delay_s, bytes(piece)) for delay_s, piece in pieces]


def attacks(count: int, *, seed: int) -> Iterator[bytes]:
    """About so many bytes, in pieces: random ones, intact frames with any content, and real ones with a flipped bit.

    None is a RESET, which restarts a device by right, and no INPUT is of a session that a device has begun.
    """
    source = random.Random(seed)
    chunk = InputChunk(id=0, offset=0, flags=0, data=source.randbytes(64)).pack()
    real = encode(Frame(message=Message.INPUT, sequence=1, session=1, payload=chunk))
    while count > 0:
        kind = source.randrange(4)
        if kind < 2:
            piece = source.randbytes(1000)
        elif kind == 2:
            message = source.choice([0, 1, 2, 3, 4, 5, 6, 8, 0x7F, 0x83, 0xFF])
            sequence, session = source.randrange(1 << 16), source.randrange(1 << 32)
            payload = source.randbytes(source.randrange(80))
            piece = b"\0" + encode(Frame(message=message, sequence=sequence, session=session, payload=payload))
        else:
            damaged = bytearray(real)
            damaged[source.randrange(len(damaged))] ^= 1 << source.randrange(8)
            piece = bytes(damaged)
        count -= len(piece)
        yield piece
