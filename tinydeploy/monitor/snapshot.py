"""What a monitor knows at a moment. Pure: it takes results and counters, and gives a frozen picture of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinydeploy.link.hello import Hello
from tinydeploy.link.messages import Stats
from tinydeploy.link.traffic import Traffic
from tinydeploy.model.graph import Quantization
from tinydeploy.model.reals import reals
from tinydeploy.monitor.histogram import Distribution, Histogram

RECENT_S = 5.0
"""What counts as now for the rate."""

Unit = Literal["instructions", "us"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A class of the first output and its value: real where the output has a scale."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Against:
    """A run beside an earlier one: of ``compared`` results of the same inputs, so many ``differ``.

    ``first`` is the number of the first that does; ``earlier`` are the earlier run's latencies, None where they are in
    another unit.
    """

    compared: int
    differ: int
    first: int | None
    earlier: Distribution | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The run so far.

    ``seconds`` since the first input left. ``per_second`` is over the last `RECENT_S`, None before the second result;
    ``latency`` is in ``unit``. ``stats`` and ``traffic`` are the device's and the host's counts of this run; the former
    is of the last pause between two bursts. ``top`` are the best classes of the last result.
    """

    hello: Hello
    seconds: float
    inferences: int
    per_second: float | None
    unit: Unit
    latency: Distribution | None
    stats: Stats
    traffic: Traffic
    top: tuple[Score, ...]
    against: Against | None = None

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of the device's time: waiting for an input, blocked by results that nobody took, computing. 0 without any."""
        ticks = (self.stats.waiting_ticks, self.stats.blocked_ticks, self.stats.computing_ticks)
        whole = max(1, sum(ticks))
        waiting, blocked, computing = (part / whole for part in ticks)
        return waiting, blocked, computing


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """A run that has ended. ``model`` is the user's, None where what the board runs was watched, whatever it is."""

    model: Path | None
    last: Snapshot
    record: Path | None

    @property
    def ok(self) -> bool:
        """Whether it gave what the earlier run gave, where there was one."""
        return self.last.against is None or self.last.against.differ == 0


@dataclass(kw_only=True)
class Tally:
    """Collects results; ``arrivals`` are those of the last seconds."""

    histogram: Histogram = field(default_factory=Histogram)
    inferences: int = 0
    arrivals: deque[float] = field(default_factory=deque)

    def add(self, latency: float, at_s: float) -> None:
        """A result that arrived so many seconds after the beginning."""
        self.inferences += 1
        self.histogram.add(latency)
        self.arrivals.append(at_s)
        while self.arrivals[0] < at_s - RECENT_S:
            self.arrivals.popleft()

    def per_second(self) -> float | None:
        """Results per second of late."""
        if len(self.arrivals) < 2 or self.arrivals[-1] <= self.arrivals[0]:
            return None
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])


def best_classes(
    output: npt.NDArray[np.generic], quantization: Quantization | None, *, names: Sequence[str] | None, count: int
) -> tuple[Score, ...]:
    """The largest values of an output, the largest first and of equals the first one first."""
    values = reals(output.reshape(-1), quantization)
    order = np.argsort(-values, kind="stable")[:count]
    return tuple(Score(name=names[at] if names else f"class {at}", value=float(values[at])) for at in order)
