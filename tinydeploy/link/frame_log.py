"""What went over a line: kept in memory as it goes by, made readable when somebody wants to look at it.

Going by costs next to nothing: the bytes that a transport was given, or gave, are kept as they are. They are cut into
frames and decoded when the text is asked for.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from tinydeploy.errors import TinydeployError
from tinydeploy.link.channel import Transport
from tinydeploy.link.frame import DELIMITER, decode
from tinydeploy.link.frame_text import describe

_CAPACITY_BYTES = 1 << 20
_PIECE_BYTES = 100
"""What a piece takes besides its bytes, about."""

_SENT, _RECEIVED, _EVENT = "->", "<-", "--"


class _Piece(NamedTuple):
    """Bytes that went one way in one call, or an event in words. A tuple, which is made in no time."""

    time_s: float
    way: str
    data: bytes | str


class FrameLog:
    """A log of one or several transports, one after the other: the latest of it, about ``capacity_bytes``.

    ``now`` is the time in seconds since the epoch. ``is_empty``: there was no transport yet.
    """

    def __init__(self, *, capacity_bytes: int = _CAPACITY_BYTES, now: Callable[[], float] = time.time) -> None:
        self._capacity_bytes = capacity_bytes
        self._now = now
        self._pieces: deque[_Piece] = deque()
        self._kept_bytes = 0
        self._dropped = 0
        self.is_empty = True

    def around(self, transport: Transport, name: str) -> Transport:
        """The transport, whose bytes and failures are logged from here on."""
        self.is_empty = False
        self.note(f"{name} opened")
        return _Logged(transport, name, self)

    def note(self, text: str) -> None:
        """Something that happened now, in words."""
        self._keep(_EVENT, text)

    def sent(self, data: bytes) -> None:
        """These bytes went to the device."""
        self._keep(_SENT, data)

    def received(self, data: bytes) -> None:
        """These bytes came from the device; nothing is kept where there are none."""
        if data:
            self._keep(_RECEIVED, data)

    def lines(self) -> Iterator[str]:
        """One line for each frame, damaged or not, and for each event, in the order in which they ended.

        Time of day, direction (``->`` to the device), message, sequence and session number, payload bytes, and what
        the payload says. What is not a valid frame is told as text where it is text, else in hexadecimal.
        """
        partial = {_SENT: b"", _RECEIVED: b""}
        is_cut = {_SENT: self._dropped > 0, _RECEIVED: self._dropped > 0}
        if self._dropped:
            yield f"({self._dropped:,} earlier pieces are not kept)"
        for piece in self._pieces:
            if isinstance(piece.data, str):
                yield _line(piece.time_s, _EVENT, piece.data)
                continue
            *ended, partial[piece.way] = (partial[piece.way] + piece.data).split(DELIMITER)
            for encoded in ended:
                if encoded and not is_cut[piece.way]:
                    yield _line(piece.time_s, piece.way, describe(encoded, decode(encoded)))
                is_cut[piece.way] = False
        for way, rest in partial.items():
            if rest and not is_cut[way]:
                yield _line(self._now(), way, f"not ended: {describe(rest, None)}")

    def _keep(self, way: str, data: bytes | str) -> None:
        self._pieces.append(_Piece(self._now(), way, data))
        self._kept_bytes += len(data) + _PIECE_BYTES
        while self._kept_bytes > self._capacity_bytes and len(self._pieces) > 1:
            self._kept_bytes -= len(self._pieces.popleft().data) + _PIECE_BYTES
            self._dropped += 1


def _line(time_s: float, way: str, text: str) -> str:
    return f"{datetime.fromtimestamp(time_s):%H:%M:%S.%f} {way} {text}"


class _Logged:
    """A transport that tells a log what goes through it."""

    def __init__(self, transport: Transport, name: str, log: FrameLog) -> None:
        self._transport = transport
        self._name = name
        self._log = log

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """See `Transport`."""
        try:
            data = self._transport.read(max_bytes, timeout_s)
        except (OSError, TinydeployError) as error:
            self._log.note(f"{self._name} failed: {_first_line(error)}")
            raise
        self._log.received(data)
        return data

    def write(self, data: bytes) -> None:
        """See `Transport`. Logged before it is sent: the answer cannot be logged before it."""
        self._log.sent(data)
        try:
            self._transport.write(data)
        except (OSError, TinydeployError) as error:
            self._log.note(f"{self._name} failed: {_first_line(error)}")
            raise

    def close(self) -> None:
        """See `Transport`."""
        self._log.note(f"{self._name} closed")
        self._transport.close()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
