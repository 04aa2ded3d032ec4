"""The scalar kernels against the reference ones, on random layers: on this machine, and on Cortex-M0 and M3 in QEMU."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinydeploy.files import data_dir

_HERE = Path(__file__).resolve().parent
_KERNELS = data_dir("firmware") / "kernels"
_FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{_KERNELS}")
_SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_TESTED = ("add", "average_pool_2d", "conv_2d", "depthwise_conv_2d", "fully_connected", "max_pool_2d")

_LINKER_SCRIPT = """
MEMORY
{
    CODE (rx) : ORIGIN = 0, LENGTH = 256K
    DATA (rwx) : ORIGIN = 0x20000000, LENGTH = 16K
}
ENTRY(main)
SECTIONS
{
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > CODE
    .data : { *(.data*) } > DATA
    .bss (NOLOAD) : { *(.bss*) *(COMMON) } > DATA
    ASSERT(SIZEOF(.data) == 0, "nothing copies initialised data")
    stack_top = ORIGIN(DATA) + LENGTH(DATA);
}
"""


@dataclass(frozen=True)
class Board:
    core: str
    machine: str


_BOARDS = (
    Board(core="cortex-m0", machine="microbit"),  # which faults on what is not aligned
    Board(core="cortex-m3", machine="mps2-an385"),
)


def build(folder, compiler, program, *more):
    """The program that compares; of its kernels the scalar ones get other names."""
    objects = []
    for kernel in _TESTED:
        for name in ("reference", "scalar"):
            target = folder / f"{name}_{kernel}.o"
            rename = [f"-Dtd_{kernel}={name}_td_{kernel}"] if name == "scalar" else []
            compile_c([*compiler, *_FLAGS, *rename, "-c", _KERNELS / name / f"{kernel}.c", "-o", target])
            objects.append(target)
    compile_c([*compiler, *_FLAGS, *objects, _HERE / "kernels_scalar.c", *more, "-o", program])


def compile_c(command):
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def assert_agrees(command):
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    assert [line for line in said.splitlines() if line.endswith(" agrees")] == [f"{name} agrees" for name in _TESTED]


def test_scalar_kernels_compute_on_this_machine_what_the_reference_does(tmp_path):
    build(tmp_path, ["gcc", *_SANITIZED], tmp_path / "trial")
    assert_agrees([tmp_path / "trial"])


@pytest.mark.parametrize("board", _BOARDS, ids=lambda board: board.core)
def test_scalar_kernels_compute_on_a_cortex_m_what_the_reference_does(board, tmp_path):
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    script = tmp_path / "trial.ld"
    script.write_text(_LINKER_SCRIPT)
    compiler = ["arm-none-eabi-gcc", f"-mcpu={board.core}", "-mthumb", "-O2", "-ffunction-sections"]
    build(tmp_path, compiler, tmp_path / "trial.elf", "-nostartfiles", "--specs=nano.specs", f"-T{script}")
    emulator = ["qemu-system-arm", "-M", board.machine, "-display", "none", "-serial", "null", "-monitor", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native"]
    assert_agrees([*emulator, *semihosting, "-kernel", tmp_path / "trial.elf"])
