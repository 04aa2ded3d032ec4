"""Deployment + lock file → LockCheck: which figures moved since they were last agreed on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tinydeploy.deployment import Deployment
from tinydeploy.files import locked
from tinydeploy.lock.entry import Lock, LockEntry, entry_of
from tinydeploy.lock.file import read_lock, write_lock

Status = Literal["new", "same", "moved", "updated", "missing"]

Figure = Literal[
    "arena_bytes",
    "arena_reserved_bytes",
    "arena_smallest_bytes",
    "ram_bytes",
    "flash_bytes",
    "stack_bytes",
    "latency",
]

_EXACT: tuple[Figure, ...] = (
    "arena_bytes",
    "arena_reserved_bytes",
    "arena_smallest_bytes",
    "ram_bytes",
    "flash_bytes",
)

_WRITTEN: Mapping[Status, Status] = {"missing": "new", "same": "same", "moved": "updated"}
"""What a status becomes when the file is written."""

_US_TOLERANCE = 0.05
"""Share by which a real board's time may differ.

Interrupts are off while an inference is timed, and the timer runs on the core's clock: what remains are the caches in
front of the flash, what they hold at the start and where the linker put the code, which moves with any change to it.
Estimated, not measured. What this is to find, a kernel that has fallen back to a slower one, costs a factor of two."""

_US_RESOLUTION = 2
"""Microseconds of which the timer cannot tell anything: one at either end."""

_STACK_TOLERANCE_BYTES = 256
"""What an interrupt at the deepest moment adds, or not: up to 108 bytes for the core's frame with floating-point
registers (Armv7-M Architecture Reference Manual, B1.5.7), and the handler's own. Equal runs differ by it."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A figure in which reality moved away from the lock. ``unit`` is B, instructions or us."""

    figure: Figure
    locked: int
    now: int
    unit: str


@dataclass(frozen=True, kw_only=True)
class LockCheck:
    """How a deployment compares with the lock file.

    ``status``: "new", there was no entry, and one has been made; "same"; "moved"; "updated", it had moved, and the
    entry now has the new figures; "missing", there is no entry, and none has been made. ``moved`` is by what it moved,
    or, of a new or missing entry, by what it differs from that with ``other_library``. With ``required``, reality has
    to agree with the file.
    """

    path: Path
    status: Status
    moved: tuple[Drift, ...] = ()
    other_library: str | None = None
    required: bool = False

    @property
    def ok(self) -> bool:
        """Whether this is no reason to fail."""
        return not self.required or self.status == "same"


def drift(old: LockEntry, new: LockEntry) -> tuple[Drift, ...]:
    """Every figure in which ``new`` differs from ``old``; one that either does not know differs in nothing.

    Memory is exact, and so are instructions. Microseconds move where they differ by more than a board's own runs do,
    the stack where it grew by more than an interrupt takes: less of it is no reason to worry.
    """
    pairs = [(figure, getattr(old, figure), getattr(new, figure)) for figure in _EXACT]
    moved = [
        Drift(figure=figure, locked=locked, now=now, unit="B")
        for figure, locked, now in pairs
        if locked is not None and now is not None and now != locked
    ]
    if old.stack_bytes and new.stack_bytes and new.stack_bytes > old.stack_bytes + _STACK_TOLERANCE_BYTES:
        moved.append(Drift(figure="stack_bytes", locked=old.stack_bytes, now=new.stack_bytes, unit="B"))
    if old.latency is not None and new.latency is not None and old.latency_unit == new.latency_unit:
        is_exact = new.latency_unit == "instructions"
        tolerance = 0 if is_exact else max(_US_RESOLUTION, _US_TOLERANCE * old.latency)
        if abs(new.latency - old.latency) > tolerance:
            moved.append(Drift(figure="latency", locked=old.latency, now=new.latency, unit=new.latency_unit))
    return tuple(moved)


def compare_with_lock(lock: Lock, entry: LockEntry, path: Path) -> LockCheck:
    """Whether the lock has the entry ("missing" where not), and in what reality moved away from it."""
    known = lock.entry(entry.key)
    if known is not None:
        moved = drift(known, entry)
        return LockCheck(path=path, status="moved" if moved else "same", moved=moved)
    other = _with_other_library(lock, entry)
    if other is None:
        return LockCheck(path=path, status="missing")
    return LockCheck(path=path, status="missing", moved=drift(other, entry), other_library=other.library)


def check_lock(path: Path, deployment: Deployment, *, update: bool = False, required: bool = False) -> LockCheck:
    """Compares a deployment with the lock file, and keeps there what is new.

    An entry that is not there is made, and one that misses a figure gets it. Figures that moved are replaced with
    ``update`` only; those that did not stay as they are, so that no run changes the file by noise. Nothing is written
    with ``required``, nor of a deployment whose outputs are not as expected. Other processes that do the same wait.

    Raises:
        UsageError: The file is damaged or of a newer version, or cannot be written.
    """
    entry = entry_of(deployment)
    with locked(str(path.resolve())):
        lock = read_lock(path)
        check = replace(compare_with_lock(lock, entry, path), required=required)
        if required or not deployment.ok or (check.status == "moved" and not update):
            return check
        known = lock.entry(entry.key)
        changed = lock.with_entry(_moved(known, check.moved).completed_by(entry) if known else entry)
        if changed != lock:
            write_lock(path, changed)
        return replace(check, status=_WRITTEN[check.status])


def _moved(entry: LockEntry, moved: tuple[Drift, ...]) -> LockEntry:
    """The entry, in which only the figures that moved are new."""
    changes: dict[str, Any] = {figure.figure: figure.now for figure in moved}
    return replace(entry, **changes)


def _with_other_library(lock: Lock, entry: LockEntry) -> LockEntry | None:
    """What is known of the same model, board and settings with another version of the library."""
    return next(
        (other for other in lock.entries if replace(other, library_identity=entry.library_identity).key == entry.key),
        None,
    )
