"""When to stop waiting for a reply and ask again."""

_FIRST_S = 0.5
_SHORTEST_S = 0.03
_SHORTEST_LOSSY_S = 0.01
_SHORTEST_COMPUTING_S = 0.1
_LONGEST_S = 1.0
_LONGEST_LOSSY_S = 0.2
_BACKOFF = 1.5


class RetryTimer:
    """TCP's retransmission timer (RFC 6298), with limits that suit serial lines.

    Waits for the smoothed round-trip time plus four times its deviation, and half as long again each time in vain. On a
    line that is known to lose frames, once the deviation is enough: what is late there was lost more often than not,
    and asking once more costs only time of a line that has nothing else to do.
    """

    def __init__(self) -> None:
        self._smoothed_s: float | None = None
        self._deviation_s = 0.0
        self._backoff = 1.0

    def wait_s(self, *, lossy: bool = False) -> float:
        """How long after the last sign of life to ask again, where there is something to answer."""
        if lossy:  # and no device that is away for long: several tries in vain are nothing special
            return min(_LONGEST_LOSSY_S, self._wait_s(1, _SHORTEST_LOSSY_S))
        return self._wait_s(4, _SHORTEST_S)

    def computing_s(self) -> float:
        """The same where all is answered, and the device computes: asking it then disturbs it."""
        return self._wait_s(4, _SHORTEST_COMPUTING_S)

    def measured(self, round_trip_s: float) -> None:
        """A reply came after this time."""
        if self._smoothed_s is None:
            self._smoothed_s, self._deviation_s = round_trip_s, round_trip_s / 2
        else:
            self._deviation_s += (abs(round_trip_s - self._smoothed_s) - self._deviation_s) / 4
            self._smoothed_s += (round_trip_s - self._smoothed_s) / 8

    def progressed(self) -> None:
        """Something new arrived."""
        self._backoff = 1.0

    def expired(self) -> None:
        """Nothing came in time."""
        self._backoff = min(self._backoff * _BACKOFF, _LONGEST_S / _SHORTEST_LOSSY_S)

    def _wait_s(self, deviations: int, shortest_s: float) -> float:
        estimate_s = _FIRST_S if self._smoothed_s is None else self._smoothed_s + deviations * self._deviation_s
        return min(_LONGEST_S, max(shortest_s, estimate_s) * self._backoff)
