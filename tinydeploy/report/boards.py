"""The boards as a table and as JSON."""

from collections.abc import Sequence

from rich.table import Table

from tinydeploy.boards import Board
from tinydeploy.report.values import Json


def boards_table(boards: Sequence[Board]) -> Table:
    """One row a board."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("board", "core"):
        table.add_column(heading)
    for heading in ("flash", "RAM", "clock"):
        table.add_column(heading, justify="right")
    table.add_column("what it is")
    for board in boards:
        table.add_row(
            board.id,
            board.core,
            f"{board.flash_bytes // 1024:,} K",
            f"{board.ram_bytes // 1024:,} K",
            f"{board.clock_hz / 1e6:g} MHz",
            board.title,
        )
    return table


def boards_json(boards: Sequence[Board]) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": True,
        "boards": [
            {
                "board": board.id,
                "title": board.title,
                "mcu": board.mcu,
                "core": board.core,
                "clock_hz": board.clock_hz,
                "flash_bytes": board.flash_bytes,
                "ram_bytes": board.ram_bytes,
                "virtual": board.is_virtual,
            }
            for board in boards
        ],
    }
