"""Budgets of real plans with figures of the test's choice, for tests of what is made of them."""

from pathlib import Path

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds
from tinydeploy.budget.limits import Limits, excesses
from tinydeploy.budget.memory_groups import memory_groups
from tinydeploy.budget.report import BudgetReport
from tinydeploy.planning import Refusal, Targets, plan_all


def budget_of(plan, **changed):
    """RAM and flash as the plan has them; ``changed`` are other fields."""
    return BoardBudget(
        plan=plan,
        **{
            "arena": Figure(value=plan.engine.arena_reserved_bytes, source="exact"),
            "ram": Figure(value=plan.ram.used_bytes, source="estimated", origin="within 5 % of the ELF"),
            "flash": Figure(value=plan.flash.used_bytes, source="measured", origin="tinydeploy.lock"),
            "instructions": Figure(value=12_345_678, source="estimated"),
            "layer_instructions": tuple(1_000 * op.index + 77 for op in plan.graph.ops),
            "milliseconds": Milliseconds(low=9.5, high=12, source="estimated", origin="published figures"),
            **changed,
        },
    )


def report_of(
    graph, *, boards=("qemu-cortex-m4", "nano33ble", "microbit"), engine="both", limit=None, advise=None, **changed
):
    """``limit`` is of the arena, in bytes; ``changed`` are other fields of the report."""
    plans, refusals = plan_all(graph, Targets(boards=boards, engine=engine))
    budgets = tuple(budget_of(plan) for plan in plans)
    fields = {
        "groups": memory_groups(budgets, advise),
        "refusals": (*refusals, Refusal(board="some-board", engine="aot", reason="op 3 FFT: not supported")),
        "excesses": excesses(budgets, Limits(most={"arena": limit})) if limit else (),
        "changes": tuple(
            Change(
                board=budget.plan.board.id,
                engine=budget.plan.engine.engine,
                kernels=budget.plan.engine.kernels,
                quantity="ram",
                before=budget.ram.value - 1_200 * (number % 3),
                now=budget.ram.value,
                is_excess=number % 3 == 1,
            )
            for number, budget in enumerate(budgets)
        ),
        **changed,
    }
    return BudgetReport(model=Path(graph.name), graph=graph, boards=budgets, **fields)
