"""A budget as a file: a page, a picture, or a comment for a pull request."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinydeploy.budget.memory_groups import advise, memory_groups
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import UsageError
from tinydeploy.files import require_place, write_file


def require_report(path: Path) -> None:
    """Tells before the work that there will be no such file.

    Raises:
        UsageError: It has another ending, or its place cannot be written to.
    """
    if path.suffix.lower() not in _KINDS:
        raise UsageError(
            f"a report is no {path.suffix or 'file without an ending'}: {path}",
            hint="end its name in .html (a page), .svg (the memory map alone) or .md (for a pull request)",
        )
    require_place(path)


def write_report(report: BudgetReport, path: Path) -> None:
    """Writes the report in the form that the file's ending asks for."""
    write_file(path, _KINDS[path.suffix.lower()](report).encode())


def _page(report: BudgetReport) -> str:
    from tinydeploy.report.budget_html import budget_html

    return budget_html(report, memory_groups(report.boards, advise))


def _picture(report: BudgetReport) -> str:
    from tinydeploy.report.memory_map import memory_maps_svg

    return memory_maps_svg([group.plan for group in memory_groups(report.boards)])


def _comment(report: BudgetReport) -> str:
    from tinydeploy.report.budget_markdown import budget_markdown

    return budget_markdown(report, memory_groups(report.boards, advise))


_KINDS: Mapping[str, Callable[[BudgetReport], str]] = {".html": _page, ".svg": _picture, ".md": _comment}
