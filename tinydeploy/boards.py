"""boards/*.toml → Board: the facts about each board, checked when they are read."""

import difflib
import tomllib
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from tinydeploy.errors import UsageError
from tinydeploy.files import data_dir


class _InvalidBoardError(Exception):
    """A key and what is wrong with it; `read_board` adds the file."""


CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55")


@dataclass(frozen=True, kw_only=True)
class MemoryRegion:
    """A contiguous piece of the address space, and what the linker puts there."""

    name: str
    origin: int
    bytes: int
    holds: Literal["code", "data"]


@dataclass(frozen=True, kw_only=True)
class Port:
    """The C sources that drive the board, and the number of its interrupt lines.

    ``sources`` are paths below firmware/ports, or absolute where the board brings its own.
    """

    sources: tuple[str, ...]
    irqs: int


@dataclass(frozen=True, kw_only=True)
class Uart:
    """The serial port, clocked with ``clock_hz``. Both interrupt lines are the same where the chip has only one."""

    base: int
    rx_irq: int
    tx_irq: int
    clock_hz: int
    baud: int


@dataclass(frozen=True, kw_only=True)
class Timer:
    """The free-running 32-bit timer."""

    base: int
    tick_hz: int


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """How QEMU runs the board. One instruction takes 2^``icount_shift`` ns of the board's time."""

    machine: str
    args: tuple[str, ...]
    icount_shift: int

    @property
    def command(self) -> tuple[str, ...]:
        """How QEMU is started: without a window and a console, and so far without firmware, clock and serial port."""
        return ("qemu-system-arm", "-machine", self.machine, "-display", "none", "-monitor", "none", *self.args)


@dataclass(frozen=True, kw_only=True)
class Tflm:
    """The TensorFlow Lite Micro that the board is built with, pinned exactly, and its kernels for the board's core.

    One of three: ``library`` is a PlatformIO library (``owner/name@1.2.3``), ``component`` an ESP-IDF component
    (``owner/name==1.2.3``), ``bundled`` names what the framework brings along. Without any of them the user has to give
    one. ``version`` is the release of which sizes and ops are known, where they are (tinydeploy/engines/tflm/).
    """

    library: str | None = None
    component: str | None = None
    bundled: str | None = None
    version: str | None = None
    kernels: Literal["cmsis_nn", "esp_nn"] | None = None


@dataclass(frozen=True, kw_only=True)
class Framework:
    """How PlatformIO builds and flashes a board that is more than bare metal.

    ``platform`` is pinned exactly, ``board`` is PlatformIO's id. ``options`` are further lines of the environment in
    platformio.ini. ``ram_bytes`` and ``flash_bytes`` are about what the framework takes itself.
    """

    platform: str
    board: str
    framework: Literal["arduino", "espidf"]
    options: tuple[str, ...] = ()
    ram_bytes: int = 0
    flash_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Usb:
    """How the board's serial port is known among others: vendor and product number."""

    vendor: int
    product: int


@dataclass(frozen=True, kw_only=True)
class SerialLine:
    """What the board does with the control lines of its serial port.

    ``on_open``: what must be done with DTR and RTS so that opening the port neither resets nor mutes the board: "off"
    leaves both inactive (boards whose auto-reset circuit hangs on them), "on" activates DTR (USB ports that send
    nothing without a terminal), "none" does not touch them. ``reset`` is how the host can reset the board through them,
    if it can. ``boot_ms`` is how long it takes until it answers.
    """

    baud: int
    on_open: Literal["off", "on", "none"] = "none"
    reset: Literal["none", "esp"] = "none"
    boot_ms: int = 500


@dataclass(frozen=True, kw_only=True)
class Board:
    """What is known about a board. One region holds code and one holds data: `read_board` checks that.

    ``path`` is the file of a board that does not come with the project.
    """

    id: str
    title: str
    mcu: str
    core: str
    cpu_flags: tuple[str, ...]
    clock_hz: int
    stack_bytes: int
    memory: tuple[MemoryRegion, ...]
    port: Port
    uart: Uart
    timer: Timer
    emulator: Emulator | None = None
    framework: Framework | None = None
    tflm: Tflm = Tflm()
    usb: tuple[Usb, ...] = ()
    path: Path | None = field(default=None, compare=False)

    @property
    def argument(self) -> str:
        """What to give to ``--board``."""
        return str(self.path) if self.path else self.id

    @property
    def flash(self) -> MemoryRegion:
        """Where code and constants go."""
        return next(region for region in self.memory if region.holds == "code")

    @property
    def ram(self) -> MemoryRegion:
        """Where variables and the stack go."""
        return next(region for region in self.memory if region.holds == "data")

    @property
    def flash_bytes(self) -> int:
        """All that code and constants may take."""
        return self.flash.bytes

    @property
    def ram_bytes(self) -> int:
        """All that variables and the stack (``stack_bytes``) may take together."""
        return self.ram.bytes

    @property
    def is_virtual(self) -> bool:
        """Whether the board is emulated; its time is then counted in instructions."""
        return self.emulator is not None

    def instructions(self, ticks: int) -> int:
        """Instructions that an emulated board executed in so many ticks of its timer.

        Exact, because an instruction takes three ticks or more and the timer's rounding is less than one tick at
        either end.

        Raises:
            ValueError: The board is not emulated.
        """
        if self.emulator is None:
            raise ValueError(f"{self.id} is not emulated")
        ticks_times_1e9 = self.timer.tick_hz << self.emulator.icount_shift
        return (ticks * 1_000_000_000 + ticks_times_1e9 // 2) // ticks_times_1e9


@cache
def load_boards() -> tuple[Board, ...]:
    """All boards that come with the project, in the order of their ids."""
    return tuple(sorted((read_board(path) for path in data_dir("boards").glob("*.toml")), key=lambda b: b.id))


def find_board(name: str) -> Board:
    """The board with this id, or the one that the .toml file of this path describes.

    Raises:
        UsageError: There is no such board (the message has the nearest ids), or its file is not valid.
    """
    if name.endswith(".toml"):
        return replace(read_board(Path(name)), path=Path(name))
    boards = {board.id: board for board in load_boards()}
    if name in boards:
        return boards[name]
    near = difflib.get_close_matches(name.lower(), boards, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(boards)}"
    raise UsageError(f"unknown board {name!r}", hint=f"{hint}\nor the path of your own board.toml")


def read_board(path: Path) -> Board:
    """Reads and checks one board file.

    Raises:
        UsageError: The file cannot be read or is not a valid board; the message names the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _invalid(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, f"is not TOML: {error}") from error
    try:
        board = _with_own_sources(_build(Board, table, ""), path.resolve().parent)
        _check(board)
    except _InvalidBoardError as error:
        raise _invalid(path, str(error)) from error
    return board


def _invalid(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"not a board file: {problem}",
        where={"file": str(path)},
        hint=f"compare it with one that is: {data_dir('boards') / 'qemu-cortex-m4.toml'}",
    )


T = TypeVar("T")


def _build(kind: type[T], table: object, place: str) -> T:
    """A dataclass from a TOML table, or an error that names the key."""
    if not isinstance(table, dict):
        raise _InvalidBoardError(f"{place.rstrip('.')}: a table is needed")
    known = {f.name: f for f in fields(kind) if f.compare}  # type: ignore[arg-type]  # Board.path is not in the file
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise _InvalidBoardError(f"{place}{key}: no such key" + (f" (did you mean {near[0]}?)" if near else ""))
    for name, expected in known.items():
        if name not in table and expected.default is MISSING:
            raise _InvalidBoardError(f"{place}{name}: missing")
    return kind(**{key: _convert(value, known[key].type, place + key) for key, value in table.items()})


def _convert(value: object, kind: Any, place: str) -> object:  # noqa: ANN401 - a type annotation as an object
    """A TOML value as the type of a dataclass's field."""
    if get_origin(kind) in (Union, UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _InvalidBoardError(f"{place}: a list is needed")
        return tuple(_convert(item, get_args(kind)[0], f"{place}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise _InvalidBoardError(f"{place}: {value!r} is not one of {', '.join(get_args(kind))}")
        return value
    if kind not in (str, int):
        return _build(kind, value, f"{place}.")
    if type(value) is not kind:
        raise _InvalidBoardError(f"{place}: {'text' if kind is str else 'a whole number'} is needed, not {value!r}")
    return value


def _with_own_sources(board: Board, folder: Path) -> Board:
    """The board, its sources that begin with ``./`` or ``../`` found from the folder of its file."""
    sources = (str((folder / s).resolve()) if s.startswith(("./", "../")) else s for s in board.port.sources)
    return replace(board, port=replace(board.port, sources=tuple(sources)))


def _check(board: Board) -> None:
    """What types cannot say. An error names the key."""
    ram_bytes = sum(region.bytes for region in board.memory if region.holds == "data")
    rules = (
        (
            bool(board.id) and all(c.isascii() and (c.isalnum() or c in "-_") for c in board.id),
            "id: letters, digits, - and _ only",
        ),
        (
            board.title.isprintable() and "*/" not in board.title,
            "title: one line is needed that can stand in a C comment",
        ),
        (board.core in CORES, f"core: {board.core!r} is not one of {', '.join(CORES)}"),
        (
            [r.holds for r in board.memory].count("code") == 1,
            'memory: exactly one region that holds "code" is needed',
        ),
        (
            [r.holds for r in board.memory].count("data") == 1,
            'memory: exactly one region that holds "data" is needed',
        ),
        (
            all(r.name.isidentifier() for r in board.memory),
            "memory: a region's name is used in C and must be a word",
        ),
        (len({r.name for r in board.memory}) == len(board.memory), "memory: two regions have the same name"),
        (
            all(r.bytes > 0 and r.origin >= 0 and r.origin + r.bytes <= 1 << 32 for r in board.memory),
            "memory: a region must lie within 32-bit addresses",
        ),
        (
            all(r.origin % (1 << 20) == 0 for r in board.memory if r.holds == "data"),
            "memory: data must begin at a multiple of 1 MB, below which a guard catches stack overflows",
        ),
        (0 < board.stack_bytes < ram_bytes, f"stack_bytes: {board.stack_bytes} does not fit into RAM"),
        (board.stack_bytes % 8 == 0, "stack_bytes: a multiple of 8 is needed (Arm's procedure call standard)"),
        (board.clock_hz > 0, "clock_hz: must be positive"),
        (board.timer.tick_hz > 0, "timer.tick_hz: must be positive"),
        (0 <= board.uart.rx_irq < board.port.irqs, "uart.rx_irq: must be below port.irqs"),
        (0 <= board.uart.tx_irq < board.port.irqs, "uart.tx_irq: must be below port.irqs"),
        (0 < board.uart.baud <= board.uart.clock_hz, "uart.baud: must be positive, and at most uart.clock_hz"),
    )
    for holds, message in rules:
        if not holds:
            raise _InvalidBoardError(message)
    _check_sources(board.port.sources)
    if board.emulator is not None:
        _check_emulator(board, board.emulator)


def _check_sources(sources: tuple[str, ...]) -> None:
    """All are there, and the board's own differ in name: the project has them in one folder."""
    own: set[str] = set()
    for i, source in enumerate(sources):
        path = Path(source)
        if path.suffix != ".c" or not (data_dir("firmware") / "ports" / path).is_file():
            there = source if path.is_absolute() else f"firmware/ports/{source}"
            raise _InvalidBoardError(f"port.sources[{i}]: there is no C file {there}")
        if path.is_absolute() and path.name in own:
            raise _InvalidBoardError(f"port.sources[{i}]: two files are named {path.name}")
        own |= {path.name} if path.is_absolute() else set()


def _check_emulator(board: Board, emulator: Emulator) -> None:
    if not 0 <= emulator.icount_shift <= 10:  # what QEMU accepts
        raise _InvalidBoardError("emulator.icount_shift: must be between 0 and 10")
    if board.timer.tick_hz << emulator.icount_shift < 3_000_000_000:
        raise _InvalidBoardError("emulator.icount_shift: one instruction must take three ticks of the timer or more")
