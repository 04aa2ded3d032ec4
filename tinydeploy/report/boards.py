"""The boards as a table, as JSON, and as Markdown.

``python -m tinydeploy.report.boards README.md docs/boards.md`` brings the tables in these files up to date.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from tinydeploy.boards import Board, Run, load_boards
from tinydeploy.files import write_file
from tinydeploy.report.values import Json

_RUN: Mapping[Run, str] = {
    "silicon": "on the board",
    "emulation": "in QEMU",
    "compiled": "compiled only",
    "none": "not run",
}

_BLOCK = re.compile(r"(<!-- boards: .*?-->\n).*?(<!-- /boards -->)", re.DOTALL)


def boards_table(boards: Sequence[Board]) -> Table:
    """One row a board."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("board", "core"):
        table.add_column(heading)
    for heading in ("flash", "RAM", "clock"):
        table.add_column(heading, justify="right")
    table.add_column("run")
    table.add_column("what it is")
    for board in boards:
        table.add_row(
            board.id,
            board.core,
            _kilobytes(board.flash_bytes),
            _kilobytes(board.ram_bytes),
            f"{board.clock_hz / 1e6:g} MHz",
            _RUN[board.run],
            board.title,
        )
    return table


def boards_markdown(boards: Sequence[Board]) -> str:
    """One row a board, virtual ones first: where its TensorFlow Lite Micro comes from, and what was run."""
    headings = ("board", "what it is", "core", "flash", "RAM", "TensorFlow Lite Micro", "run so far")
    rules = ("---", "---", "---", "---:", "---:", "---", "---")
    rows = (
        (
            f"`{board.id}`",
            board.title,
            board.core,
            _kilobytes(board.flash_bytes),
            _kilobytes(board.ram_bytes),
            _tflm(board),
            _RUN[board.run],
        )
        for board in sorted(boards, key=lambda board: not board.is_virtual)
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in (headings, rules, *rows))


def with_table(text: str, table: str) -> str:
    """A page whose block between the two markers is this table.

    Raises:
        ValueError: It has no such block, or several.
    """
    changed, count = _BLOCK.subn(lambda block: f"{block[1]}{table}{block[2]}", text)
    if count != 1:
        raise ValueError(f"{count} blocks between <!-- boards: … --> and <!-- /boards -->")
    return changed


def boards_json(boards: Sequence[Board]) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": bool(boards),
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
                "framework": board.framework.framework if board.framework else None,
                "tflm": board.tflm.library or board.tflm.component or board.tflm.bundled,
                "run": board.run,
            }
            for board in boards
        ],
    }


def _kilobytes(size: int) -> str:
    return f"{size // 1024:,} K"


def _tflm(board: Board) -> str:
    tflm = board.tflm
    named = (("library", tflm.library), ("component", tflm.component), ("of the framework", tflm.bundled))
    return next((words for words, name in named if name), "`--tflm-lib`")


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        write_file(page, with_table(page.read_text(encoding="utf-8"), boards_markdown(load_boards())).encode())
