"""The budget as one HTML file that needs nothing else: no network, no fonts, and no script to be read."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from tinydeploy import __version__
from tinydeploy.budget.figures import BoardBudget, Figure
from tinydeploy.budget.memory_groups import MemoryGroup
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import visible
from tinydeploy.model.macs import graph_macs
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
from tinydeploy.report.memory_map import draw_memory_map
from tinydeploy.report.memory_scene import NARROW, WIDE
from tinydeploy.report.picture import inline_svg
from tinydeploy.templates import render_markup


@dataclass(frozen=True, kw_only=True)
class _Use:
    """A part of a bar: ``percent`` of its width, painted with the colour of that number."""

    name: str
    nbytes: int
    percent: float
    colour: int


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """One memory of a board. ``limit_percent`` is where the board's memory ends; None where the bar ends there too."""

    name: str
    used: str
    source: str
    origin: str
    available_bytes: int
    free: str
    fits: bool
    uses: tuple[_Use, ...]
    limit_percent: float | None


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A board with an engine."""

    board: str
    engine: str
    fits: bool
    bars: tuple[_Bar, ...]
    speed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A way in which the model lies in memory."""

    title: str
    boards: str
    peak: str
    wide: Markup
    narrow: Markup
    rows: tuple[LayerRow, ...]
    has_instructions: bool
    ideas: tuple[tuple[str, str, str], ...]
    next_peak: str | None


def budget_html(report: BudgetReport) -> str:
    """The page. Equal reports give equal text."""
    return render_markup(
        "report/budget.html.j2",
        version=__version__,
        model=printable(report.model.name),
        facts=_facts(report),
        ok=report.ok,
        verdict=verdict(report),
        broken=[visible(line) for line in broken_lines(report)],
        refusals=[(visible(r.board), r.engine, visible(r.reason)) for r in report.refusals],
        changes=[(change.is_excess, change_cells(change)) for change in real_changes(report.changes)],
        is_compared=report.changes is not None,
        cards=[_card(budget) for budget in report.boards],
        sections=[_section(group) for group in report.groups],
    )


def _facts(report: BudgetReport) -> tuple[tuple[str, str], ...]:
    graph = report.graph
    return (
        ("layers", f"{len(graph.ops):,}"),
        ("MACs", f"{graph_macs(graph):,}"),
        ("file", f"{len(graph.source):,} B"),
        ("SHA-256", graph.sha256[:12]),
    )


def _card(budget: BoardBudget) -> _Card:
    plan = budget.plan
    speed = [
        ("instructions", figure_text(budget.instructions), budget.instructions),
        ("one inference", milliseconds_text(budget.milliseconds), budget.milliseconds),
    ]
    return _Card(
        board=plan.board.id,
        engine=plan_name(plan),
        fits=budget.fits,
        bars=(
            _bar("RAM", budget.ram, plan.ram.uses, plan.board.ram_bytes),
            _bar("Flash", budget.flash, plan.flash.uses, plan.board.flash_bytes),
        ),
        speed=tuple((f"{name} ({known.source})", text) for name, text, known in speed if known is not None),
    )


def _bar(name: str, figure: Figure, uses: Mapping[str, int], available_bytes: int) -> _Bar:
    """Its parts are the plan's; where the figure is more than them, from a build, the rest is a part too."""
    known = {use: nbytes for use, nbytes in uses.items() if nbytes}
    rest = figure.value - sum(known.values())
    if rest > 0:
        known["other"] = rest
    whole = max(available_bytes, figure.value, sum(known.values()), 1)
    numbers = {use: number for number, use in enumerate((*uses, "other"))}
    return _Bar(
        name=name,
        used=figure_text(figure),
        source=figure.source,
        origin=figure.origin,
        available_bytes=available_bytes,
        free=free_text(available_bytes - figure.value),
        fits=figure.value <= available_bytes,
        uses=tuple(
            _Use(name=use, nbytes=nbytes, percent=100 * nbytes / whole, colour=numbers[use])
            for use, nbytes in known.items()
        ),
        limit_percent=None if whole <= available_bytes else 100 * available_bytes / whole,
    )


def _section(group: MemoryGroup) -> _Section:
    plan, advice = group.plan, group.advice
    rows = layer_rows(group)
    return _Section(
        title=plan_name(plan),
        boards=", ".join(budget.plan.board.id for budget in group.budgets),
        peak=peak_text(plan),
        # What the template of a picture makes is escaped there.
        wide=Markup(inline_svg(draw_memory_map(plan, width=WIDE), style="wide")),  # noqa: S704
        narrow=Markup(inline_svg(draw_memory_map(plan, width=NARROW), style="narrow")),  # noqa: S704
        rows=rows,
        has_instructions=any(row.instructions is not None for row in rows),
        ideas=tuple((f"{idea.saved_bytes:,}", idea.change, idea.cost) for idea in advice.ideas) if advice else (),
        next_peak=advice.next_peak if advice else None,
    )
