import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from tinydeploy import pipeline
from tinydeploy.boards import (
    Board,
    Emulator,
    Framework,
    MemoryRegion,
    Port,
    SerialLine,
    Tflm,
    Timer,
    Uart,
    Usb,
    find_board,
    load_boards,
    read_board,
)
from tinydeploy.deployment import Target
from tinydeploy.errors import UsageError
from tinydeploy.files import data_dir
from tinydeploy.link.transfer import WINDOW_CHUNKS
from tinydeploy.report.boards import boards_json, boards_markdown, with_table

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = (CHECKOUT / "docs" / "boards.md").read_text(encoding="utf-8")
M4 = data_dir("boards") / "qemu-cortex-m4.toml"
VIRTUAL = [board for board in load_boards() if board.is_virtual]
REAL = [board for board in load_boards() if not board.is_virtual]


def changed(tmp_path: Path, old: str, new: str, *, board: str = "qemu-cortex-m4") -> Path:
    text = (data_dir("boards") / f"{board}.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_every_board_that_comes_along_is_valid_and_named_after_its_file():
    stems = sorted(path.stem for path in data_dir("boards").glob("*.toml"))
    assert [board.id for board in load_boards()] == stems
    assert set(stems) >= {
        "qemu-cortex-m3", "qemu-cortex-m4", "qemu-cortex-m7", "qemu-cortex-m55", "netduinoplus2", "microbit",
        "esp32", "esp32s3", "esp32c3", "esp32-idf", "esp32s3-idf", "esp32c3-idf", "pico", "pico2", "nano33ble",
        "nucleo_f446re", "nucleo_l4r5zi", "disco_f746ng", "teensy41",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "flash_bytes", "ram_bytes"),
    [
        ("netduinoplus2", 1 << 20, 128 << 10),
        ("microbit", 256 << 10, 16 << 10),
        ("nucleo_f446re", 512 << 10, 128 << 10),
        ("nucleo_l4r5zi", 2 << 20, 640 << 10),
        ("disco_f746ng", 1 << 20, 320 << 10),
        ("pico", (2 << 20) - 4096, 264 << 10),
        ("pico2", (4 << 20) - 4096, 520 << 10),
        ("nano33ble", 960 << 10, 256 << 10),
        ("teensy41", 7936 << 10, 512 << 10),
    ],
)
def test_a_board_has_the_limits_of_the_real_chip(name, flash_bytes, ram_bytes):
    board = find_board(name)
    assert (board.flash_bytes, board.ram_bytes) == (flash_bytes, ram_bytes)


@pytest.mark.parametrize("board", VIRTUAL, ids=lambda board: board.id)
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


@pytest.mark.parametrize("board", VIRTUAL, ids=lambda board: board.id)
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
    assert used == {path.relative_to(ports).as_posix() for path in ports.rglob("*.c*")}


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_a_real_board_can_be_found_reached_and_built(board: Board):
    assert board.framework is not None
    assert board.usb
    assert board.line.boot_ms >= 500
    assert board.tflm.kernels == ("esp_nn" if board.id.startswith("esp32") else "cmsis_nn")
    assert board.run in ("compiled", "none"), "say in docs/boards.md what else was done"
    assert 0 < board.framework.ram_bytes < board.ram_bytes / 2
    assert 0 < board.framework.flash_bytes < board.flash_bytes / 2


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_a_serial_port_without_flow_control_buffers_what_a_host_sends_ahead(board: Board):
    sizes = [re.fullmatch(r"-DSERIAL_RX_BUFFER_SIZE=(\d+)", flag) for flag in board.framework.build_flags]
    is_st = board.framework.platform.startswith("platformio/ststm32@")
    assert any(sizes) == is_st
    assert all(int(size[1]) > WINDOW_CHUNKS * (512 + 64) for size in sizes if size)


def test_boards_that_are_reset_by_opening_their_port_say_how_not_to():
    resettable = {board.id for board in load_boards() if board.line.reset != "none"}
    assert resettable == {board.id for board in load_boards() if board.line.on_open == "off"}
    assert resettable == {board.id for board in load_boards() if board.id.startswith("esp32")}


def test_a_line_is_as_fast_as_the_uart_where_the_file_says_nothing(tmp_path):
    assert read_board(changed(tmp_path, "baud = 115_200", "baud = 57_600")).line == SerialLine(baud=57_600)


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
    assert "one of: disco_f746ng, esp32, " in caught.value.hint


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
        ("irqs = 32", "", "port.irqs: missing"),
        ("base = 0x4000_0000\n", "", "timer.base: missing"),
        ("cpu_flags = ", "# ", "cpu_flags: missing"),
        ("[emulator]", "[line]\nbaud = 9600\n\n[emulator]", "line.baud: must be uart.baud"),
        ("[emulator]", "[[usb]]\nvendor = 65_536\nproduct = 1\n[emulator]", "usb: vendor and product are numbers of"),
        ('holds = "code"', 'holds = "stack"', 'memory: exactly one region that holds "code" is needed'),
        ('run = "emulation"', 'run = "yes"', "run: 'yes' is not one of silicon, emulation, compiled, none"),
    ],
)
def test_a_board_file_that_is_not_valid_is_refused_by_its_key(tmp_path, old, new, message):
    path = changed(tmp_path, old, new)
    with pytest.raises(UsageError) as caught:
        read_board(path)
    assert caught.value.exit_code == 2
    assert message in caught.value.summary
    assert caught.value.where["file"] == str(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[line]", "[[usb]]\nvendor = 1\nproduct = 1\n[lines]", "lines: no such key (did you mean line?)"),
        ('kernels = "cmsis_nn"', 'kernels = "none"', "tflm.kernels: 'none' is not one of cmsis_nn, esp_nn"),
        ("tick_hz = 133_000_000", "tick_hz = 1\nbase = 0", "timer.base: a board with a framework has none"),
        ("[timer]", "irqs = 3\n[timer]", "port.irqs: a board with a framework has none"),
        ("[timer]", '[emulator]\nmachine = "x"\nargs = []\nicount_shift = 7\n[timer]', "emulator: a board with a fr"),
        ('framework = "arduino"', 'framework = "mbed"', "framework.framework: 'mbed' is not one of arduino, espidf"),
        ('board = "pico"', 'board = "pi\\nco"', "framework.board: letters, digits, - and _ only"),
        ('options = ["', 'options = ["x = 1\\n[env]', "framework.options: each must be one line"),
        (
            'options = ["board_build.core = earlephilhower"]',
            'options = ["x"]',
            'framework.options: each is "name = value"',
        ),
        (
            'framework = "arduino"',
            'framework = "arduino"\nbuild_flags = [""]',
            "framework.build_flags: each must be one",
        ),
        ("ram_bytes = 16_384", "ram_bytes = -1", "framework.ram_bytes: must not be negative"),
        ("boot_ms = 2000", "boot_ms = -1", "line.boot_ms: must not be negative"),
        ("baud = 115_200", "baud = 0", "line.baud: must be positive"),
        ("bytes = 8_192", "bytes = 8_184", "stack_bytes: 8192 does not fit into RAM"),
        ('name = "SCRATCH"', 'name = "RAM"', "memory: two regions have the same name"),
        ("arduino/port.cpp", "arduino/none.cpp", "port.sources[0]: there is no C file firmware/ports/arduino/none.cpp"),
    ],
)
def test_a_board_file_with_a_framework_is_refused_by_its_key_too(tmp_path, old, new, message):
    with pytest.raises(UsageError) as caught:
        read_board(changed(tmp_path, old, new, board="pico"))
    assert message in caught.value.summary


def test_a_board_with_a_framework_has_to_say_how_its_line_is(tmp_path):
    path = changed(tmp_path, "baud = 115_200\n", "", board="pico")
    path.write_text(
        re.sub(r"\[line\].*?(?=\n#)", "", path.read_text(encoding="utf-8"), flags=re.DOTALL), encoding="utf-8"
    )
    with pytest.raises(UsageError, match="line: missing"):
        read_board(path)


def test_a_board_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: no such file or directory"):
        find_board(str(tmp_path / "none.toml"))


def test_every_key_of_a_board_file_is_documented():
    tables = {
        "memory": MemoryRegion, "port": Port, "uart": Uart, "timer": Timer, "emulator": Emulator,
        "framework": Framework, "line": SerialLine, "usb": Usb, "tflm": Tflm,
    }  # fmt: skip
    keys = {f.name for f in fields(Board) if f.compare and f.name not in tables} | {"memory"}
    keys |= {f"{table}.{f.name}" for table, kind in tables.items() for f in fields(kind)}
    documented = "".join(re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE))
    assert {key for key in keys if f"`{key}`" not in documented} == set()


def test_the_board_with_a_framework_in_the_documentation_is_a_valid_one(tmp_path):
    (block,) = [
        text for text in re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "[framework]" in text
    ]
    (tmp_path / "my-pico.toml").write_text(block, encoding="utf-8")
    mine, theirs = find_board(str(tmp_path / "my-pico.toml")), find_board("pico")
    assert (mine.ram_bytes, mine.port, mine.timer) == (theirs.ram_bytes, theirs.port, theirs.timer)
    model = CHECKOUT / "examples" / "digits" / "digits_int8.tflite"
    (plan,) = pipeline.inspect(model, [str(tmp_path / "my-pico.toml")], engine="aot")
    assert plan.fits
    assert plan.ram.uses["arduino (estimate)"] == 16_384


def test_the_table_of_boards_in_the_readme_is_up_to_date():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, boards_markdown(load_boards())) == readme, (
        "run: python -m tinydeploy.report.boards README.md"
    )


def test_a_page_without_the_markers_is_not_written_to():
    with pytest.raises(ValueError, match="0 blocks between"):
        with_table("# Boards\n", "")


def test_what_was_run_on_a_board_is_told_in_every_form():
    by_id = {board["board"]: board for board in boards_json(load_boards())["boards"]}
    assert (by_id["pico"]["run"], by_id["pico"]["framework"], by_id["pico"]["virtual"]) == (
        "compiled",
        "arduino",
        False,
    )
    assert (by_id["microbit"]["run"], by_id["microbit"]["framework"]) == ("emulation", None)
    rows = {line.split("`")[1]: line for line in boards_markdown(load_boards()).splitlines()[2:]}
    assert rows["microbit"].endswith("| in QEMU |")
    assert rows["pico"].endswith("| compiled only |")
    assert rows["esp32"].endswith("| not run |")


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
