"""The budget as a comment on a pull request: the verdict first, then what broke, the boards, and the rest folded.

It is GitHub's Markdown. What comes from a model or a file is made printable, and neither links, mentions nor formats.
"""

import html
from collections.abc import Iterable, Iterator, Sequence

from tinydeploy.budget.figures import BoardBudget
from tinydeploy.budget.memory_groups import MemoryGroup
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import visible
from tinydeploy.model.text import printable
from tinydeploy.report.budget_layers import LayerRow, layer_rows
from tinydeploy.report.budget_words import (
    broken_lines,
    change_cells,
    figure_text,
    free_text,
    milliseconds_text,
    peak_text,
    plan_name,
    real_changes,
    verdict,
)

_LAYERS = 40
"""Most layers of a table: a comment may have 65,536 characters, with several ways to lay out the memory."""

_BAR = 10
"""Characters of a bar."""


def budget_markdown(report: BudgetReport) -> str:
    """The comment. Equal reports give equal text."""
    parts = [
        f"### {'✅' if report.ok else '❌'} {_safe(printable(report.model.name))}: {verdict(report)}",
        "\n".join(f"- **{_safe(line)}**" for line in broken_lines(report)),
        _boards(report.boards),
        "\n".join(f"- {r.board}, {r.engine}: cannot run: {_safe(r.reason)}" for r in report.refusals),
        _changes(report),
        *(_memory(group) for group in report.groups),
        "<sub>≈ stands before what is only estimated.</sub>" if _has_estimates(report) else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _boards(budgets: Sequence[BoardBudget]) -> str:
    """A row for each board and engine; what nobody knows of any has no column."""
    headings = ["board", "engine", "", "arena, B", "RAM, B", "", "flash, B", ""]
    extra = [
        name
        for name, is_known in (
            ("instructions", any(budget.instructions for budget in budgets)),
            ("one inference", any(budget.milliseconds for budget in budgets)),
        )
        if is_known
    ]
    rows = []
    for budget in budgets:
        known = {
            "instructions": figure_text(budget.instructions),
            "one inference": milliseconds_text(budget.milliseconds),
        }
        rows.append(
            (
                budget.plan.board.id,
                budget.plan.engine.engine,
                "fits" if budget.fits else "**does not fit**",
                figure_text(budget.arena),
                figure_text(budget.ram),
                _free(budget.ram_free_bytes),
                figure_text(budget.flash),
                _free(budget.flash_free_bytes),
                *(known[name] for name in extra),
            )
        )
    return _table([*headings, *extra], 3, rows)


def _free(free_bytes: int) -> str:
    return free_text(free_bytes) if free_bytes >= 0 else f"**{free_text(free_bytes)}**"


def _changes(report: BudgetReport) -> str:
    if report.changes is None:
        return ""
    changed = real_changes(report.changes)
    if not changed:
        return "Nothing has changed since the earlier budget."
    rows = []
    for change in changed:
        board, what, before, now, difference = change_cells(change)
        rows.append((_safe(board), what, before, now, f"**{difference}**" if change.is_excess else difference))
    return "#### Since the earlier budget\n\n" + _table(["", "", "before", "now", "difference"], 2, rows)


def _memory(group: MemoryGroup) -> str:
    """Layers and advice, folded."""
    plan = group.plan
    boards = ", ".join(budget.plan.board.id for budget in group.budgets)
    lines = [
        "<details>",
        f"<summary>What eats the memory: {plan_name(plan)} on {boards}: {_safe(peak_text(plan))}</summary>",
        "",
        *_ideas(group),
        _layers(layer_rows(group)),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def _ideas(group: MemoryGroup) -> Iterator[str]:
    if group.advice is None:
        return
    for idea in group.advice.ideas:
        yield f"- **{-idea.saved_bytes:,} B** if {_safe(idea.change)} ({_safe(idea.cost)})"
    if group.advice.next_peak:
        yield f"- At the peak alone: {_safe(group.advice.next_peak)}"
    yield ""


def _layers(rows: Sequence[LayerRow]) -> str:
    """The layers; of very many only those with most in the arena, in their order."""
    shown = rows
    if len(rows) > _LAYERS:
        fullest = sorted(rows, key=lambda row: -row.arena_bytes)[:_LAYERS]
        shown = sorted(fullest, key=lambda row: row.op)
    headings = ["layer", "", "output", "arena, B", "scratch, B", "constants, B", "MACs"]
    has_instructions = any(row.instructions is not None for row in rows)
    cells = []
    for row in shown:
        name = f"{row.op} {_safe(row.kind)}"
        figures = [row.arena_bytes, row.scratch_bytes, row.constant_bytes, row.macs]
        if has_instructions:
            figures.append(row.instructions or 0)
        bar = "█" * round(_BAR * row.share)
        cells.append(
            (f"**{name}** (peak)" if row.is_peak else name, bar, row.shape, *(f"{figure:,}" for figure in figures))
        )
    table = _table([*headings, *(["instructions"] if has_instructions else [])], 3, cells)
    if len(shown) < len(rows):
        table += f"\n\nThese are the {len(shown)} layers of {len(rows)} with most in the arena."
    return table


def _table(headings: Sequence[str], words: int, rows: Iterable[Sequence[str]]) -> str:
    """The first ``words`` columns are words, the others figures."""
    rules = [":--" if column < words else "--:" for column in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))


def _has_estimates(report: BudgetReport) -> bool:
    return any(
        figure is not None and figure.source == "estimated"
        for b in report.boards
        for figure in (b.arena, b.ram, b.flash, b.instructions, b.milliseconds)
    )


def _safe(text: str) -> str:
    """Text that is only text: it formats nothing, links nowhere, mentions nobody and ends no cell of a table."""
    shown = html.escape(visible(text), quote=False)
    for mark in "\\`*|[]@~":
        shown = shown.replace(mark, f"&#{ord(mark)};")
    return shown.replace("://", "&#58;//").replace("www.", "www&#46;")
