"""Inputs to the device and results back, without any input or output of its own: the host's half of the data exchange.

Inputs go as one long stream, cut into chunks, of which a few may be on their way at once (go-back-N). A position in
that stream is ``id * input_bytes + offset``, so that "how far" is one number. Positions from the device only ever grow.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tinydeploy.errors import UsageError
from tinydeploy.link.chunk_size import RESULT_OVERHEAD_BYTES, ChunkSize
from tinydeploy.link.hello import Hello
from tinydeploy.link.messages import Ack, InputChunk, InputFlag, ResultChunk, ResultRequest
from tinydeploy.link.results import InferenceResult, Results
from tinydeploy.link.traffic import Repeated

WINDOW_CHUNKS = 8
"""Chunks under way: enough to hide the 16 ms that a USB adapter may hold back a reply, little enough to repeat."""

_SEQUENCES = 1 << 16
_MOST_BYTES = 255

LOSSY = 5e-4
"""Damage per byte from which a line is one that loses frames: of those with 128 B, one in 16."""


@dataclass(frozen=True, kw_only=True)
class _Flight:
    """A chunk on its way: the number of its frame, its data, where they end and when it left."""

    sequence: int
    size: int
    end: int
    sent_at: float


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A RESULT on its way: the number of its frame, what it names and when it left; whether that may be missing."""

    sequence: int
    id: int
    sent_at: float
    may_be_lost: bool


class Transfer:
    """Takes inputs to the device within its credits, and each result back exactly once and in order.

    The caller sends what `next_message` gives, passes what arrives to `on_ack` and `on_result`, calls `on_damage` when
    something has arrived damaged, and `on_silence` when nothing has come for too long. A device that says it has what
    was never sent is a `ValueError`.

    Args:
        inputs: What goes there; taken from when there is room on the device.
        hello: The device.
        first_id: The first input's id.
        end_id: The first id for which the device is not known to have a buffer. If that is ``first_id``, it is asked.
        flags: How the inferences are to be made.
        chunk_size: What is known of the line.
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
        chunk_size: ChunkSize | None = None,
        repeated: Repeated | None = None,
    ) -> None:
        self._source = iter(inputs)
        self._hello = hello
        self._flags = flags
        self._chunk_size = chunk_size or ChunkSize()
        self._repeated = repeated or Repeated()
        self._size = hello.input_bytes
        self._inputs: dict[int, bytes] = {}
        self._first_id = first_id
        self._fetched_id = first_id  # inputs before it have been taken from the source
        self._exhausted = False
        self._acked = self._next = self._furthest = first_id * self._size
        self._end = end_id * self._size
        self._flights: deque[_Flight] = deque()
        self._results = Results(next_id=first_id, output_bytes=hello.output_bytes, buffers=hello.buffers)
        self._computed_id = first_id  # the device has computed those before it
        self._is_to_ask = end_id == first_id
        self._may_be_lost = False
        self._asked: _Asked | None = None
        self._asked_for: tuple[int, int] | None = None

    @property
    def result_id(self) -> int:
        """The result that comes next."""
        return self._results.next_id

    @property
    def done(self) -> bool:
        """Whether there are no more inputs and all results are here."""
        return self._exhausted and self.result_id == self._fetched_id

    @property
    def delivered(self) -> bool:
        """Whether the device has all inputs that were taken from the source, one at least."""
        return self._fetched_id > self._first_id and self._acked >= self._fetched_id * self._size

    @property
    def progress(self) -> tuple[int, int, int]:
        """Changes whenever the exchange has moved on."""
        return self._acked, self.result_id, self._results.received_bytes

    @property
    def is_owed(self) -> bool:
        """Whether the device has something to answer or to send, as far as the host knows; else it computes."""
        return bool(self._flights) or self._asked is not None or self._computed_id > self.result_id

    @property
    def is_lossy(self) -> bool:
        """Whether frames were lost lately: then a delimiter goes before each, as that of the last one may be lost."""
        return self._chunk_size.rate > LOSSY

    def next_message(self, sequence: int, now: float) -> InputChunk | ResultRequest | None:
        """What may be sent now, in a frame with this sequence number; None where the device has to answer first.

        Raises:
            UsageError: The next input does not have the size that the model takes.
        """
        if self._is_to_ask:
            self._is_to_ask = False
            result_id, offset = self._results.missing
            self._asked = _Asked(sequence=sequence, id=result_id, sent_at=now, may_be_lost=self._may_be_lost)
            self._may_be_lost = False
            return ResultRequest(id=result_id, offset=offset, most=self._most_of_result())
        if len(self._flights) >= WINDOW_CHUNKS or self._next >= self._end:
            return None
        input_id, offset = divmod(self._next, self._size)
        if input_id == self._fetched_id and not self._fetch():
            return None
        size = self._chunk_size.of_next(self._size - offset, self._hello.chunk_bytes)
        data = self._inputs[input_id][offset : offset + size]
        self._repeated.chunks += self._next < self._furthest
        self._next += len(data)
        self._furthest = max(self._furthest, self._next)
        self._flights.append(_Flight(sequence=sequence, size=size, end=self._next, sent_at=now))
        return InputChunk(id=input_id, offset=offset, flags=self._flags, data=data)

    def on_ack(self, sequence: int, ack: Ack, now: float) -> float | None:
        """Notes how far the device is. Gives the round-trip time where the reply is to a frame under way.

        The device answers in the order of what it got. So a chunk that was sent before the frame that is answered here,
        and that is not among what the device has, was damaged or out of order: all from there on are sent again.
        """
        self._chunk_size.arrived(0)
        under_way: list[_Flight | _Asked] = [*self._flights, *([self._asked] if self._asked else [])]
        sent_at = next((frame.sent_at for frame in under_way if frame.sequence == sequence), None)
        self._advance(ack.next_id * self._size + ack.next_offset, ack.end_id)
        if self._flights and _is_not_before(sequence, self._flights[0].sequence):
            self._chunk_size.lost(self._flights[0].size)
            self._rewind()
        self._computed_id = max(self._computed_id, ack.end_id - self._hello.buffers)
        if self._asked and _is_not_before(sequence, self._asked.sequence):
            # The device gives a result only to who names it again: what was to name it first may have been lost too.
            if self._asked.may_be_lost and self._computed_id > self.result_id == self._asked.id:
                self._is_to_ask = True
            self._asked = None
        return None if sent_at is None else now - sent_at

    def on_result(self, chunk: ResultChunk) -> list[InferenceResult]:
        """Takes a part of a result; gives the results that are complete with it."""
        self._chunk_size.arrived(len(chunk.data))
        if self._asked and chunk.id >= self._asked.id:
            self._asked = None
        if not self._results.take(chunk) and chunk.id < self.result_id + self._hello.buffers:
            self._repeated.results += 1
        finished = self._results.finished()
        if finished:
            self._advance(self.result_id * self._size, self.result_id + self._hello.buffers)
            self._is_to_ask = True
        elif self._results.has_gap or chunk.id > self.result_id:
            self._ask_once()
        return finished

    def on_damage(self, frames: int = 1) -> None:
        """Asks at once what arrived damaged, so many frames: the reply says how far the device is, or is the result."""
        for _ in range(frames):
            self._chunk_size.lost(self._size_of_result())
        self._ask_again()

    def on_silence(self) -> None:
        """Asks how far the device is, and for the next result. What it says that it has not is sent again.

        On a line that loses frames the chunks under way are sent again at once. Elsewhere it is more likely that one of
        the two computers is busy, and they arrived.
        """
        if self.is_lossy:
            self._rewind()
        self._ask_again()

    def _advance(self, acked: int, end_id: int) -> None:
        """The device has everything before this position, and buffers for the inputs before this one."""
        if acked > self._furthest:
            raise ValueError(acked)
        self._acked = max(self._acked, acked)
        self._next = max(self._next, self._acked)
        self._end = max(self._end, end_id * self._size)
        while self._flights and self._flights[0].end <= self._acked:
            self._chunk_size.arrived(self._flights.popleft().size)
        for input_id in [known for known in self._inputs if (known + 1) * self._size <= self._acked]:
            del self._inputs[input_id]

    def _size_of_result(self) -> int:
        """The data of a part of a result."""
        largest = self._hello.chunk_bytes
        return self._chunk_size.of_next(self._hello.output_bytes, largest, overhead_bytes=RESULT_OVERHEAD_BYTES)

    def _most_of_result(self) -> int:
        """The same as a RESULT says it: 0 where it need not be said, and 255 at most."""
        size = self._size_of_result()
        return 0 if size >= min(self._hello.output_bytes, self._hello.chunk_bytes) else min(size, _MOST_BYTES)

    def _ask_once(self) -> None:
        """Asks for the missing part, but not again for each further frame that shows the same gap."""
        gap = self._results.missing
        if gap != self._asked_for:
            self._asked_for = gap
            self._ask_again()

    def _ask_again(self) -> None:
        """Asks for the next result, which may have been lost."""
        self._is_to_ask = self._may_be_lost = True

    def _rewind(self) -> None:
        """Sends again from what the device wants next."""
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
