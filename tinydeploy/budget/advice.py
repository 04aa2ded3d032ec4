"""What would make a model's RAM smaller, for every plan that one has been made for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinydeploy.budget.what_if import WhatIf, next_peak, what_if
from tinydeploy.model.graph import Graph
from tinydeploy.plan import Plan
from tinydeploy.planning import Targets, planner, with_measured


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What would make the RAM smaller, the most first, and how much there is to be gained at the peak alone."""

    ideas: tuple[WhatIf, ...]
    next_peak: str | None


def adviser(graph: Graph, targets: Targets) -> Callable[[Plan], Advice]:
    """What gives advice about a plan of these targets: it plans again, with the other engine and for the least RAM."""
    settings = with_measured(targets.settings, graph, targets.lock)
    replan = planner(graph, buffers=targets.buffers, settings=settings, shared=True)
    for_ram = planner(graph, buffers=targets.buffers, settings=replace(settings, optimize="ram"), shared=True)

    def advise(plan: Plan) -> Advice:
        may_be_smaller = plan.engine.engine == "aot" and settings.optimize != "ram"
        ideas = what_if(plan, replan=replan, replan_for_ram=for_ram if may_be_smaller else None)
        return Advice(ideas=ideas, next_peak=next_peak(plan))

    return advise
