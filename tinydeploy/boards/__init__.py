"""boards/*.toml → Board: the facts about each board, checked when they are read."""

from tinydeploy.boards.board import (
    CORES,
    Board,
    Emulator,
    Framework,
    MemoryRegion,
    Port,
    Run,
    SerialLine,
    Tflm,
    Timer,
    Uart,
    Usb,
)
from tinydeploy.boards.read import find_board, load_boards, read_board

__all__ = [
    "CORES",
    "Board",
    "Emulator",
    "Framework",
    "MemoryRegion",
    "Port",
    "Run",
    "SerialLine",
    "Tflm",
    "Timer",
    "Uart",
    "Usb",
    "find_board",
    "load_boards",
    "read_board",
]
