"""What a model takes of a board with an engine: figures, each with where it is from."""

from dataclasses import dataclass
from typing import Literal

from tinydeploy.plan import Plan

Source = Literal["exact", "measured", "estimated"]
"""Computed from the model, or read from a firmware that was built; told by a board in an earlier run; or only near."""

Quantity = Literal["arena", "ram", "flash", "instructions"]
"""What limits can be set on, and what is compared with an earlier budget: bytes, and instructions of one inference."""

QUANTITIES: tuple[Quantity, ...] = ("arena", "ram", "flash", "instructions")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of bytes or instructions. ``origin`` says in a few words where it is from: a file, or how good it is."""

    value: int
    source: Source
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class Milliseconds:
    """What one inference takes on a real board, from ``low`` to ``high``; the same where a board has measured it."""

    low: float
    high: float
    source: Source
    origin: str


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardBudget:
    """What a model takes of one board with one engine.

    ``ram`` and ``flash`` are all of it: with stack, buffers and framework, with code. ``layer_instructions`` has the
    share of each op of ``plan.graph``. None stands for what nobody knows.
    """

    plan: Plan
    arena: Figure
    ram: Figure
    flash: Figure
    instructions: Figure | None = None
    layer_instructions: tuple[int, ...] | None = None
    milliseconds: Milliseconds | None = None

    @property
    def ram_free_bytes(self) -> int:
        """RAM of the board that is left; negative by as much as is missing."""
        return self.plan.board.ram_bytes - self.ram.value

    @property
    def flash_free_bytes(self) -> int:
        """Flash of the board that is left; negative by as much as is missing."""
        return self.plan.board.flash_bytes - self.flash.value

    @property
    def fits(self) -> bool:
        """Whether RAM and flash suffice."""
        return self.ram_free_bytes >= 0 and self.flash_free_bytes >= 0

    def figure(self, quantity: Quantity) -> Figure | None:
        """One of the figures by its name; None where it is not known."""
        return {"arena": self.arena, "ram": self.ram, "flash": self.flash, "instructions": self.instructions}[quantity]
