"""Boards on which a model lies in memory in the same way: what is said of one holds for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tinydeploy.budget.figures import BoardBudget
from tinydeploy.budget.what_if import WhatIf, next_peak, what_if
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.plan import Plan, Replan
from tinydeploy.planning import planner


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
    groups: dict[object, list[BoardBudget]] = {}
    for budget in budgets:
        engine = budget.plan.engine
        groups.setdefault((engine.engine, engine.kernels, engine.memory), []).append(budget)
    return tuple(
        MemoryGroup(budgets=tuple(found), advice=advise(found[0].plan) if advise else None) for found in groups.values()
    )


def advise(plan: Plan) -> Advice:
    """What `what_if` and `next_peak` have to say of a plan; for one of the aot engine it takes a second or two.

    The other engine is planned with the board's own library, and without what boards have reported.
    """
    engine = plan.engine
    settings = EngineSettings(kernels=engine.kernels if engine.engine == "aot" else None, optimize=engine.optimize)
    for_ram = _replan(plan, replace(settings, optimize="ram"))
    can_be_for_ram = engine.engine == "aot" and engine.optimize != "ram"
    return Advice(
        ideas=what_if(plan, replan=_replan(plan, settings), replan_for_ram=for_ram if can_be_for_ram else None),
        next_peak=next_peak(plan),
    )


def _replan(plan: Plan, settings: EngineSettings) -> Replan:
    return planner(plan.graph, buffers=plan.buffers, settings=settings, shared=True)
