"""All that a budget has to say: the boards, the limits that are not kept, and what changed since an earlier one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinydeploy.budget.advice import Advice
from tinydeploy.budget.baseline import Baseline, Change, changes
from tinydeploy.budget.figures import BoardBudget
from tinydeploy.budget.limits import Excess, Limits, excesses
from tinydeploy.budget.memory_groups import MemoryGroup, memory_groups
from tinydeploy.integer_model import IntegerModel
from tinydeploy.model.graph import Graph
from tinydeploy.plan import Plan
from tinydeploy.planning import Refusal


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a budget has to keep: limits, and ``against`` an earlier budget not to grow by more than a share."""

    limits: Limits = field(default_factory=Limits)
    against: Baseline | None = None
    growth: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetReport:
    """What one model takes of some boards.

    ``groups`` are the boards by how the model lies in their memory. ``excesses`` are the limits that are not kept,
    ``changes`` what differs from an earlier budget, None where there is none to compare with. ``must_fit`` says that
    the boards were asked for by name.
    """

    model: Path
    graph: Graph
    boards: tuple[BoardBudget, ...]
    groups: tuple[MemoryGroup, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    excesses: tuple[Excess, ...] = ()
    changes: tuple[Change, ...] | None = None
    must_fit: bool = False

    @property
    def growths(self) -> tuple[Change, ...]:
        """The figures that grew by more than they may."""
        return tuple(change for change in self.changes or () if change.is_excess)

    @property
    def fits(self) -> bool:
        """Whether it fits wherever it has to: on a board that was asked for, with one of the engines."""
        fitting = {budget.plan.board.id for budget in self.boards if budget.fits}
        return not self.must_fit or all(budget.plan.board.id in fitting for budget in self.boards)

    @property
    def within_limits(self) -> bool:
        """Whether all limits are kept, that on growth included."""
        return not self.excesses and not self.growths

    @property
    def ok(self) -> bool:
        """Whether it fits wherever it has to, within all limits."""
        return self.fits and self.within_limits


def budget_report(
    model: IntegerModel,
    boards: Sequence[BoardBudget],
    refusals: Sequence[Refusal],
    demands: Demands,
    *,
    must_fit: bool,
    advise: Callable[[Plan], Advice] | None,
) -> BudgetReport:
    """Holds what is known of the boards against what is asked for; ``advise`` tells what would save RAM."""
    return BudgetReport(
        model=model.path,
        graph=model.graph,
        boards=tuple(boards),
        groups=memory_groups(boards, advise),
        refusals=tuple(refusals),
        excesses=excesses(boards, demands.limits),
        changes=None if demands.against is None else changes(boards, demands.against, growth=demands.growth),
        must_fit=must_fit,
    )
