"""The rows that compress_digits.py measures, and how they are shown. Needs nothing but Python."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant of the network.

    ``float_right`` and ``int8_right`` are how many of ``images`` were read correctly, by the float model and by the
    int8 one on the board; ``exact``, whether each of the board's outputs was what the reference says.
    ``deflated_bytes`` is the .tflite once compressed. ``flash_bytes`` and ``ram_bytes`` are of the whole firmware,
    ``arena_bytes`` is the part of the RAM that holds activations. ``instructions`` are those of one inference.
    """

    variant: str
    images: int
    float_right: int
    int8_right: int
    exact: bool
    parameters: int
    zeros: float
    tflite_bytes: int
    deflated_bytes: int
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    instructions: int


HEADINGS = (
    "variant",
    "float",
    "int8",
    "parameters",
    "zeros",
    ".tflite",
    "deflated",
    "flash",
    "RAM",
    "arena",
    "instructions",
)


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, in columns that line up."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    lines = [_line(row, widths) for row in cells]
    return "\n".join([lines[0], _line(rule, widths), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    sizes = (row.tflite_bytes, row.deflated_bytes, row.flash_bytes, row.ram_bytes, row.arena_bytes, row.instructions)
    return (
        row.variant,
        f"{row.float_right / row.images:.2%}",
        f"{row.int8_right / row.images:.2%}",
        f"{row.parameters:,}",
        f"{row.zeros:.0%}",
        *(f"{size:,}" for size in sizes),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"


def save(rows: Sequence[Row], path: Path) -> None:
    """Writes the rows as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def load(path: Path) -> list[Row]:
    """Reads what `save` wrote."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
