"""A budget as text for people and as values for JSON."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds, Source
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import visible
from tinydeploy.model.macs import graph_macs
from tinydeploy.model.text import printable
from tinydeploy.report.budget_words import broken_lines, growth_text, time_text, whose
from tinydeploy.report.plan import board_notes, model_json, plan_json
from tinydeploy.report.values import Json

MARKS: Mapping[Source, str] = {"exact": "", "measured": "*", "estimated": "~"}
"""What stands before a figure: nothing before exact ones."""


def budget_text(report: BudgetReport) -> RenderableType:
    """What is broken first; then a row for each board and engine, where the figures are from, and what changed."""
    parts: list[RenderableType] = [*_broken(report), _heading(report), "", _table(report.boards)]
    parts += ["", *_notes(report)]
    if report.changes is not None:
        parts += ["", *_changes(report.changes)]
    return Group(*parts)


def budget_json(report: BudgetReport) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": report.ok,
        "model": model_json(report.model, report.graph),
        "boards": [_board_json(budget) for budget in report.boards],
        "refused": [
            {"board": refusal.board, "engine": refusal.engine, "reason": refusal.reason} for refusal in report.refusals
        ],
        "exceeded": [
            {
                "board": excess.board,
                "engine": excess.engine,
                "quantity": excess.quantity,
                "value": excess.value,
                "limit": excess.limit,
            }
            for excess in report.excesses
        ],
        "changes": None if report.changes is None else [_change_json(change) for change in report.changes],
    }


def _broken(report: BudgetReport) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(line, "bold red") for line in broken_lines(report)]
    return [*lines, ""] if lines else []


def _heading(report: BudgetReport) -> Text:
    graph = report.graph
    constants = sum(tensor.nbytes for tensor in graph.tensors if tensor.is_constant)
    layers = f"{len(graph.ops)} layer{'' if len(graph.ops) == 1 else 's'}"
    return Text.assemble(
        (printable(graph.name), "bold"),
        f": {graph_macs(graph):,} multiply-accumulates, {layers}, {constants:,} B of constants",
    )


def _table(budgets: Sequence[BoardBudget]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("board")
    table.add_column("engine")
    timed = any(budget.milliseconds for budget in budgets)
    headings = ["arena B", "RAM B", "free", "flash B", "free", "instructions", *(["ms"] if timed else [])]
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("")
    for budget in budgets:
        plan, time = budget.plan, budget.milliseconds
        table.add_row(
            plan.board.id,
            f"{plan.engine.engine}, {plan.engine.kernels}",
            _marked(budget.arena),
            _marked(budget.ram),
            f"{budget.ram_free_bytes:,}",
            _marked(budget.flash),
            f"{budget.flash_free_bytes:,}",
            _marked(budget.instructions),
            *([f"{MARKS[time.source]}{time_text(time)}" if time else ""] if timed else []),
            Text("fits", "green") if budget.fits else Text("does not fit", "red"),
        )
    return table


def _marked(figure: Figure | None) -> str:
    return "" if figure is None else f"{MARKS[figure.source]}{figure.value:,}"


def _notes(report: BudgetReport) -> Iterator[str]:
    """What the marks mean, where the figures are from, and who refused: each with the boards that it is about."""
    if any(figure.source == "estimated" for budget in report.boards for _, figure in _figures(budget)):
        yield "~ is estimated, * was measured before; RAM and flash are read from the firmware with --build"
    notes: dict[str, list[str]] = {}
    for budget in report.boards:
        board = budget.plan.board.id
        for name, figure in _figures(budget):
            if figure.source == "measured":
                notes.setdefault(f"measured   in {figure.origin}", []).append(board)
            elif figure.source == "estimated" and figure.origin:
                notes.setdefault(f"estimated  {name} ({figure.origin})", []).append(board)
    for refusal in report.refusals:
        notes.setdefault(f"not with {refusal.engine}  {visible(refusal.reason)}", []).append(refusal.board)
    yield from (f"{note}: {', '.join(dict.fromkeys(boards))}" for note, boards in notes.items())
    yield from board_notes([budget.plan for budget in report.boards])


def _figures(budget: BoardBudget) -> Iterator[tuple[str, Figure | Milliseconds]]:
    yield from (("RAM", budget.ram), ("flash", budget.flash))
    if budget.instructions:
        yield "instructions", budget.instructions
    if budget.milliseconds:
        yield "ms", budget.milliseconds


def _changes(changes: Sequence[Change]) -> Iterator[RenderableType]:
    moved = [change for change in changes if change.kind != "same"]
    if not moved:
        yield "as in the earlier budget"
        return
    yield Text("changed since the earlier budget", "bold")
    for change in moved:
        style = "red" if change.is_excess else "green" if change.kind == "shrank" else ""
        yield Text(f"  {whose(change)}: {growth_text(change)}", style)


def _board_json(budget: BoardBudget) -> dict[str, Json]:
    plan, time = budget.plan, budget.milliseconds
    ram, flash, instructions = budget.ram, budget.flash, budget.instructions
    return {
        **plan_json(plan),
        "fits": budget.fits,
        "arena_reserved_bytes": budget.arena.value,
        "ram_bytes": ram.value,
        "ram_free_bytes": budget.ram_free_bytes,
        "ram_source": ram.source,
        "flash_bytes": flash.value,
        "flash_free_bytes": budget.flash_free_bytes,
        "flash_source": flash.source,
        "ram_uses": dict(plan.ram.uses),
        "flash_uses": dict(plan.flash.uses),
        "instructions": instructions.value if instructions else None,
        "instructions_source": instructions.source if instructions else None,
        "layer_instructions": list(budget.layer_instructions) if budget.layer_instructions else None,
        "milliseconds": None
        if time is None
        else {"low": time.low, "high": time.high, "source": time.source, "origin": time.origin},
    }


def _change_json(change: Change) -> dict[str, Json]:
    return {
        "board": change.board,
        "engine": change.engine,
        "kernels": change.kernels,
        "quantity": change.quantity,
        "before": change.before,
        "now": change.now,
        "kind": change.kind,
        "exceeded": change.is_excess,
    }
