import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from elftools.elf.elffile import ELFFile
from golden_project import golden_project
from stub_project import COPY_MODEL, stub_project

from tinydeploy.boards import find_board, load_boards
from tinydeploy.build import build_project
from tinydeploy.errors import BuildError, FitError, UsageError
from tinydeploy.files import data_dir, write_tree
from tinydeploy.image import read_image

M4 = find_board("qemu-cortex-m4")
KERNELS = ("reference/conv_2d.c", "reference/depthwise_conv_2d.c", "reference/fully_connected.c")
ALL_KERNELS = tuple(
    f"reference/{path.name}" for path in sorted((data_dir("firmware") / "kernels/reference").glob("*.c"))
)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The firmware for one board, built once: for tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return build_project(stub_project(M4), tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("board", [board for board in load_boards() if board.is_virtual], ids=lambda board: board.id)
def test_the_whole_firmware_builds_without_a_warning_and_lies_where_the_board_has_memory(board, tmp_path):
    lines: list[str] = []
    begin = time.monotonic()
    image = build_project(stub_project(board, kernels=ALL_KERNELS), tmp_path / "project", lines.append)
    assert time.monotonic() - begin < 60  # 5 s on an idle machine, from an empty cache
    assert not [line for line in lines if "warning" in line.lower()]
    assert 1000 <= image.model_bytes < 1200  # the weights, a tensor, its name, td_model
    assert 3000 < image.code_bytes < 8000
    assert board.stack_bytes < image.ram_bytes < board.stack_bytes + 2048
    assert image.flash_bytes == image.model_bytes + image.code_bytes
    with image.elf.open("rb") as stream:
        sections = {section.name: section for section in ELFFile(stream).iter_sections()}
        assert sections[".vectors"]["sh_addr"] == board.flash.origin
        assert sections[".vectors"]["sh_size"] == 4 * (16 + board.port.irqs)
        assert sections[".stack"]["sh_addr"] == board.ram.origin
        assert sections[".stack"]["sh_size"] == board.stack_bytes


def test_sizes_agree_with_the_toolchains_own(built):
    out = subprocess.run(["arm-none-eabi-size", "-B", "-d", built.elf], capture_output=True, text=True, check=True)
    text, data, bss = (int(word) for word in out.stdout.splitlines()[1].split()[:3])
    assert built.flash_bytes == text + data
    assert built.ram_bytes == data + bss


def test_progress_is_told_line_by_line_and_an_unchanged_project_is_not_built_again(tmp_path):
    lines: list[str] = []
    first = build_project(stub_project(M4), tmp_path, lines.append)
    assert any(line.startswith("Compiling ") and line.endswith("src/model.o") for line in lines)
    assert any(line.startswith("Linking ") for line in lines)
    firmware = tmp_path / ".pio/build/qemu-cortex-m4/firmware.elf"
    linked = firmware.stat().st_mtime_ns
    lines.clear()
    assert build_project(stub_project(M4), tmp_path, lines.append) == first
    assert firmware.stat().st_mtime_ns == linked
    assert lines == []


def test_a_change_is_built_and_what_the_old_project_had_more_is_removed(tmp_path):
    before = build_project(stub_project(M4, kernels=KERNELS), tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    after = build_project(stub_project(M4, COPY_MODEL.replace(b"1000", b"2000")), tmp_path)
    assert after.model_bytes == before.model_bytes + 1000
    assert not (tmp_path / "firmware/kernels/reference/conv_2d.c").exists()
    assert (tmp_path / "notes.txt").exists()


def test_what_an_interrupted_build_left_is_never_used(tmp_path):
    """Killed in the middle of another project's build; then the first project again, whose stamp could be believed."""
    image = build_project(stub_project(M4), tmp_path)
    other = stub_project(M4, COPY_MODEL.replace(b"1000", b"5000"), kernels=KERNELS)
    killed = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from stub_project import *
from tinydeploy.boards import find_board
from tinydeploy.build import build_project
other = stub_project(find_board("qemu-cortex-m4"), COPY_MODEL.replace(b"1000", b"5000"), kernels={KERNELS!r})
assert other.build_id.hex() == {other.build_id.hex()!r}
def die(line):
    if "Compiling" in line and "model.o" in line: os.kill(os.getpid(), signal.SIGKILL)
build_project(other, Path({str(tmp_path)!r}), die)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    assert build_project(stub_project(M4), tmp_path) == image
    built = image.elf.read_bytes()
    image.elf.unlink()
    assert build_project(stub_project(M4), tmp_path) == image
    assert image.elf.read_bytes() == built


def test_an_image_stays_what_it_is_while_other_projects_are_built_in_its_folder(tmp_path):
    image = build_project(stub_project(M4), tmp_path)
    firmware = image.elf.read_bytes()
    other = build_project(stub_project(M4, COPY_MODEL.replace(b"1000", b"2000")), tmp_path)
    assert other.elf != image.elf
    assert image.elf.read_bytes() == firmware
    assert other.model_bytes == read_image(image.elf).model_bytes + 1000


def test_half_an_image_is_built_again(tmp_path):
    project = stub_project(M4)
    whole = build_project(project, tmp_path).elf
    content = whole.read_bytes()
    whole.write_bytes(content[:100])
    assert build_project(project, tmp_path).elf.read_bytes() == content


def test_a_folder_keeps_the_images_that_were_used_last(tmp_path):
    images = tmp_path / ".pio" / "images"
    images.mkdir(parents=True)
    for age in range(1, 10):
        (images / f"{age}.elf").touch()
        os.utime(images / f"{age}.elf", (1000 - age, 1000 - age))
    image = build_project(stub_project(M4), tmp_path)
    assert {elf.stem for elf in images.iterdir()} == {image.elf.stem, *"1234567"}


def test_two_builds_of_one_folder_at_the_same_time_wait_for_each_other(tmp_path):
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda _: build_project(stub_project(M4), tmp_path), range(2)))
    assert images[0] == images[1]


def test_two_builds_in_two_folders_at_the_same_time_do_not_disturb_each_other(tmp_path):
    boards = [find_board("qemu-cortex-m3"), M4]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda b: build_project(stub_project(b), tmp_path / b.id), boards))
    assert images == [read_image(tmp_path / b.id / f".pio/images/{stub_project(b).build_id.hex()}.elf") for b in boards]


def test_a_compiler_error_is_shown_with_its_place(tmp_path):
    with pytest.raises(BuildError) as caught:
        build_project(stub_project(M4, COPY_MODEL + b"int unused = undeclared;\n"), tmp_path / "it's mine")
    assert caught.value.exit_code == 5
    assert caught.value.summary == "the firmware does not build"
    line = COPY_MODEL.count(b"\n") + 1
    assert f"src/model.c:{line}:14: error: 'undeclared' undeclared here" in caught.value.where["errors"]
    command = caught.value.hint.removeprefix("look at the whole of it: ")
    assert shlex.split(command) == ["pio", "run", "-d", f"{tmp_path}/it's mine"]


@pytest.mark.parametrize(
    ("compiler", "told"),
    [
        ("exit 3", "*** [.pio/build/qemu-cortex-m4/firmware/src/td_"),
        ("echo out of licences >&2; exit 3", "out of licences\n*** ["),
        ("kill -9 $$", "Killed\n*** ["),
    ],
)
def test_a_compiler_that_says_no_error_is_quoted_without_what_platformio_says(compiler, told, tmp_path, monkeypatch):
    gcc = tmp_path / "bin" / "arm-none-eabi-gcc"
    gcc.parent.mkdir()
    gcc.write_text(f"#!/bin/sh\n{compiler}\n", encoding="ascii")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gcc.parent}:{os.environ['PATH']}")
    with pytest.raises(BuildError) as caught:
        build_project(stub_project(M4), tmp_path / "project")
    errors = caught.value.where["errors"]
    assert errors.startswith(told)
    lines = errors.splitlines()
    assert len(set(lines)) == len(lines)
    assert all(line.startswith("***") or line in told for line in lines), lines


def test_a_warning_is_shown_and_does_not_stop_the_build(tmp_path):
    """Another compiler than ours may warn of something new."""
    lines: list[str] = []
    build_project(stub_project(M4, COPY_MODEL + b"static void never(void) {}\n"), tmp_path, lines.append)
    assert [line for line in lines if "'never' defined but not used" in line]


@pytest.mark.parametrize(
    ("old", "new", "region", "there"),
    [
        (b"memcpy(outputs", b"static uint8_t a[20000]; memcpy(a, inputs, 16); memcpy(outputs", "RAM", "16,384 B"),
        (b"1000", b"300000", "FLASH", "262,144 B"),
    ],
    ids=["RAM", "FLASH"],
)
def test_a_firmware_that_is_too_large_is_short_by_so_many_bytes(old, new, region, there, tmp_path):
    with pytest.raises(FitError) as caught:
        build_project(stub_project(find_board("microbit"), COPY_MODEL.replace(old, new)), tmp_path)
    assert caught.value.exit_code == 4
    told = re.fullmatch(
        rf"the firmware does not fit into {region}: ([\d,]+) B needed, {there} there \(([\d,]+) B short\)",
        caught.value.summary,
    )
    assert told
    needed, short = (int(figure.replace(",", "")) for figure in told.groups())
    assert needed - short == int(there[:-2].replace(",", ""))
    assert caught.value.where["board"].startswith("microbit, ")


def test_a_missing_compiler_is_named_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        build_project(stub_project(M4), tmp_path / "project")
    assert caught.value.exit_code == 5
    assert caught.value.summary == "arm-none-eabi-gcc is not installed"
    assert "sudo apt install gcc-arm-none-eabi" in caught.value.hint
    assert not (tmp_path / "project").exists()


def test_a_missing_c_library_is_named_with_its_package(tmp_path, monkeypatch):
    """What Debian's compiler says without newlib."""
    gcc = tmp_path / "bin" / "arm-none-eabi-gcc"
    gcc.parent.mkdir()
    said = "arm-none-eabi-gcc: fatal error: cannot read spec file 'nano.specs': No such file or directory"
    gcc.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n', encoding="ascii")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gcc.parent}:{os.environ['PATH']}")
    with pytest.raises(BuildError) as caught:
        build_project(stub_project(M4), tmp_path / "project")
    assert caught.value.summary == "the C library for Arm is not installed"
    assert caught.value.where["errors"].startswith(said)
    assert caught.value.hint == "sudo apt install libnewlib-arm-none-eabi"


def pio_run(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """PlatformIO as a user calls it, with a home folder in which it has never run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PLATFORMIO_", "TINYDEPLOY_"))}
    command = [sys.executable, "-m", "platformio", "run"]
    return subprocess.run(
        command, cwd=folder, env={**env, "HOME": str(home)}, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", ["a(b)", "it's", "a;b", "a,b", "a, b", "50%", "a $HOME"])
def test_a_folder_that_no_shell_takes_as_it_is_is_refused_before_anything_is_written(name, tmp_path):
    with pytest.raises(UsageError, match="nothing can be built in a folder with") as caught:
        build_project(stub_project(M4), tmp_path / name)
    assert caught.value.where == {"folder": str(tmp_path / name)}
    assert not (tmp_path / name).exists()


def test_a_folder_with_a_space_may_have_all_that_quotes_keep(tmp_path):
    assert build_project(stub_project(M4), tmp_path / "it's (mine); a & b").code_bytes > 3000


def test_a_project_builds_with_plain_platformio_and_after_it_was_moved(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    first = tmp_path / "first"
    write_tree(first, golden_project().files)
    built = pio_run(first, home)
    assert "SUCCESS" in built.stdout, built.stderr
    assert "warning" not in (built.stdout + built.stderr).lower()
    second = tmp_path / "a second place"
    shutil.move(first, second)
    moved = pio_run(second, home)
    assert "SUCCESS" in moved.stdout, moved.stderr
    assert not list((home / ".platformio").rglob("*.pio-link"))


def test_scons_as_platformio_has_downloaded_it_is_preferred(tmp_path):
    from platformio.dependencies import get_core_dependencies

    genuine = tmp_path / "home" / ".platformio" / "packages" / "tool-scons"
    version = get_core_dependencies()["tool-scons"].lstrip("~")
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
    files = {
        "package.json": json.dumps({"name": "tool-scons", "version": version}),
        ".piopm": json.dumps({"type": "tool", "name": "tool-scons", "version": version, "spec": spec}),
        "scons.py": "print('the genuine one')",
    }
    write_tree(genuine, {PurePosixPath(name): text.encode() for name, text in files.items()})
    write_tree(tmp_path / "project", stub_project(M4).files)
    assert "the genuine one" in pio_run(tmp_path / "project", tmp_path / "home").stdout


def test_a_project_for_a_board_of_ones_own_builds(tmp_path):
    mine = replace(M4, id="mine", title="My own board", emulator=None)
    image = build_project(stub_project(mine), tmp_path)
    assert image.elf.read_bytes() == (tmp_path / ".pio/build/mine/firmware.elf").read_bytes()


@pytest.mark.parametrize(("board", "register"), [("netduinoplus2", 0x08), ("qemu-cortex-m4", 0x10)])
def test_the_uart_divides_its_clock_by_the_nearest_divisor(board, register, tmp_path):
    """Read from the register: stm32f4 RM0090 USART_BRR, CMSDK (DDI 0479) BAUDDIV."""
    board = find_board(board)
    elf = build_project(stub_project(board), tmp_path).elf
    command = [*board.emulator.command, "-kernel", elf, "-serial", "null", "-monitor", "stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as qemu:
        try:
            divisor, deadline = 0, time.monotonic() + 60
            while not divisor and time.monotonic() < deadline:
                qemu.stdin.write(f"xp /1wx {board.uart.base + register:#x}\n")
                qemu.stdin.flush()
                answer = next(line for line in qemu.stdout if re.match(r"[0-9a-f]+: 0x", line))
                divisor = int(answer.split(": ")[1], 16)
        finally:
            qemu.kill()
    assert divisor == round(board.uart.clock_hz / board.uart.baud)
