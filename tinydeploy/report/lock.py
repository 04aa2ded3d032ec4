"""How a deployment compares with the lock file, as text for people and as values for JSON."""

from rich.text import Text

from tinydeploy.errors import visible
from tinydeploy.lock.check import Drift, Figure, LockCheck, Status
from tinydeploy.report.values import Json

_LABELS: dict[Figure, str] = {
    "arena_bytes": "arena used",
    "arena_reserved_bytes": "arena reserved",
    "arena_smallest_bytes": "arena smallest",
    "ram_bytes": "RAM",
    "flash_bytes": "flash",
    "stack_bytes": "stack",
    "latency": "inference",
}
_UNITS = {"us": "µs"}


def lock_text(check: LockCheck) -> Text:
    """The verdict, and under it every figure that moved."""
    text = _verdict(check)
    label_width = max((len(_LABELS[moved.figure]) for moved in check.moved), default=0)
    for moved in check.moved:
        text.append(f"\n  {_LABELS[moved.figure]:<{label_width}}  {_moved(moved)}")
    if check.status == "moved":
        text.append("\n  --update-lock puts the new figures there, if they are as they should be")
    return text


def lock_json(check: LockCheck | None) -> Json:
    """The value of ``lock``; null where no lock file was looked at."""
    if check is None:
        return None
    return {
        "path": str(check.path),
        "status": check.status,
        "moved": [
            {"figure": moved.figure, "locked": moved.locked, "now": moved.now, "unit": moved.unit}
            for moved in check.moved
        ],
        "other_library": check.other_library,
    }


def _verdict(check: LockCheck) -> Text:
    file = visible(str(check.path))
    verdicts: dict[Status, str] = {
        "same": f"figures as in {file}",
        "moved": f"figures moved since {file}",
        "updated": f"figures updated in {file}",
        "new": f"figures new in {file}{_other_library(check) or ': commit it, and later runs are compared with it'}",
        "missing": f"figures are not in {file}{_other_library(check) or '; a run without --locked puts them there'}",
    }
    if check.status == "missing" and not check.required:
        return Text(f"figures not put into {file}: a wrong result is no measure for later runs")
    if not check.ok:
        return Text.assemble(("not as expected", "bold red"), f": {verdicts[check.status]}")
    return Text(verdicts[check.status], "bold yellow" if check.status == "moved" else "")


def _other_library(check: LockCheck) -> str:
    if check.other_library is None:
        return ""
    return f"; with {visible(check.other_library)} they were {'others' if check.moved else 'the same'}"


def _moved(moved: Drift) -> str:
    unit = _UNITS.get(moved.unit, moved.unit)
    difference = moved.now - moved.locked
    share = f", {difference / moved.locked:+.1%}" if moved.figure == "latency" and moved.locked else ""
    return f"{moved.now:,} {unit}, was {moved.locked:,} ({difference:+,}{share})"
