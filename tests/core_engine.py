"""Models compiled by the `aot` engine and run on cores that QEMU emulates: what `host_engine` is for this machine.

    outputs, = run_on_core("cortex-m4", [Case(model, inputs)])

One call builds one program for all its models, with the kernels that the core's boards get, and runs it. Beside the
outputs it checks that models leave their inputs alone, write nothing behind their outputs and, of the memory that the
arenas of all models lie in, no more than their own arena.
"""

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from host_engine import (
    HERE,
    KERNELS,
    Case,
    compile_all,
    object_name,
    requests_of,
    results_of,
    run_compiler,
    write_all_shifts,
    write_models,
)

from tinydeploy.engines.aot.kernel_sets import kernel_set
from tinydeploy.files import data_dir

_COMPILE = (
    *("arm-none-eabi-gcc", "-O2", "-std=c99", "-mthumb", "-ffunction-sections", "-fdata-sections"),
    *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"),
    *(f"-I{folder}" for folder in (data_dir("firmware") / "include", KERNELS)),
)
_LINK = ("-nostartfiles", "--specs=nano.specs", "--specs=rdimon.specs", "-Wl,--gc-sections")

_SECTIONS = """
ENTRY(reset)
SECTIONS
{
    .text : { KEEP(*(.vectors)) *(.text*) . = ALIGN(4); } > CODE
    .rodata : { *(.rodata*) . = ALIGN(4); } > CONSTANTS
    .ARM.exidx : { *(.ARM.exidx*) } > CONSTANTS
    .data : { *(.data*) } > DATA
    .arenas (NOLOAD) : { arenas_start = .; . += 4096; *(.bss.arena*) . += 4096; arenas_end = .; } > DATA
    .bss (NOLOAD) : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(8); bss_end = .; end = .; } > DATA
    stack_top = ORIGIN(DATA) + LENGTH(DATA);
}
"""


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core, and the machine of QEMU that stands for it; its memory as a linker script says it."""

    machine: str
    cpu_flags: tuple[str, ...]
    memory: str


_MPS2 = """MEMORY
{
    CODE (rx) : ORIGIN = 0x00000000, LENGTH = 1M
    CONSTANTS (r) : ORIGIN = 0x00100000, LENGTH = 3M
    DATA (rwx) : ORIGIN = 0x20000000, LENGTH = 4M
}
"""
_MPS3 = """MEMORY
{
    CODE (rx) : ORIGIN = 0x10000000, LENGTH = 512K
    CONSTANTS (r) : ORIGIN = 0x60000000, LENGTH = 16M
    DATA (rwx) : ORIGIN = 0x31000000, LENGTH = 4M
}
"""

CORES = {
    # On a machine with a Cortex-M3, whose memory has room for many models: the code is Armv6-M's, and faults as there.
    "cortex-m0": Core(machine="mps2-an385", cpu_flags=("-mcpu=cortex-m0",), memory=_MPS2),
    "cortex-m3": Core(machine="mps2-an385", cpu_flags=("-mcpu=cortex-m3",), memory=_MPS2),
    "cortex-m4": Core(
        machine="mps2-an386", cpu_flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), memory=_MPS2
    ),
    "cortex-m7": Core(
        machine="mps2-an500", cpu_flags=("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"), memory=_MPS2
    ),
    "cortex-m55": Core(machine="mps3-an547", cpu_flags=("-mcpu=cortex-m55", "-mfloat-abi=hard"), memory=_MPS3),
}
"""By the names that boards give them."""

needs_emulator = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("arm-none-eabi-gcc", "qemu-system-arm")),
    reason="arm-none-eabi-gcc or qemu-system-arm is not installed",
)


def run_on_core(name: str, cases: Sequence[Case]) -> list[list[np.ndarray]]:
    """The outputs that the compiled models give, one list a case, each array with one row a sample."""
    command = ["qemu-system-arm", "-M", CORES[name].machine, "-display", "none", "-serial", "null", "-monitor", "none"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = _build(folder, name, cases)
        (folder / "requests").write_bytes(requests_of(cases))
        command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
        finished = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=600)
        assert finished.returncode == 0, f"{name}: status {finished.returncode}, {finished.stderr.decode()}"
        return results_of((folder / "results").read_bytes(), cases)


def _build(folder: Path, name: str, cases: Sequence[Case]) -> Path:
    core, objects = CORES[name], _objects(name)
    models, kernels = write_models(folder, [case.plan(kernel_set(name)) for case in cases])
    compiler = [*_COMPILE, *core.cpu_flags, f"-I{objects}"]
    given = {objects / object_name(kernel): KERNELS / kernel for kernel in kernels}
    given |= {objects / object_name(source): HERE / source for source in ("core_start.c", "host_runner.c")}
    compile_all(compiler, models | given)
    script = folder / "program.ld"
    script.write_text(core.memory + _SECTIONS)
    run_compiler([*compiler, *_LINK, f"-T{script}", *models, *given, "-o", folder / "program.elf"])
    return folder / "program.elf"


@functools.cache
def _objects(name: str) -> Path:
    """A folder for the object files of the kernels that models on the core have called, and of what runs models."""
    folder = Path(tempfile.mkdtemp(prefix=f"tinydeploy-{name}-"))
    write_all_shifts(folder)
    return folder
