"""What this machine has of what the tool needs, as a table and as JSON."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.doctor import Check
from tinydeploy.report.values import Json


def doctor_table(checks: Sequence[Check]) -> RenderableType:
    """One row a check; behind them, what to do about each thing that is missing."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(_state(check), check.name, check.found or check.missing)
    wanting = [check for check in checks if not check.ok]
    if not wanting:
        return Group(table, "", Text("everything is there", "green"))
    todo = (f"\n  {check.name}: {check.hint}" for check in wanting)
    is_short = any(check.required for check in wanting)
    title = ("what to do", "bold") if is_short else ("everything that is required is there; for more", "green")
    return Group(table, "", Text.assemble(title, *todo))


def doctor_json(checks: Sequence[Check]) -> dict[str, Json]:
    """The same as values; ``ok`` is whether all that is required is there."""
    return {
        "ok": all(check.ok or not check.required for check in checks),
        "checks": [
            {
                "name": check.name,
                "ok": check.ok,
                "required": check.required,
                "found": check.found or None,
                "missing": check.missing or None,
                "try": check.hint or None,
            }
            for check in checks
        ],
    }


def _state(check: Check) -> Text:
    if check.ok:
        return Text("ok", "green")
    return Text("missing", "bold red") if check.required else Text("optional", "yellow")
