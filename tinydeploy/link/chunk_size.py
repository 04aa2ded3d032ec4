"""How much data to put into one INPUT or RESULT: much on a clean line, little where frames are lost. Pure."""

import math

INPUT_OVERHEAD_BYTES = 23
"""What an INPUT has besides its data: two delimiters, one byte of COBS, the header, id, offset and flags, the CRC."""

RESULT_OVERHEAD_BYTES = 29
"""The same of a result's part, which has one delimiter, and id, status, ticks and offset."""

_MEMORY_BYTES = 8192
_FIRST_BYTES = 2048


class ChunkSize:
    """Learns from what became of the frames of a line at which rate its bytes are damaged, and what that is best for.

    A frame of ``d`` bytes of data and ``h`` others arrives with probability (1 - p)^(d + h), so of the line's time a
    share of d / (d + h) (1 - p)^(d + h) moves data. It is largest at d = sqrt(h^2 / 4 + h / p) - h / 2: of an INPUT 37
    bytes where one byte in a hundred is damaged, 140 at one in a thousand, 468 at one in ten thousand.

    Both directions are taken for equally bad. The rate is the number of lost frames by the bytes that arrived, those of
    a lost frame counted half (the damage is somewhere in it), both forgotten exponentially over `_MEMORY_BYTES`: the
    size grows back as the line becomes clean. A new line is taken for one that has borne `_FIRST_BYTES`.
    """

    def __init__(self) -> None:
        self._lost = 0.0
        self._borne_bytes = float(_FIRST_BYTES)

    @property
    def rate(self) -> float:
        """The damage per byte, as far as it is known; 0 where nothing was lost."""
        return self._lost / self._borne_bytes

    def arrived(self, data_bytes: int) -> None:
        """A frame with so much data arrived, on either side."""
        self._forget(data_bytes + INPUT_OVERHEAD_BYTES)

    def lost(self, data_bytes: int) -> None:
        """One did not."""
        self._forget((data_bytes + INPUT_OVERHEAD_BYTES) / 2)
        self._lost += 1

    def of_next(self, left_bytes: int, largest: int, *, overhead_bytes: int = INPUT_OVERHEAD_BYTES) -> int:
        """The data of the next chunk, where so much is left: in equal parts, unless the line is clean."""
        best = self._best(overhead_bytes)
        if best >= largest:
            return min(left_bytes, largest)
        parts = max(math.ceil(left_bytes / largest), round(left_bytes / best), 1)
        return math.ceil(left_bytes / parts)

    def _best(self, overhead_bytes: int) -> float:
        if self._lost == 0:
            return math.inf
        half = overhead_bytes / 2
        return max(1.0, math.sqrt(half * half + overhead_bytes / self.rate) - half)

    def _forget(self, bytes_borne: float) -> None:
        kept = math.exp(-bytes_borne / _MEMORY_BYTES)
        self._lost *= kept
        self._borne_bytes = self._borne_bytes * kept + bytes_borne
