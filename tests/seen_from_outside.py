"""What a host can say for certain of a device that it talks to, however busy the host is meanwhile."""

from collections.abc import Callable, Iterable
from time import monotonic

from tinydeploy.link.channel import Transport
from tinydeploy.link.frame import Decoder
from tinydeploy.link.messages import REPLY, Ack, Message
from tinydeploy.link.session import Session


class Watched:
    """A line that keeps the ACKs which come in on it: each says how far the device was at one moment."""

    def __init__(self, line: Transport) -> None:
        self.line = line
        self.acks: list[Ack] = []
        self._decoder = Decoder()

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        data = self.line.read(max_bytes, timeout_s)
        frames = self._decoder.feed(data)
        self.acks += [Ack.unpack(frame.payload) for frame in frames if frame.message == Message.INPUT | REPLY]
        return data

    def write(self, data: bytes) -> None:
        self.line.write(data)

    def close(self) -> None:
        self.line.close()


def begun_early(acks: Iterable[Ack], buffers: int) -> set[int]:
    """The inputs of which the device had a part, or all, while the one before was not computed yet.

    Of a session on a device that was idle: `end` is then as many inputs behind those that are computed as there are
    buffers (docs/protocol.md, ACK).
    """
    nexts = ((ack.end_id - buffers + 1, ack) for ack in acks)
    return {next_id for next_id, ack in nexts if (ack.next_id, ack.next_offset) > (next_id, 0)}


def assert_all_time_is_accounted_for(session: Session, work: Callable[[], object]) -> None:
    """The device's ticks of waiting, being blocked and computing, over some work, are the time that it took.

    The device looks at its clock at some moment between a request for its counters and the reply: two bounds, which
    hold however long that takes. A hundredth is for clocks that are not quite the same, and a millisecond for ticks.
    """
    before = monotonic()
    session.stats(reset=True)
    begin = monotonic()
    work()
    end = monotonic()
    stats = session.stats()
    after = monotonic()
    counted_s = (stats.waiting_ticks + stats.blocked_ticks + stats.computing_ticks) / session.hello.tick_hz
    assert 0.99 * (end - begin) - 0.001 <= counted_s <= 1.01 * (after - before) + 0.001
