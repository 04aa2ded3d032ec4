"""Frames over a transport: numbers and sends requests, receives replies, waits for one."""

import time
from typing import Protocol

from tinydeploy.errors import LinkError
from tinydeploy.link.frame import DELIMITER, Decoder, Frame, encode
from tinydeploy.link.messages import REPLY, Message

_READ_BYTES = 4096
_SEEN_BYTES = 16
_HEARD_BYTES = 400
_SEQUENCES = 1 << 16


class Transport(Protocol):
    """A serial line, or something like it. A failure, or the other end gone, is an `OSError`."""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """What has arrived, as soon as there is something; empty after ``timeout_s``."""

    def write(self, data: bytes) -> None:
        """Sends all of it. May wait until the line has taken it."""

    def close(self) -> None:
        """Gives the line back."""


class Channel:
    """One transport with a session number.

    ``name`` is what people call the transport (``/dev/ttyACM0``). ``session`` goes into every frame that is sent;
    frames of another session are dropped. ``sent`` and ``received`` count frames. ``seen`` are the first bytes that
    ever arrived, ``heard`` the latest, and ``echoes`` says whether requests came back: for the error message when no
    device is found.

    All methods raise `LinkError` when the transport fails.
    """

    def __init__(self, transport: Transport, *, name: str) -> None:
        self.name = name
        self.session = 0
        self.decoder = Decoder()
        self.sent = 0
        self.received = 0
        self.seen = b""
        self.heard = b""
        self.echoes = False
        self._transport = transport
        self._sequence = 0

    def next_sequence(self) -> int:
        """A new number for a request: 1 to 65535, in turn. The device uses 0 where it answers nothing."""
        self._sequence = self._sequence % (_SEQUENCES - 1) + 1
        return self._sequence

    def send(self, message: Message, payload: bytes, *, sequence: int, fenced: bool = False) -> None:
        """Sends a frame; ``fenced`` with a delimiter before it, to end what the line has made up or cut short."""
        frame = Frame(message=message, sequence=sequence, session=self.session, payload=payload)
        try:
            self._transport.write(DELIMITER * fenced + encode(frame))
        except OSError as error:
            raise self._broken(error) from error
        self.sent += 1

    def receive(self, timeout_s: float) -> list[Frame]:
        """The replies of this session in what arrives next; none where nothing arrives within the time."""
        try:
            data = self._transport.read(_READ_BYTES, max(0.0, timeout_s))
        except OSError as error:
            raise self._broken(error) from error
        self.seen = (self.seen + data)[:_SEEN_BYTES]
        self.heard = (self.heard + data)[-_HEARD_BYTES:]
        frames = self.decoder.feed(data)
        self.received += len(frames)
        self.echoes = self.echoes or any(frame.message < REPLY for frame in frames)
        return [frame for frame in frames if frame.message >= REPLY and frame.session == self.session]

    def request(self, message: Message, payload: bytes, *, timeout_s: float, retry_s: float) -> Frame | None:
        """Sends a request, again and again, until its reply or a refusal is there; None where neither comes in time.

        It is repeated after ``retry_s``; at once where something arrives damaged, but for HELLO: a device that starts
        may have a lot to say that is no frame.
        """
        sequence = self.next_sequence()
        deadline = time.monotonic() + timeout_s
        while (now := time.monotonic()) < deadline:
            self.send(message, payload, sequence=sequence, fenced=True)
            frame = self._reply(message, sequence, until=min(now + retry_s, deadline))
            if frame is not None:
                return frame
        return None

    def _reply(self, message: Message, sequence: int, *, until: float) -> Frame | None:
        """The reply or the refusal to a request; what has arrived already is looked at in any case."""
        damaged = self.decoder.damaged
        while True:
            for frame in self.receive(until - time.monotonic()):
                is_reply = frame.message in (message | REPLY, Message.ERROR | REPLY)
                if is_reply and frame.sequence == sequence:
                    return frame
            is_lost = self.decoder.damaged > damaged and message != Message.HELLO
            if is_lost or time.monotonic() >= until:
                return None

    def close(self) -> None:
        """Gives the transport back."""
        self._transport.close()

    def _broken(self, error: OSError) -> LinkError:
        reason = error.strerror or str(error) or type(error).__name__
        return LinkError(
            f"the connection broke: {reason[:1].lower()}{reason[1:]}",
            where={"port": self.name},
            hint="check the cable and the board's power, then start again",
        )
