"""A budget as a file: a page, a picture, or a comment for a pull request."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import UsageError
from tinydeploy.files import require_place, write_file
from tinydeploy.report.budget_html import budget_html
from tinydeploy.report.budget_markdown import budget_markdown
from tinydeploy.report.memory_map import memory_maps_svg


def require_report(path: Path) -> None:
    """Tells before the work that there will be no such file.

    Raises:
        UsageError: It has another ending, or its place cannot be written to.
    """
    if path.suffix.lower() not in _KINDS:
        raise UsageError(
            f"a report is no {path.suffix or 'file without an ending'}: {path}",
            hint="end its name in .html (a page), .svg (the memory maps) or .md (for a pull request)",
        )
    require_place(path)


def write_report(report: BudgetReport, path: Path) -> None:
    """Writes the report in the form that the file's ending asks for."""
    write_file(path, _KINDS[path.suffix.lower()](report).encode())


_KINDS: Mapping[str, Callable[[BudgetReport], str]] = {
    ".html": budget_html,
    ".svg": lambda report: memory_maps_svg([group.plan for group in report.groups]),
    ".md": budget_markdown,
}
