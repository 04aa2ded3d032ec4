"""A running device → how long an inference takes, and how well transfer and computing overlap."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from statistics import median
from time import monotonic
from typing import Literal

from tinydeploy.boards import Board
from tinydeploy.link.session import Session

_TICKS_MODULUS = 2**32

_BURST = 4
"""Inputs that are streamed in one go."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The cost of one inference and of each of its layers, in ``unit``.

    On virtual boards whose time counts instructions they are exact and repeatable; on others, microseconds.
    ``per_inference`` is None where an inference takes longer than the board's timer can tell. ``layer_cycles`` are the
    core's cycles in each layer of a real board, as exact as its timer is fine; None on virtual boards.
    """

    per_inference: int | None
    unit: Literal["instructions", "us"]
    layers: tuple[int, ...]
    layer_cycles: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """How a stream of inputs went, in microseconds per inference.

    ``period_us`` from one result to the next; ``transfer_us`` for one input to travel and its result to come back when
    nothing else goes on; ``computing_us`` and ``waiting_us`` (for input) as the device itself saw its time, the former
    with the interrupts that took the next input meanwhile, ``computing_alone_us`` without. Where there are two buffers,
    transfer and computing go on at once, and the period is near the longer of them.
    """

    buffers: int
    inferences: int
    period_us: float
    transfer_us: float
    computing_us: float
    computing_alone_us: float
    waiting_us: float


def measure_latency(session: Session, board: Board, sample: bytes) -> Latency:
    """The cost of one inference, with interrupts off; the layers are timed in a run of their own.

    The board's ticks are modulo 2**32. Where all layers together have more of them than the inference, it was the
    inference that wrapped: nothing else takes anywhere near half of that.
    """
    unit: Literal["instructions", "us"] = "instructions" if board.is_virtual else "us"

    def cost(ticks: int) -> int:
        return board.instructions(ticks) if board.is_virtual else round(ticks * 1e6 / session.hello.tick_hz)

    def cycles(ticks: int) -> int:
        return round(ticks * session.hello.clock_hz / session.hello.tick_hz)

    profile = session.profile(sample, layers=True)
    assert profile.layer_ticks is not None
    has_wrapped = sum(profile.layer_ticks) - profile.ticks > _TICKS_MODULUS // 2
    return Latency(
        per_inference=None if has_wrapped else cost(profile.ticks),
        unit=unit,
        layers=tuple(cost(ticks) for ticks in profile.layer_ticks),
        layer_cycles=None if board.is_virtual else tuple(cycles(ticks) for ticks in profile.layer_ticks),
    )


def measure_streaming(
    session: Session, samples: Sequence[bytes], inferences: int, *, on_result: Callable[[int, int], None]
) -> Streaming:
    """Streams ``inferences`` inputs, at least 2, as fast as the device takes them.

    The stream is cut into bursts, and before and after each of them one input goes alone: a machine that runs an
    emulator is never equally fast for long, and only figures of the same time can be compared. All are medians.

    ``on_result`` is told how many results there are, and of how many.
    """
    source = cycle(samples)
    bursts = max(1, inferences // _BURST)
    sizes = [inferences // bursts + (number < inferences % bursts) for number in range(bursts)]
    alone, streamed = [], []
    arrived = 0
    for size in sizes:
        alone.append(_stream(session, source, 1))
        streamed.append(_stream(session, source, size))
        alone.append(_stream(session, source, 1))
        arrived += size
        on_result(arrived, inferences)
    computing_us = [us for burst in streamed for us in burst.computing_us]
    return Streaming(
        buffers=session.hello.buffers,
        inferences=inferences,
        period_us=median(us for burst in streamed for us in burst.periods_us),
        transfer_us=median(burst.first_us - burst.computing_us[0] for burst in alone),
        computing_us=median(computing_us),
        computing_alone_us=median(burst.computing_us[0] for burst in alone),
        waiting_us=median(burst.waiting_us for burst in streamed),
    )


@dataclass(frozen=True, kw_only=True)
class _Burst:
    """Inputs sent without a gap between them, in microseconds. ``first_us``: until the first result was there."""

    first_us: float
    periods_us: tuple[float, ...]
    computing_us: tuple[float, ...]
    waiting_us: float
    """By the device, per period."""


def _stream(session: Session, source: Iterator[bytes], size: int) -> _Burst:
    """Sends ``size`` inputs; of several, one more follows that does not count, so that all that do are alike."""
    tick_us = 1e6 / session.hello.tick_hz
    session.stats(reset=True)
    begin = monotonic()
    arrivals, computing_us = [], []
    for result in session.run(islice(source, size + (size > 1))):
        arrivals.append((monotonic() - begin) * 1e6)
        computing_us.append(result.ticks * tick_us)
    filling_us = arrivals[0] - computing_us[0]
    waited_us = session.stats().waiting_ticks * tick_us - filling_us
    return _Burst(
        first_us=arrivals[0],
        periods_us=tuple(after - before for before, after in pairwise(arrivals[:size])),
        computing_us=tuple(computing_us[:size]),
        waiting_us=max(0.0, waited_us / max(1, len(arrivals) - 1)),
    )
