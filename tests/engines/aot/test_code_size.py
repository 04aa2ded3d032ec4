import subprocess
from pathlib import Path

import pytest

from tinydeploy.boards import load_boards
from tinydeploy.engines.aot.code_size import INSTANCE_CODE_BYTES, KERNEL_CODE_BYTES
from tinydeploy.engines.aot.kernel_sets import kernel_set

KERNELS = Path(__file__).resolve().parents[3] / "firmware" / "kernels"
CORES = {board.core: board.cpu_flags for board in load_boards() if board.cpu_flags}
INSTANCES = {
    "depthwise": "dsp/depthwise_strips.S",
    "gemm": "dsp/gemm_tile.S",
    "gemm_wide": "dsp/gemm_tile.S",
    "winograd": "dsp/winograd_tile.S",
}


def compiler_version():
    return subprocess.run(["arm-none-eabi-gcc", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout


def sections(kernel, flags, folder):
    """Bytes of code and of constants of its own, by section."""
    shifts = (f"#define TD_{name.upper()}_SHIFTS(X) X(8)\n#define TD_{name.upper()}_GENERAL\n" for name in INSTANCES)
    (folder / "td_shifts.h").write_text("".join(shifts))
    compiled = folder / "kernel.o"
    source = KERNELS / kernel
    language = ("-std=c99",) if source.suffix == ".c" else ()
    options = (*language, "-mthumb", "-O2", "-ffunction-sections", f"-I{KERNELS}", f"-I{folder}")
    subprocess.run(["arm-none-eabi-gcc", *flags, *options, "-c", source, "-o", compiled], check=True)
    sizes = subprocess.run(["arm-none-eabi-size", "-A", compiled], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in sizes.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith((".text", ".rodata"))}


def is_instance(section):
    return "_shift_" in section or section.endswith("_general")


def of_all_cores(kernel, folder):
    """The sections on every core that may run the kernel."""
    kernels = kernel.split("/")[0]
    return [sections(kernel, flags, folder) for core, flags in CORES.items() if kernels in runnable(kernel_set(core))]


def runnable(kernels):
    return {"scalar": ("scalar", "reference")}.get(kernels, (kernels, "scalar", "reference"))


def test_every_kernel_has_its_size_in_the_table():
    files = [path for pattern in ("*/*.c", "*/*.S") for path in KERNELS.glob(pattern)]
    on_cores = {path.relative_to(KERNELS).as_posix() for path in files if not path.stem.endswith("_in_c")}
    assert set(KERNEL_CODE_BYTES) == on_cores


@pytest.mark.skipif(not compiler_version().startswith("12.2."), reason="the table is of GCC 12.2")
@pytest.mark.parametrize("kernel", KERNEL_CODE_BYTES)
def test_the_size_in_the_table_is_that_of_the_core_with_the_largest_code(kernel, tmp_path):
    plain = [
        {name: size for name, size in found.items() if not is_instance(name)}
        for found in of_all_cores(kernel, tmp_path)
    ]
    largest = max(sum(found.values()) for found in plain)
    assert KERNEL_CODE_BYTES[kernel] == largest, "put the measured size into code_size.py"


@pytest.mark.skipif(not compiler_version().startswith("12.2."), reason="the table is of GCC 12.2")
@pytest.mark.parametrize(("name", "file"), INSTANCES.items())
def test_the_size_of_an_instance_is_that_of_its_sections(name, file, tmp_path):
    found = of_all_cores(file, tmp_path)
    is_wide = name.endswith("_wide")

    def largest(ending):
        ours = (
            sum(size for section, size in one.items() if section.endswith(ending) and ("_wide_" in section) == is_wide)
            for one in found
        )
        return max(ours)

    assert INSTANCE_CODE_BYTES[name] == (largest("_shift_8"), largest("_general"))
