"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

NOTHING = "-"
"""In place of a figure that there is not."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int) -> str:
    """A table that ends in a line break; its columns from ``numbers_from`` on are aligned to the right."""
    rules = ["---" if column < numbers_from else "---:" for column in range(len(headings))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (headings, rules, *rows))


def figure(value: int) -> str:
    """A number with its thousands told apart."""
    return f"{value:,}"


def ratio(value: int, of: int) -> str:
    """A share as a number with as many digits as say something; nothing where there is nothing to divide by."""
    if not of:
        return NOTHING
    share = value / of
    return f"{share:.1f}" if share >= 10 else f"{share:.2f}"
