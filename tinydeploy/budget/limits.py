"""Limits on what a model may take, and what is said where one is not kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinydeploy.budget.figures import QUANTITIES, BoardBudget, Quantity
from tinydeploy.errors import UsageError

QUANTITY_NAMES: Mapping[Quantity, str] = {
    "arena": "arena",
    "ram": "RAM",
    "flash": "flash",
    "instructions": "instructions",
}
"""What people call them."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(i?B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a board's share may be, by quantity. ``boards`` are limits of single boards, which go before."""

    most: Mapping[Quantity, int] = field(default_factory=dict)
    boards: Mapping[str, Mapping[Quantity, int]] = field(default_factory=dict)

    def of(self, board: str) -> Mapping[Quantity, int]:
        """All limits that hold on a board."""
        return {**self.most, **self.boards.get(board, {})}

    def before(self, others: "Limits") -> "Limits":
        """These, and of the others what these say nothing about."""
        boards = (*others.boards, *self.boards)
        return Limits(
            most={**others.most, **self.most},
            boards={
                board: {**others.boards.get(board, {}), **self.most, **self.boards.get(board, {})} for board in boards
            },
        )


@dataclass(frozen=True, kw_only=True)
class Excess:
    """A limit that is not kept. ``value`` is None where the figure is not known, which keeps none."""

    board: str
    engine: str
    quantity: Quantity
    value: int | None
    limit: int
    text: str


def excesses(budgets: Sequence[BoardBudget], limits: Limits) -> tuple[Excess, ...]:
    """Every limit that is not kept, in the boards' order."""
    return tuple(found for budget in budgets for found in _of_board(budget, limits.of(budget.plan.board.id)))


def amount(quantity: Quantity, value: int) -> str:
    """A figure with its unit."""
    return f"{value:,}{'' if quantity == 'instructions' else ' B'}"


def _of_board(budget: BoardBudget, limits: Mapping[Quantity, int]) -> Iterator[Excess]:
    for quantity in QUANTITIES:
        limit, figure = limits.get(quantity), budget.figure(quantity)
        if limit is None or (figure is not None and figure.value <= limit):
            continue
        board, engine = budget.plan.board.id, budget.plan.engine.engine
        name, allowed = QUANTITY_NAMES[quantity], f"at most {amount(quantity, limit)} allowed"
        if figure is None:
            text = f"{name} not known, {allowed}"
        else:
            over = f"{amount(quantity, figure.value - limit)} too many"
            text = f"{name} {amount(quantity, figure.value)} ({figure.source}), {allowed}: {over}"
        yield Excess(
            board=board,
            engine=engine,
            quantity=quantity,
            value=None if figure is None else figure.value,
            limit=limit,
            text=f"{board}, {engine} engine: {text}",
        )


def parse_limit(quantity: Quantity, text: str) -> int:
    """A limit as people write it, see `parse_amount`.

    Raises:
        UsageError: It is none.
    """
    return parse_amount(QUANTITY_NAMES[quantity], text, is_count=quantity == "instructions")


def parse_amount(name: str, text: str, *, is_count: bool) -> int:
    """``65536``, ``64K``, ``1.5M``. Of bytes, K is 1024; of what is counted, 1000. ``name`` is what it is a limit of.

    Raises:
        UsageError: It is none.
    """
    found = _NUMBER.fullmatch(text.strip())
    if not found or (is_count and found[3]):
        example = "10M" if is_count else "64K"
        raise UsageError(
            f"{text!r} is no limit of {name}",
            hint=f"a number such as {example}: {'K is 1000' if is_count else 'K is 1024 bytes'}",
        )
    return int(float(found[1]) * (1000 if is_count else 1024) ** _POWERS[found[2].upper()])
