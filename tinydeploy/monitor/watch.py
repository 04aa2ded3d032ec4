"""A session that is kept busy and looked at: inputs in bursts, and between two bursts the device's counters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from tinydeploy.boards import Board, load_boards
from tinydeploy.errors import UsageError, WrongFirmwareError
from tinydeploy.link.hello import Hello
from tinydeploy.link.results import InferenceResult
from tinydeploy.link.session import Session
from tinydeploy.monitor.record import Comparison, as_line, header_of, line_of
from tinydeploy.monitor.snapshot import Score, Snapshot, Tally, Unit, best_classes
from tinydeploy.verify.wire import unpack_tensor

if TYPE_CHECKING:
    from tinydeploy.link.messages import Stats

_BURST_S = 0.5
"""How long a burst is to last. STATS is asked behind it, when nothing is under way: that is one exchange of two small
frames, and the device waits that long for an input that it would have had."""

_MOST_IN_A_BURST = 4096
_LOOK_S = 0.25
"""How often there is a snapshot within a burst, at most."""


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What a monitor does.

    It ends after ``seconds`` or ``inferences``, or, where both are None, by Ctrl-C, which ends it in either case.
    ``labels`` are the names of the first output's classes, ``top`` how many of them are told. ``on_snapshot`` is called
    a few times a second and at the end, ``write`` with each line of a record.
    """

    samples: Sequence[bytes] = ()
    seconds: float | None = None
    inferences: int | None = None
    labels: Sequence[str] | None = None
    top: int = 3
    on_snapshot: Callable[[Snapshot], None] = lambda _: None
    write: Callable[[bytes], None] | None = None


def unit_of(board: Board | None) -> Unit:
    """Virtual boards count instructions."""
    return "instructions" if board is not None and board.is_virtual else "us"


def board_that_answers(hello: Hello, given: Board | None) -> Board | None:
    """The board that the firmware was made for; the one that was given where it has a file of its own, if any was."""
    if given is not None and given.id == hello.board:
        return given
    return next((board for board in load_boards() if board.id == hello.board), None)


def require_model(hello: Hello, sha256: str) -> None:
    """Raises WrongFirmwareError where the device runs another model."""
    if hello.model_sha256 != sha256:
        raise WrongFirmwareError(
            f"the {hello.board} runs another model",
            where={"runs": hello.model_sha256, "given": sha256},
            hint="leave out MODEL to watch what it runs, or flash this one first",
        )


def read_labels(path: Path) -> tuple[str, ...]:
    """The names of classes, one in each line; empty lines at the end are none.

    Raises:
        UsageError: The file cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}", hint="give a text file with a class in each line") from error
    return tuple(line.strip() for line in text.rstrip().splitlines())


def require_labels(hello: Hello, labels: Sequence[str]) -> None:
    """Raises UsageError where there are not as many names as the first output has values."""
    shape = hello.outputs[0].shape
    classes = int(np.prod(shape))
    if classes != len(labels):
        raise UsageError(
            f"there are {len(labels):,} labels, but the first output has {classes:,} values",
            where={"output": f"{hello.outputs[0].name} {'x'.join(map(str, shape))}"},
            hint="give a file with a class in each line, in the order of the output",
        )


class Watch:
    """One run: `run` goes on until it ends, and returns the last snapshot."""

    def __init__(
        self, session: Session, watching: Watching, board: Board | None, comparison: Comparison | None
    ) -> None:
        self._session = session
        self._watching = watching
        self._board = board
        self._comparison = comparison
        self._tally = Tally()
        self._top: tuple[Score, ...] = ()
        self._begin = self._looked = 0.0
        self._stats: Stats | None = None

    def run(self) -> Snapshot:
        """Raises what `Session.run` raises, but no KeyboardInterrupt: that is one of the ways to end it."""
        session, watching = self._session, self._watching
        if watching.labels is not None:
            require_labels(session.hello, watching.labels)
        session.stats(reset=True)
        self._traffic = session.traffic()
        self._stats = session.stats()
        if watching.write is not None:
            watching.write(as_line(header_of(session.hello, list(watching.samples), unit_of(self._board))))
        self._begin = monotonic()
        try:
            self._bursts()
        except KeyboardInterrupt:
            pass
        else:
            self._stats = session.stats()
        last = self._snapshot()
        watching.on_snapshot(last)
        return last

    def _bursts(self) -> None:
        source, size = cycle(self._watching.samples), 2
        while not self._is_over():
            begin = monotonic()
            left = self._left()
            burst = size if left is None else min(size, left)
            for result in self._session.run(islice(source, burst)):
                self._add(result)
            taken_s = max(monotonic() - begin, 1e-6)
            self._stats = self._session.stats()
            size = max(2, min(_MOST_IN_A_BURST, 4 * size, int(burst * _BURST_S / taken_s)))

    def _is_over(self) -> bool:
        seconds = self._watching.seconds
        return self._left() == 0 or (seconds is not None and monotonic() - self._begin >= seconds)

    def _left(self) -> int | None:
        wanted = self._watching.inferences
        return None if wanted is None else max(0, wanted - self._tally.inferences)

    def _add(self, result: InferenceResult) -> None:
        now, number = monotonic(), self._tally.inferences
        at_s, latency = now - self._begin, self._latency(result.ticks)
        self._tally.add(latency, at_s)
        if self._comparison is not None:
            self._comparison.add(number, result.output)
        if self._watching.write is not None:
            sample = number % len(self._watching.samples)
            self._watching.write(as_line(line_of(number, sample, result.output, latency, at_s)))
        if now - self._looked >= _LOOK_S or number == 0 or self._left() == 0:
            self._looked = now
            self._top = self._classes(result.output)
            self._watching.on_snapshot(self._snapshot())

    def _latency(self, ticks: int) -> float:
        if self._board is not None and self._board.is_virtual:
            return self._board.instructions(ticks)
        return ticks * 1e6 / self._session.hello.tick_hz

    def _classes(self, output: bytes) -> tuple[Score, ...]:
        spec = self._session.hello.outputs[0]
        return best_classes(
            unpack_tensor(output, spec),
            spec.quantization,
            names=self._watching.labels,
            count=self._watching.top,
        )

    def _snapshot(self) -> Snapshot:
        assert self._stats is not None
        return Snapshot(
            hello=self._session.hello,
            seconds=monotonic() - self._begin,
            inferences=self._tally.inferences,
            per_second=self._tally.per_second(),
            unit=unit_of(self._board),
            latency=self._tally.histogram.distribution(),
            stats=self._stats,
            traffic=self._session.traffic().since(self._traffic),
            top=self._top,
            against=self._comparison.against() if self._comparison else None,
        )
