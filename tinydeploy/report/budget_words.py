"""What the budget's reports say in the same words, on a page as in a comment."""

from collections.abc import Iterator, Sequence

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds
from tinydeploy.budget.limits import QUANTITY_NAMES, amount
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import visible
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan


def verdict(report: BudgetReport) -> str:
    """The result in a few words: limits that are not kept come first."""
    if not report.within_limits:
        count = len(report.excesses) + len(report.growths)
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
    return f"{'≈' if milliseconds.source == 'estimated' else ''}{time_text(milliseconds)} ms"


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


def broken_lines(report: BudgetReport) -> Iterator[str]:
    """A sentence for everything because of which the report is not ok, in plain text."""
    yield from (excess.text for excess in report.excesses)
    for change in report.growths:
        yield f"{whose(change)}: {growth_text(change)}, more than is allowed"
    if not report.fits:
        for budget in report.boards:
            if not budget.fits:
                yield f"{budget.plan.board.id}, {budget.plan.engine.engine} engine: {short_text(budget)}"


def short_text(budget: BoardBudget) -> str:
    """By how much it does not fit."""
    missing = (("RAM", budget.ram_free_bytes), ("flash", budget.flash_free_bytes))
    return "does not fit: " + ", ".join(f"{-free:,} B of {name} short" for name, free in missing if free < 0)


def growth_text(change: Change) -> str:
    """What became of a figure, in figures."""
    name = QUANTITY_NAMES[change.quantity]
    if change.before is None or change.now is None:
        known = change.now if change.before is None else change.before
        assert known is not None
        return f"{name} {amount(change.quantity, known)}, {change.kind}"
    share = f", {change.now / change.before - 1:+.1%}" if change.before else ""
    return (
        f"{name} {amount(change.quantity, change.now)}, was {amount(change.quantity, change.before)} "
        f"({change.now - change.before:+,}{share})"
    )


def time_text(time: Milliseconds) -> str:
    """Milliseconds with as many digits as they are good for."""
    if time.low == time.high:
        return f"{time.low:,.1f}" if time.low >= 100 else f"{time.low:.3g}"
    return " to ".join(f"{float(f'{end:.2g}'):,g}" for end in (time.low, time.high))


def whose(change: Change) -> str:
    """The board, the engine and the kernels of a change."""
    return f"{visible(change.board)}, {visible(change.engine)} engine, {visible(change.kernels)} kernels"
