"""What the budget's reports say in the same words, on a page as in a comment."""

from collections.abc import Sequence

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds
from tinydeploy.budget.limits import QUANTITY_NAMES
from tinydeploy.budget.report import BudgetReport
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan


def verdict(report: BudgetReport) -> str:
    """The result in a few words: limits that are not kept come first."""
    if report.excesses:
        count = len(report.excesses)
        return f"{count} limit{'s are' if count > 1 else ' is'} not kept"
    fitting = sum(budget.fits for budget in report.boards)
    every = len(report.boards) + len(report.refusals)
    if every == 1:
        return "fits" if fitting else "does not fit"
    if fitting == every:
        return "fits on all of them"
    return f"fits on {fitting} of {every}" if fitting else "fits on none of them"


def figure_text(figure: Figure | None) -> str:
    """A figure; ``≈`` before one that is only near, nothing where nobody knows."""
    return "" if figure is None else f"{'≈' if figure.source == 'estimated' else ''}{figure.value:,}"


def free_text(free_bytes: int) -> str:
    """What is left, or missing."""
    return f"{free_bytes:,} B free" if free_bytes >= 0 else f"{-free_bytes:,} B short"


def milliseconds_text(milliseconds: Milliseconds | None) -> str:
    """``12`` or ``9.5 to 12`` ms; nothing where nobody knows."""
    if milliseconds is None:
        return ""
    low, high = f"{milliseconds.low:.3g}", f"{milliseconds.high:.3g}"
    about = "≈" if milliseconds.source == "estimated" else ""
    return f"{about}{low} ms" if low == high else f"{about}{low} to {high} ms"


def budget_name(budget: BoardBudget) -> str:
    """Board and engine."""
    return f"{budget.plan.board.id}, {budget.plan.engine.engine}"


def plan_name(plan: Plan) -> str:
    """Engine and kernels."""
    return f"{plan.engine.engine} engine, {plan.engine.kernels} kernels"


def peak_text(plan: Plan) -> str:
    """How large the arena is, and where it is fullest."""
    peak = plan.engine.peak
    if peak is None:
        return "nothing is kept in the arena"
    op = plan.graph.ops[peak.op]
    return f"arena {plan.engine.arena_reserved_bytes:,} B, fullest at op {op.index} {printable(op.kind)}"


def real_changes(changes: Sequence[Change] | None) -> tuple[Change, ...]:
    """What is not as it was, what grew too much first."""
    return tuple(sorted((c for c in changes or () if c.kind != "same"), key=lambda change: not change.is_excess))


def change_cells(change: Change) -> tuple[str, str, str, str, str]:
    """Board and engine, what it is, before, now, difference."""
    before, now = change.before, change.now
    difference = f"{now - before:+,}" if before is not None and now is not None else change.kind
    if before and now is not None:
        difference += f" ({(now - before) / before:+.1%})"
    return (
        f"{change.board}, {change.engine}",
        QUANTITY_NAMES[change.quantity],
        "" if before is None else f"{before:,}",
        "" if now is None else f"{now:,}",
        difference,
    )
