import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from tinydeploy import pipeline
from tinydeploy.boards import Board, Emulator, MemoryRegion, Port, Timer, Uart, find_board, load_boards, read_board
from tinydeploy.deployment import Target
from tinydeploy.errors import UsageError
from tinydeploy.files import data_dir

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = (CHECKOUT / "docs" / "boards.md").read_text(encoding="utf-8")
M4 = data_dir("boards") / "qemu-cortex-m4.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = M4.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_every_board_that_comes_along_is_valid_and_named_after_its_file():
    stems = sorted(path.stem for path in data_dir("boards").glob("*.toml"))
    assert [board.id for board in load_boards()] == stems
    assert set(stems) >= {
        "qemu-cortex-m3", "qemu-cortex-m4", "qemu-cortex-m7", "qemu-cortex-m55", "netduinoplus2", "microbit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "flash_bytes", "ram_bytes"), [("netduinoplus2", 1 << 20, 128 << 10), ("microbit", 256 << 10, 16 << 10)]
)
def test_a_board_has_the_limits_of_the_real_chip(name, flash_bytes, ram_bytes):
    board = find_board(name)
    assert (board.flash_bytes, board.ram_bytes) == (flash_bytes, ram_bytes)


@pytest.mark.parametrize("board", load_boards(), ids=lambda board: board.id)
def test_instructions_come_out_of_ticks_exactly(board: Board):
    assert board.emulator is not None
    for instructions in (0, 1, 2, 12_345, 800_000_000):
        ticks = instructions * board.timer.tick_hz * (1 << board.emulator.icount_shift) // 1_000_000_000
        for late in (0, 1):  # the timer may tick once more, or not
            assert board.instructions(ticks + late) == instructions


def qemu_monitor(board: Board, command: str) -> str:
    """What QEMU itself says about the machine."""
    assert board.emulator is not None
    start = ["qemu-system-arm", "-machine", board.emulator.machine, "-S", "-display", "none", "-monitor", "stdio"]
    done = subprocess.run(start, input=f"{command}\nquit\n", capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


@pytest.mark.parametrize("board", load_boards(), ids=lambda board: board.id)
def test_a_virtual_board_has_memory_and_devices_where_qemu_has_them(board: Board):
    core, lines = "", re.compile(r"^  ([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ([a-z/]+)\): (\S+)", re.MULTILINE)
    for view in qemu_monitor(board, "info mtree -f").split("FlatView #"):
        core = view if 'AS "cpu-memory-0"' in view else core
    places = [(int(first, 16), int(last, 16), kind, name) for first, last, kind, name in lines.findall(core)]

    def holds(address: int, nbytes: int, kinds: set[str], what: str) -> bool:
        return any(
            first <= address and address + nbytes - 1 <= last and kind in kinds and re.search(what, name)
            for first, last, kind, name in places
        )

    assert holds(board.flash.origin, board.flash_bytes, {"ram", "rom", "romd"}, "flash|ssram1|itcm"), places
    assert holds(board.ram.origin, board.ram_bytes, {"ram"}, "sram|ssram|dtcm"), places
    assert holds(board.uart.base, 4, {"i/o"}, "uart|usart|tz-ppc"), places  # TrustZone's gate stands before the an547's
    assert holds(board.timer.base, 4, {"i/o"}, "timer|tz-ppc"), places


@pytest.mark.parametrize(
    ("name", "device", "clock"),
    [
        ("qemu-cortex-m3", "cmsdk-apb-timer", 'clock-in "pclk" freq_hz=25 MHz'),
        ("qemu-cortex-m4", "cmsdk-apb-timer", 'clock-in "pclk" freq_hz=25 MHz'),
        ("qemu-cortex-m7", "cmsdk-apb-timer", 'clock-in "pclk" freq_hz=25 MHz'),
        ("qemu-cortex-m55", "mps2-fpgaio", "prescale-clk = 20000000"),
        ("netduinoplus2", "stm32f2xx-timer", "clock-frequency = 1000000000"),
    ],
)
def test_the_timer_runs_as_fast_as_qemu_says(name, device, clock):
    """QEMU does not tell the clock of the nRF51's timer."""
    devices = qemu_monitor(find_board(name), "info qtree").split("  dev: ")
    mine = [text for text in devices if text.startswith(device)]
    assert mine
    assert all(clock in text for text in mine)
    figure, unit = re.findall(r"[\d.]+ ?(?:MHz)?", clock)[-1].partition(" ")[::2]
    assert find_board(name).timer.tick_hz == int(figure) * (1_000_000 if unit == "MHz" else 1)


def test_every_port_is_one_of_a_board():
    """So what is said of all boards is said of all ports."""
    ports = data_dir("firmware") / "ports"
    used = {source for board in load_boards() for source in board.port.sources}
    assert used == {path.relative_to(ports).as_posix() for path in ports.rglob("*.c")}


def test_a_board_brings_its_own_port_from_beside_its_file(tmp_path):
    path = changed(tmp_path, '"cmsdk/timer.c"', '"./timer.c"')
    with pytest.raises(UsageError) as caught:
        find_board(str(path))
    assert f"port.sources[4]: there is no C file {tmp_path}/timer.c" in caught.value.summary
    (tmp_path / "timer.c").touch()
    assert find_board(str(path)).port.sources[4] == str(tmp_path / "timer.c")


def test_two_files_of_ones_own_cannot_have_the_same_name(tmp_path):
    path = changed(tmp_path, '"cmsdk/uart.c", "cmsdk/timer.c"', '"./a/port.c", "./b/port.c"')
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "port.c").touch()
    with pytest.raises(UsageError, match=r"two files are named port\.c"):
        find_board(str(path))


def test_an_unknown_board_is_answered_with_the_nearest_names():
    with pytest.raises(UsageError) as caught:
        find_board("qemu-cortexm4")
    assert caught.value.exit_code == 2
    assert "unknown board 'qemu-cortexm4'" in str(caught.value)
    assert "did you mean qemu-cortex-m4" in caught.value.hint


def test_an_unknown_board_that_is_near_none_is_answered_with_all():
    with pytest.raises(UsageError) as caught:
        find_board("zzz")
    assert "one of: microbit, netduinoplus2" in caught.value.hint


def test_the_path_of_a_toml_file_is_a_board():
    board = find_board(str(M4))
    assert board == find_board("qemu-cortex-m4")
    assert board.argument == str(M4)
    assert find_board("qemu-cortex-m4").argument == "qemu-cortex-m4"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('core = "cortex-m4"', 'core = "z80"', "core: 'z80' is not one of cortex-m0, "),
        ("clock_hz", "clock_khz", "clock_khz: no such key (did you mean clock_hz?)"),
        ('id = "qemu-cortex-m4"\n', "", "id: missing"),
        ('id = "qemu-cortex-m4"', 'id = "../m4"', "id: letters, digits, - and _ only"),
        ('title = "', 'title = "*/', "title: one line is needed that can stand in a C comment"),
        ("clock_hz = 25_000_000", 'clock_hz = "25 MHz"', "clock_hz: a whole number is needed, not '25 MHz'"),
        ("clock_hz = 25_000_000", "clock_hz = true", "clock_hz: a whole number is needed, not True"),
        ("clock_hz = 25_000_000", "clock_hz = 0", "clock_hz: must be positive"),
        ("rx_irq = 0", "rx_irq = 32", "uart.rx_irq: must be below port.irqs"),
        ("base = 0x4000_4000\n", "", "uart.base: missing"),
        ("args = []", 'args = "-s"', "emulator.args: a list is needed"),
        ("args = []", "args = [1]", "emulator.args[0]: text is needed, not 1"),
        ("icount_shift = 7", "icount_shift = 6", "emulator.icount_shift: one instruction must take three ticks"),
        ("icount_shift = 7", "icount_shift = 11", "emulator.icount_shift: must be between 0 and 10"),
        ("stack_bytes = 4096", "stack_bytes = 4_194_304", "stack_bytes: 4194304 does not fit into RAM"),
        ("stack_bytes = 4096", "stack_bytes = 1001", "stack_bytes: a multiple of 8 is needed"),
        ('holds = "data"', 'holds = "code"', 'memory: exactly one region that holds "code" is needed'),
        ('holds = "data"', 'holds = "files"', "memory[1].holds: 'files' is not one of code, data"),
        ("origin = 0x2000_0000", "origin = 0xFFFF_0000", "memory: a region must lie within 32-bit addresses"),
        ("origin = 0x2000_0000", "origin = 0x2000_1000", "memory: data must begin at a multiple of 1 MB"),
        ("baud = 115_200", "baud = 50_000_000", "uart.baud: must be positive, and at most uart.clock_hz"),
        ('name = "RAM"', 'name = "my RAM"', "memory: a region's name is used in C and must be a word"),
        ('name = "RAM"', 'name = "FLASH"', "memory: two regions have the same name"),
        ("cmsdk/uart.c", "cmsdk/usb.c", "port.sources[3]: there is no C file firmware/ports/cmsdk/usb.c"),
        ("[uart]", "[uart", "is not TOML: "),
        ("stack_bytes = 4096", 'stack_bytes = 4096\npath = "x"', "path: no such key"),
        ("[timer]", "[timers]", "timers: no such key (did you mean timer?)"),
    ],
)
def test_a_board_file_that_is_not_valid_is_refused_by_its_key(tmp_path, old, new, message):
    path = changed(tmp_path, old, new)
    with pytest.raises(UsageError) as caught:
        read_board(path)
    assert caught.value.exit_code == 2
    assert message in caught.value.summary
    assert caught.value.where["file"] == str(path)


def test_a_board_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: no such file or directory"):
        find_board(str(tmp_path / "none.toml"))


def test_every_key_of_a_board_file_is_documented():
    tables = {"memory": MemoryRegion, "port": Port, "uart": Uart, "timer": Timer, "emulator": Emulator}
    keys = {f.name for f in fields(Board) if f.compare and f.name not in tables} | {"memory"}
    keys |= {f"{table}.{f.name}" for table, kind in tables.items() for f in fields(kind)}
    documented = "".join(re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE))
    assert {key for key in keys if f"`{key}`" not in documented} == set()


def test_the_board_in_the_documentation_builds_and_counts_like_the_one_that_it_is_a_variant_of(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))
    for name, language in (("small-m4.toml", "toml"), ("dual_timer.c", "c")):
        block = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        assert block
        (tmp_path / name).write_text(block[1], encoding="utf-8")
    model = CHECKOUT / "examples" / "digits" / "digits_int8.tflite"
    mine, theirs = (pipeline.flash(model, Target(board=b)) for b in (str(tmp_path / "small-m4.toml"), "qemu-cortex-m4"))
    assert mine.comparison.exact
    assert mine.latency.per_inference == theirs.latency.per_inference
    assert mine.plan.board.ram_bytes == 16_384
