"""A running device → how long an inference takes, and how well transfer and computing overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from time import monotonic
from typing import Literal

from tinydeploy.boards import Board
from tinydeploy.link.session import Session


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The cost of one inference and of each of its layers, in ``unit``.

    On virtual boards whose time counts instructions they are exact and repeatable; on others, microseconds.
    """

    per_inference: int
    unit: Literal["instructions", "us"]
    layers: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """How a stream of inputs went, in microseconds per inference.

    ``period_us`` from one result to the next; ``transfer_us`` for one input to travel and its result to come back when
    nothing else goes on; ``computing_us`` and ``waiting_us`` as the device itself saw its time. The device does both at
    once where it has two buffers.
    """

    buffers: int
    inferences: int
    period_us: float
    transfer_us: float
    computing_us: float
    waiting_us: float


def measure_latency(session: Session, board: Board, sample: bytes) -> Latency:
    """The cost of one inference, with interrupts off; the layers are timed in a run of their own."""
    unit: Literal["instructions", "us"] = "instructions" if board.is_virtual else "us"

    def cost(ticks: int) -> int:
        return board.instructions(ticks) if board.is_virtual else round(ticks * 1e6 / board.timer.tick_hz)

    profile = session.profile(sample, layers=True)
    assert profile.layer_ticks is not None
    return Latency(
        per_inference=cost(profile.ticks), unit=unit, layers=tuple(cost(ticks) for ticks in profile.layer_ticks)
    )


def measure_streaming(
    session: Session, samples: Sequence[bytes], inferences: int, *, on_result: Callable[[int, int], None]
) -> Streaming:
    """Streams ``inferences`` inputs, at least 2, as fast as the device takes them, after sending some one at a time.

    ``on_result`` is told how many results there are, and of how many.
    """
    tick_us = 1e6 / session.hello.tick_hz
    alone_us = []
    for sample in islice(cycle(samples), 3):
        begin = monotonic()
        compute_us = [result.ticks * tick_us for result in session.run([sample])]
        alone_us.append((monotonic() - begin) * 1e6 - sum(compute_us))

    session.stats(reset=True)
    arrivals = []
    for _ in session.run(islice(cycle(samples), inferences)):
        arrivals.append(monotonic())
        on_result(len(arrivals), inferences)
    stats = session.stats()
    return Streaming(
        buffers=session.hello.buffers,
        inferences=inferences,
        period_us=(arrivals[-1] - arrivals[0]) * 1e6 / (inferences - 1),
        transfer_us=median(alone_us),
        computing_us=stats.computing_ticks * tick_us / inferences,
        waiting_us=stats.waiting_ticks * tick_us / inferences,
    )
