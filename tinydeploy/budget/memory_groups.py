"""Boards on which a model lies in memory in the same way: what is said of one holds for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinydeploy.budget.advice import Advice
from tinydeploy.budget.figures import BoardBudget
from tinydeploy.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryGroup:
    """Budgets with the same memory map, engine and kernels. ``advice`` is about the first; None without any."""

    budgets: tuple[BoardBudget, ...]
    advice: Advice | None

    @property
    def plan(self) -> Plan:
        """The plan that stands for all."""
        return self.budgets[0].plan


def memory_groups(
    budgets: Sequence[BoardBudget], advise: Callable[[Plan], Advice] | None = None
) -> tuple[MemoryGroup, ...]:
    """The budgets by how memory is laid out, in the order of their first boards."""
    groups: dict[object, list[BoardBudget]] = {}
    for budget in budgets:
        engine = budget.plan.engine
        groups.setdefault((engine.engine, engine.kernels, engine.memory), []).append(budget)
    return tuple(
        MemoryGroup(budgets=tuple(found), advice=advise(found[0].plan) if advise else None) for found in groups.values()
    )
