"""All that a budget has to say: the boards, the limits that are not kept, and what changed since an earlier one."""

from dataclasses import dataclass
from pathlib import Path

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget
from tinydeploy.budget.limits import Excess
from tinydeploy.model.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A board and an engine that can not run the model at all, and why."""

    board: str
    engine: str
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetReport:
    """What one model takes of some boards.

    ``excesses`` are the limits that are not kept, ``changes`` what differs from an earlier budget, None where there is
    none to compare with. ``must_fit`` says that the boards were asked for by name.
    """

    model: Path
    graph: Graph
    boards: tuple[BoardBudget, ...]
    refusals: tuple[Refusal, ...] = ()
    excesses: tuple[Excess, ...] = ()
    changes: tuple[Change, ...] | None = None
    must_fit: bool = False

    @property
    def fits(self) -> bool:
        """Whether it fits wherever it has to."""
        return not self.must_fit or all(budget.fits for budget in self.boards)

    @property
    def ok(self) -> bool:
        """Whether it fits wherever it has to, within all limits."""
        return self.fits and not self.excesses
