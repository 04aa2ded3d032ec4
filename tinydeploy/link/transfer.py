"""Inputs to the device and results back, without any input or output of its own: the host's half of the data exchange.

Inputs go as one long stream, cut into chunks, of which a few may be on their way at once (go-back-N). A position in
that stream is ``id * input_bytes + offset``, so that "how far" is one number. Positions from the device only ever grow.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tinydeploy.errors import UsageError
from tinydeploy.link.hello import Hello
from tinydeploy.link.messages import Ack, InputChunk, InputFlag, ResultChunk, ResultRequest
from tinydeploy.link.traffic import Repeated

WINDOW_CHUNKS = 8
"""Chunks under way: enough to hide the 16 ms that a USB adapter may hold back a reply, little enough to repeat."""

_SEQUENCES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class InferenceResult:
    """What came back for one input. ``ticks`` is how long the device computed, interrupts included.

    ``status`` is 0, or the engine's reason for having failed; then ``output`` means nothing.
    """

    id: int
    output: bytes
    status: int
    ticks: int


@dataclass(frozen=True, kw_only=True)
class _Flight:
    """A chunk on its way: the number of its frame, where it ends and when it left."""

    sequence: int
    end: int
    sent_at: float


class Transfer:
    """Takes inputs to the device within its credits, and each result back exactly once and in order.

    The caller sends what `next_message` gives, passes what arrives to `on_ack` and `on_result`, and calls `on_silence`
    when nothing has come for too long. A device that says it has what was never sent is a `ValueError`.

    Args:
        inputs: What goes there; taken from when there is room on the device.
        hello: The device.
        first_id: The first input's id.
        end_id: The first id for which the device is not known to have a buffer. If that is ``first_id``, it is asked.
        flags: How the inferences are to be made.
        repeated: Where to count what is sent or comes once more.
    """

    def __init__(
        self,
        inputs: Iterable[bytes],
        *,
        hello: Hello,
        first_id: int,
        end_id: int,
        flags: InputFlag,
        repeated: Repeated | None = None,
    ) -> None:
        self._source = iter(inputs)
        self._hello = hello
        self._flags = flags
        self._repeated = repeated or Repeated()
        self._size = hello.input_bytes
        self._inputs: dict[int, bytes] = {}
        self._fetched_id = first_id  # inputs before it have been taken from the source
        self._exhausted = False
        self._acked = self._next = self._furthest = first_id * self._size
        self._end = end_id * self._size
        self._flights: deque[_Flight] = deque()
        self._output = bytearray()
        self._request = ResultRequest(id=first_id, offset=0) if end_id == first_id else None
        self._asked_for: tuple[int, int] | None = None
        self.result_id = first_id
        """The result that comes next."""

    @property
    def done(self) -> bool:
        """Whether there are no more inputs and all results are here."""
        return self._exhausted and self.result_id == self._fetched_id

    @property
    def progress(self) -> tuple[int, int, int]:
        """Changes whenever the exchange has moved on."""
        return self._acked, self.result_id, len(self._output)

    def next_message(self, sequence: int, now: float) -> InputChunk | ResultRequest | None:
        """What may be sent now, in a frame with this sequence number; None where the device has to answer first.

        Raises:
            UsageError: The next input does not have the size that the model takes.
        """
        if self._request is not None:
            request, self._request = self._request, None
            return request
        if len(self._flights) >= WINDOW_CHUNKS or self._next >= self._end:
            return None
        input_id, offset = divmod(self._next, self._size)
        if input_id == self._fetched_id and not self._fetch():
            return None
        data = self._inputs[input_id][offset : offset + self._hello.chunk_bytes]
        self._repeated.chunks += self._next < self._furthest
        self._next += len(data)
        self._furthest = max(self._furthest, self._next)
        self._flights.append(_Flight(sequence=sequence, end=self._next, sent_at=now))
        return InputChunk(id=input_id, offset=offset, flags=self._flags, data=data)

    def on_ack(self, sequence: int, ack: Ack, now: float) -> float | None:
        """Notes how far the device is. Gives the round-trip time where the reply is to a chunk under way.

        The device answers in the order of what it got. So a chunk that was sent before the frame that is answered here,
        and that is not among what the device has, was damaged or out of order: all from there on are sent again.
        """
        sent_at = next((flight.sent_at for flight in self._flights if flight.sequence == sequence), None)
        self._advance(ack.next_id * self._size + ack.next_offset, ack.end_id)
        if self._flights and _is_not_before(sequence, self._flights[0].sequence):
            self._rewind()
        return None if sent_at is None else now - sent_at

    def on_result(self, chunk: ResultChunk) -> InferenceResult | None:
        """Takes a part of a result; gives the result when it is complete."""
        have, there = (self.result_id, len(self._output)), (chunk.id, chunk.offset)
        if there < have:
            self._repeated.results += 1
            return None
        if there > have:
            self._ask_once()
            return None
        self._output += chunk.data
        if len(self._output) > self._hello.output_bytes:
            raise ValueError(len(self._output))
        if len(self._output) < self._hello.output_bytes:
            return None
        result = InferenceResult(id=chunk.id, output=bytes(self._output), status=chunk.status, ticks=chunk.ticks)
        self._output.clear()
        self.result_id += 1
        self._advance(self.result_id * self._size, self.result_id + self._hello.buffers)
        self._request = ResultRequest(id=self.result_id, offset=0)
        return result

    def on_silence(self) -> None:
        """Repeats what has not been answered: the chunks under way, and what the host has of the results."""
        self._rewind()
        self._request = ResultRequest(id=self.result_id, offset=len(self._output))

    def _advance(self, acked: int, end_id: int) -> None:
        """The device has everything before this position, and buffers for the inputs before this one."""
        if acked > self._furthest:
            raise ValueError(acked)
        self._acked = max(self._acked, acked)
        self._next = max(self._next, self._acked)
        self._end = max(self._end, end_id * self._size)
        while self._flights and self._flights[0].end <= self._acked:
            self._flights.popleft()
        for input_id in [known for known in self._inputs if (known + 1) * self._size <= self._acked]:
            del self._inputs[input_id]

    def _ask_once(self) -> None:
        """Asks for the missing part, but not again for each further frame that shows the same gap."""
        gap = (self.result_id, len(self._output))
        if gap != self._asked_for:
            self._asked_for = gap
            self._request = ResultRequest(id=self.result_id, offset=len(self._output))

    def _rewind(self) -> None:
        self._flights.clear()
        self._next = self._acked

    def _fetch(self) -> bool:
        """Takes the next input from the source; False where there is none."""
        data = None if self._exhausted else next(self._source, None)
        if data is None:
            self._exhausted = True
            return False
        if len(data) != self._size:
            raise UsageError(f"an input has {len(data):,} B, but the model takes {self._size:,} B")
        self._inputs[self._fetched_id] = data
        self._fetched_id += 1
        return True


def _is_not_before(sequence: int, other: int) -> bool:
    """Whether a frame was sent with or after another one. Number 0 is no request's: such a frame answers nothing."""
    return sequence != 0 and (sequence - other) % _SEQUENCES < _SEQUENCES // 2
