"""Boards on which a model lies in memory in the same way: what is said of one holds for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinydeploy.budget.figures import BoardBudget
from tinydeploy.budget.what_if import WhatIf, next_peak, what_if
from tinydeploy.memory.memory_map import MemoryMap
from tinydeploy.plan import Plan, Replan


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What would make the RAM smaller, the most first, and how much there is to be gained at the peak alone."""

    ideas: tuple[WhatIf, ...]
    next_peak: str | None


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
    groups: dict[tuple[str, str, MemoryMap], list[BoardBudget]] = {}
    for budget in budgets:
        engine = budget.plan.engine
        groups.setdefault((engine.engine, engine.kernels, engine.memory), []).append(budget)
    return tuple(
        MemoryGroup(budgets=tuple(found), advice=advise(found[0].plan) if advise else None) for found in groups.values()
    )


def advice(plan: Plan, *, replan: Replan, replan_for_ram: Replan | None = None) -> Advice:
    """What `what_if` and `next_peak` have to say; it takes up to some seconds, for a plan of the aot engine."""
    return Advice(
        ideas=what_if(plan, replan=replan, replan_for_ram=replan_for_ram),
        next_peak=next_peak(plan),
    )
