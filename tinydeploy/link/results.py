"""Results put together from parts that come in any order, more than once, or not at all. Pure."""

from dataclasses import dataclass, field

from tinydeploy.link.messages import ResultChunk


@dataclass(frozen=True, kw_only=True)
class InferenceResult:
    """What came back for one input. ``ticks`` is how long the device computed, interrupts included.

    ``status`` is 0, or the engine's reason for having failed; then ``output`` means nothing.
    """

    id: int
    output: bytes
    status: int
    ticks: int


@dataclass(kw_only=True)
class _Partial:
    """A result as far as it is here: ``missing`` has a 1 for each byte that is not."""

    output: bytearray
    missing: bytearray
    status: int = 0
    ticks: int = 0


@dataclass(kw_only=True)
class Results:
    """The results from ``next_id`` on, of which a device holds as many at a time as it has ``buffers``.

    A part that comes before an earlier one is kept: of a long result on a bad line, each part has to arrive only once.
    """

    next_id: int
    output_bytes: int
    buffers: int
    received_bytes: int = 0
    _partial: dict[int, _Partial] = field(default_factory=dict)

    def take(self, chunk: ResultChunk) -> bool:
        """Takes a part; whether anything in it is new.

        Raises:
            ValueError: It has no data, or some beyond the end of an output.
        """
        end = chunk.offset + len(chunk.data)
        if not chunk.data or end > self.output_bytes:
            raise ValueError(chunk)
        if not self.next_id <= chunk.id < self.next_id + self.buffers:
            return False
        partial = self._partial.setdefault(
            chunk.id, _Partial(output=bytearray(self.output_bytes), missing=bytearray(b"\1") * self.output_bytes)
        )
        new_bytes = partial.missing.count(1, chunk.offset, end)
        partial.output[chunk.offset : end] = chunk.data
        partial.missing[chunk.offset : end] = bytes(len(chunk.data))
        partial.status, partial.ticks = chunk.status, chunk.ticks
        self.received_bytes += new_bytes
        return new_bytes > 0

    def finished(self) -> list[InferenceResult]:
        """The results that are complete and whose turn it is, each given once."""
        found = []
        while (partial := self._partial.get(self.next_id)) is not None and 1 not in partial.missing:
            del self._partial[self.next_id]
            output = bytes(partial.output)
            found.append(InferenceResult(id=self.next_id, output=output, status=partial.status, ticks=partial.ticks))
            self.next_id += 1
        return found

    @property
    def missing(self) -> tuple[int, int]:
        """Id and offset of the first byte that is not here."""
        partial = self._partial.get(self.next_id)
        return self.next_id, partial.missing.index(1) if partial else 0

    @property
    def has_gap(self) -> bool:
        """Whether something is here that the device sends after what is missing."""
        partial = self._partial.get(self.next_id)
        is_behind = partial is not None and 0 in partial.missing[partial.missing.index(1) :]
        return is_behind or any(known > self.next_id for known in self._partial)
