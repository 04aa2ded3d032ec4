"""How a deployment compares with the lock file, as text for people and as values for JSON."""

from rich.text import Text

from tinydeploy.errors import visible
from tinydeploy.lock.check import Drift, Figure, LockCheck
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
    before = f"; with {visible(check.other_library)}, figures were others" if check.other_library else ""
    failed = (("not as expected", "bold red"), ": ") if not check.ok else ()
    if check.status == "same":
        return Text(f"figures as in {file}")
    if check.status == "moved":
        return Text.assemble(*failed, ("figures moved", "" if failed else "bold yellow"), f" since {file}")
    if check.status == "updated":
        return Text(f"figures updated in {file}")
    if check.status == "new":
        hint = before if check.moved else ": commit it, and later runs are compared with it"
        return Text(f"figures new in {file}{hint}")
    if check.required:
        hint = before if check.moved else "; a run without --locked puts it there"
        return Text.assemble(*failed, f"this deployment is not in {file}{hint}")
    return Text(f"figures not put into {file}: a wrong result is no measure for later runs")


def _moved(moved: Drift) -> str:
    unit = _UNITS.get(moved.unit, moved.unit)
    difference = moved.now - moved.locked
    share = f", {difference / moved.locked:+.1%}" if moved.figure == "latency" and moved.locked else ""
    return f"{moved.now:,} {unit}, was {moved.locked:,} ({difference:+,}{share})"
