"""What of a board file types cannot say."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tinydeploy.boards.board import CORES, Board, Emulator, Framework, MemoryRegion, Uart
from tinydeploy.files import data_dir


class InvalidBoardError(Exception):
    """A key of a board file and what is wrong with it, without the file."""


def check_board(board: Board) -> None:
    """Nothing where the facts are possible ones.

    Raises:
        InvalidBoardError: They are not; names the first key that is wrong.
    """
    for holds, message in (*_common(board), *_regions(board.memory)):
        if not holds:
            raise InvalidBoardError(message)
    kind = _bare_metal(board) if board.framework is None else _with_framework(board, board.framework)
    for holds, message in (*kind, *_sources(board.port.sources), *_emulator(board, board.emulator)):
        if not holds:
            raise InvalidBoardError(message)


# What must hold, and what to say where it does not. Lazy: a rule may count on those before it.
_Rules = Iterator[tuple[bool, str]]


def _common(board: Board) -> _Rules:
    yield _is_word(board.id), "id: letters, digits, - and _ only"
    is_line = board.title.isprintable() and "*/" not in board.title
    yield is_line, "title: one line is needed that can stand in a C comment"
    yield board.core in CORES, f"core: {board.core!r} is not one of {', '.join(CORES)}"
    yield board.clock_hz > 0, "clock_hz: must be positive"
    yield board.timer.tick_hz > 0, "timer.tick_hz: must be positive"
    yield board.line.baud > 0, "line.baud: must be positive"
    yield board.line.boot_ms >= 0, "line.boot_ms: must not be negative"
    ids = all(0 <= number <= 0xFFFF for usb in board.usb for number in (usb.vendor, usb.product))
    yield ids, "usb: vendor and product are numbers of 16 bits"


def _is_word(text: str) -> bool:
    return bool(text) and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)


def _regions(memory: tuple[MemoryRegion, ...]) -> _Rules:
    for kind in ("code", "data"):
        yield [r.holds for r in memory].count(kind) == 1, f'memory: exactly one region that holds "{kind}" is needed'
    yield [r.holds for r in memory].count("stack") <= 1, 'memory: at most one region can hold "stack"'
    yield all(r.name.isidentifier() for r in memory), "memory: a region's name is used in C and must be a word"
    yield len({r.name for r in memory}) == len(memory), "memory: two regions have the same name"
    within = all(r.bytes > 0 and r.origin >= 0 and r.origin + r.bytes <= 1 << 32 for r in memory)
    yield within, "memory: a region must lie within 32-bit addresses"


def _stack(board: Board) -> _Rules:
    own = [region.bytes for region in board.memory if region.holds == "stack"]
    room = own[0] + 1 if own else board.ram.bytes
    yield 0 < board.stack_bytes < room, f"stack_bytes: {board.stack_bytes} does not fit into RAM"
    yield board.stack_bytes % 8 == 0, "stack_bytes: a multiple of 8 is needed (Arm's procedure call standard)"


def _bare_metal(board: Board) -> _Rules:
    """What this project's own startup code and linker script need."""
    yield all(r.holds != "stack" for r in board.memory), 'memory: "stack" is for boards with a framework'
    aligned = board.ram.origin % (1 << 20) == 0
    yield aligned, "memory: data must begin at a multiple of 1 MB, below which a guard catches stack overflows"
    yield from _stack(board)
    yield bool(board.cpu_flags), "cpu_flags: missing"
    yield board.port.irqs > 0, "port.irqs: missing"
    yield board.timer.base is not None, "timer.base: missing"
    if board.uart is None:
        yield False, "uart: missing"
    else:
        yield from _uart(board, board.uart)


def _uart(board: Board, uart: Uart) -> _Rules:
    yield 0 <= uart.rx_irq < board.port.irqs, "uart.rx_irq: must be below port.irqs"
    yield 0 <= uart.tx_irq < board.port.irqs, "uart.tx_irq: must be below port.irqs"
    yield 0 < uart.baud <= uart.clock_hz, "uart.baud: must be positive, and at most uart.clock_hz"
    yield board.line.baud == uart.baud, "line.baud: must be uart.baud"


def _with_framework(board: Board, framework: Framework) -> _Rules:
    """The texts stand in platformio.ini, where a line break would begin another option."""
    yield from _stack(board)
    for name, is_there in (
        ("uart", board.uart is not None),
        ("timer.base", board.timer.base is not None),
        ("port.irqs", board.port.irqs != 0),
        ("emulator", board.emulator is not None),
    ):
        yield not is_there, f"{name}: a board with a framework has none"
    yield _is_word(framework.board), "framework.board: letters, digits, - and _ only"
    yield _are_lines([framework.platform]), "framework.platform: one line is needed"
    yield all("=" in option for option in framework.options), 'framework.options: each is "name = value"'
    yield _are_lines(framework.options), "framework.options: each must be one line"
    yield _are_lines(framework.build_flags), "framework.build_flags: each must be one line"
    yield framework.ram_bytes >= 0, "framework.ram_bytes: must not be negative"
    yield framework.flash_bytes >= 0, "framework.flash_bytes: must not be negative"


def _are_lines(texts: Iterable[str]) -> bool:
    return all(text.strip() and text.isprintable() for text in texts)


def _sources(sources: tuple[str, ...]) -> _Rules:
    """All are there, and the board's own differ in name: the project has them in one folder."""
    own: set[str] = set()
    for i, source in enumerate(sources):
        path = Path(source)
        is_there = path.suffix in (".c", ".cpp") and (data_dir("firmware") / "ports" / path).is_file()
        named = source if path.is_absolute() else f"firmware/ports/{source}"
        yield is_there, f"port.sources[{i}]: there is no C file {named}"
        yield not path.is_absolute() or path.name not in own, f"port.sources[{i}]: two files are named {path.name}"
        own |= {path.name} if path.is_absolute() else set()


def _emulator(board: Board, emulator: Emulator | None) -> _Rules:
    if emulator is None:
        return
    yield 0 <= emulator.icount_shift <= 10, "emulator.icount_shift: must be between 0 and 10"  # what QEMU accepts
    enough = board.timer.tick_hz << emulator.icount_shift >= 3_000_000_000
    yield enough, "emulator.icount_shift: one instruction must take three ticks of the timer or more"
