"""What is known about a board: the keys of a board file, one dataclass for each table (docs/boards.md)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CORES = (
    "cortex-m0",
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m4",
    "cortex-m7",
    "cortex-m33",
    "cortex-m55",
    "xtensa-lx6",
    "xtensa-lx7",
    "rv32imc",
)
"""On all of them int, long and pointers have 32 bits: the sizes of TensorFlow Lite Micro's structures depend on it."""

Run = Literal["silicon", "emulation", "compiled", "none"]
"""The most that was done with the firmware for a board: run on it, run in an emulator of it, compiled against the real
headers of its framework, or nothing."""


@dataclass(frozen=True, kw_only=True)
class MemoryRegion:
    """A contiguous piece of the address space, and what goes there.

    ``name`` is the linker's, so that its messages can be told in the board's terms. The stack has a region only where
    it does not lie among the data.
    """

    name: str
    origin: int
    bytes: int
    holds: Literal["code", "data", "stack"]


@dataclass(frozen=True, kw_only=True)
class Port:
    """The sources that drive the board; and the number of its interrupt lines where there is no framework.

    ``sources`` are paths below firmware/ports, or absolute where the board brings its own.
    """

    sources: tuple[str, ...]
    irqs: int = 0


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
    """The free-running 32-bit timer behind ``td_port_ticks()``. ``base`` is known where there is no framework."""

    tick_hz: int
    base: int | None = None


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
    platformio.ini, ``build_flags`` are for everything that is compiled. ``ram_bytes`` and ``flash_bytes`` estimate what
    the framework takes itself.
    """

    platform: str
    board: str
    framework: Literal["arduino", "espidf"]
    options: tuple[str, ...] = ()
    build_flags: tuple[str, ...] = ()
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
    """What is known about a board.

    Without a framework it is bare metal: then ``uart``, ``timer.base``, ``port.irqs`` and ``cpu_flags`` are there, and
    nowhere else. One region of ``memory`` holds code and one holds data. ``stack_bytes`` is the stack of what runs the
    model. ``path`` is the file of a board that does not come with the project.
    """

    id: str
    title: str
    mcu: str
    core: str
    clock_hz: int
    stack_bytes: int
    memory: tuple[MemoryRegion, ...]
    port: Port
    timer: Timer
    cpu_flags: tuple[str, ...] = ()
    uart: Uart | None = None
    emulator: Emulator | None = None
    framework: Framework | None = None
    tflm: Tflm = Tflm()
    usb: tuple[Usb, ...] = ()
    line: SerialLine = SerialLine(baud=115_200)
    run: Run = "none"
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
        """Where variables go, and the stack where it has no region of its own."""
        return next(region for region in self.memory if region.holds == "data")

    @property
    def flash_bytes(self) -> int:
        """All that code and constants may take."""
        return self.flash.bytes

    @property
    def stack_beside_elf_bytes(self) -> int:
        """Stack that an ELF's RAM does not have: a framework's linker script leaves it what remains."""
        return self.stack_bytes if self.framework else 0

    @property
    def ram_bytes(self) -> int:
        """All that variables and the stack (``stack_bytes``) may take together."""
        has_stack_apart = any(region.holds == "stack" for region in self.memory)
        return self.ram.bytes + (self.stack_bytes if has_stack_apart else 0)

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
