"""What the stages of a deployment tell about themselves while they run, and how long they take."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from tinydeploy.plan import Plan

if TYPE_CHECKING:
    from tinydeploy.convert.conversion import Conversion


class Progress(Protocol):
    """Somebody who watches a deployment."""

    def stage(self, name: str) -> None:
        """The stage of this name begins: read, quantize, measure, plan, generate, build, flash, and so on."""

    def converted(self, conversion: "Conversion") -> None:
        """The model was not integer, and is now."""

    def planned(self, plan: Plan) -> None:
        """The plan is made, and it fits."""

    def step(self, done: int, total: int) -> None:
        """So much of the current stage is done."""

    def line(self, text: str) -> None:
        """A line of output of another program."""


class _Silent:
    def stage(self, name: str) -> None:
        """Nobody watches."""

    def converted(self, conversion: "Conversion") -> None:
        """Nobody watches."""

    def planned(self, plan: Plan) -> None:
        """Nobody watches."""

    def step(self, done: int, total: int) -> None:
        """Nobody watches."""

    def line(self, text: str) -> None:
        """Nobody watches."""


SILENT: Progress = _Silent()


class Stopwatch:
    """Takes the time of each stage, and passes on to ``progress`` what happens.

    ``seconds`` has the stages by name, in their order, and the ``total`` since the watch was made, which has
    what is between stages too.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begin = monotonic()
        self._stages: dict[str, float] = {}
        self.converted = progress.converted
        self.planned = progress.planned
        self.step = progress.step
        self.line = progress.line

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block is one stage."""
        self._progress.stage(name)
        begin = monotonic()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + monotonic() - begin

    @property
    def seconds(self) -> dict[str, float]:
        """What has been taken so far."""
        return {**self._stages, "total": monotonic() - self._begin}
