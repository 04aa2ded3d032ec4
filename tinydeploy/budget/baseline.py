"""An earlier budget, as `--json` wrote it, and what changed since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinydeploy.budget.figures import QUANTITIES, BoardBudget, Quantity
from tinydeploy.budget.json_file import json_of

_KEYS: Mapping[Quantity, str] = {
    "arena": "arena_reserved_bytes",
    "ram": "ram_bytes",
    "flash": "flash_bytes",
    "instructions": "instructions",
}
"""By what a quantity is called in the JSON."""

BoardKey = tuple[str, str, str]
"""What tells one entry from another: board, engine, kernels."""

Baseline = Mapping[BoardKey, Mapping[Quantity, int]]
"""The figures that were known, by board."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of a figure since an earlier budget; ``before`` or ``now`` is None where it was, or is, not known.

    ``is_excess``: it grew by more than it may.
    """

    board: str
    engine: str
    kernels: str
    quantity: Quantity
    before: int | None
    now: int | None
    is_excess: bool

    @property
    def kind(self) -> Literal["new", "gone", "same", "grew", "shrank"]:
        """In one word."""
        if self.before is None or self.now is None:
            return "new" if self.before is None else "gone"
        if self.now == self.before:
            return "same"
        return "grew" if self.now > self.before else "shrank"


def read_baseline(path: Path) -> Baseline:
    """The figures in a file that ``tinydeploy budget --json`` wrote.

    Raises:
        UsageError: It cannot be read, or is another file.
    """
    with json_of("budget", path, purpose="compare with") as found:
        return dict(_entry(entry) for entry in found["boards"])


def _entry(entry: Mapping[str, Any]) -> tuple[BoardKey, Mapping[Quantity, int]]:
    key = (entry["board"], entry["engine"], entry["kernels"])
    figures = {quantity: entry.get(name) for quantity, name in _KEYS.items()}
    if not all(isinstance(word, str) for word in key):
        raise TypeError("board, engine and kernels are names")
    for quantity, value in figures.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise TypeError(f"{_KEYS[quantity]} is no integer: {value!r}")
    return key, {quantity: value for quantity, value in figures.items() if value is not None}


def changes(budgets: Sequence[BoardBudget], baseline: Baseline, *, growth: float) -> tuple[Change, ...]:
    """What became of every figure of either; boards of the earlier budget alone come last.

    ``growth`` is the share of the earlier figure by which one may grow.
    """
    now = {_key(budget): {q: figure.value for q in QUANTITIES if (figure := budget.figure(q))} for budget in budgets}
    keys = (*now, *(key for key in baseline if key not in now))
    return tuple(change for key in keys for change in _changes_of(key, baseline.get(key, {}), now.get(key, {}), growth))


def _changes_of(
    key: BoardKey, before: Mapping[Quantity, int], now: Mapping[Quantity, int], growth: float
) -> Iterator[Change]:
    board, engine, kernels = key
    for quantity in QUANTITIES:
        old, new = before.get(quantity), now.get(quantity)
        if old is None and new is None:
            continue
        yield Change(
            board=board,
            engine=engine,
            kernels=kernels,
            quantity=quantity,
            before=old,
            now=new,
            is_excess=old is not None and new is not None and new > old * (1 + growth),
        )


def _key(budget: BoardBudget) -> BoardKey:
    engine = budget.plan.engine
    return budget.plan.board.id, engine.engine, engine.kernels
