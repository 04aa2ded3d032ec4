"""A model made into firmware for one board, once, and no sooner than somebody needs it."""

from collections.abc import Callable
from functools import cached_property

from tinydeploy.boards import find_board
from tinydeploy.building import built_firmware, planned_project, settled
from tinydeploy.deployment import Build, Target
from tinydeploy.integer_model import IntegerModel
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.plan import Plan
from tinydeploy.progress import SILENT, Stopwatch
from tinydeploy.project import FirmwareProject


class Firmware:
    """``source`` for ``target``. What its methods and properties raise is told by those that they call."""

    def __init__(self, source: IntegerModel, target: Target) -> None:
        self.source = source
        self.target = target
        self.watch = Stopwatch(SILENT)
        self._build: Build | None = None

    @property
    def plan(self) -> Plan:
        """How the model runs on the board; that of the firmware that was built, where one was."""
        return self.expected[0] if self._build is None else self._build.plan

    @cached_property
    def expected(self) -> tuple[Plan, FirmwareProject]:
        """The plan and the project with nothing built: enough to know the firmware where it runs already."""
        return planned_project(self.source, self.target, self.watch)

    @property
    def build(self) -> Build:
        """The firmware, built if it was not."""
        if self._build is None:
            self._build = built_firmware(self.source, self.target, self.watch)
        return self._build

    def facts(self) -> dict[str, str | int]:
        """What is known so far, by the names that it has in a report. Nothing is planned or built for that."""
        known: dict[str, str | int] = {"board": find_board(self.target.board).id, "model": self.source.graph.name}
        known["model_sha256"] = self.source.graph.sha256
        if "expected" in self.__dict__ or self._build is not None:
            engine = self.plan.engine
            known |= {"engine": engine.engine, "kernels": engine.kernels, "arena_bytes": engine.arena_reserved_bytes}
        if self._build is not None:
            known |= {"ram_bytes": self.ram_bytes, "flash_bytes": self._build.image.flash_bytes}
        return known

    @property
    def ram_bytes(self) -> int:
        """All RAM that it takes."""
        return self.build.image.ram_bytes + self.plan.board.stack_beside_elf_bytes

    def settle(self, port: Callable[[], str | None], log: FrameLog) -> Build:
        """The firmware; where its arena is only estimated, the board at ``port()`` is asked for its size first."""
        if self.build.plan.engine.arena_estimated is not None:
            self._build = settled(self.source, self.target, self.watch, port=port(), log=log)
        return self.build
