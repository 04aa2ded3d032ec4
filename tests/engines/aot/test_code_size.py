import subprocess
from pathlib import Path

import pytest

from tinydeploy.boards import load_boards
from tinydeploy.engines.aot.code_size import KERNEL_CODE_BYTES

KERNELS = Path(__file__).resolve().parents[3] / "firmware" / "kernels"
CORES = {board.core: board.cpu_flags for board in load_boards() if board.cpu_flags}


def compiler_version():
    return subprocess.run(["arm-none-eabi-gcc", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout


def text_bytes(kernel, flags, folder):
    compiled = folder / "kernel.o"
    source = KERNELS / kernel
    options = ("-std=c99", "-mthumb", "-O2", "-ffunction-sections", f"-I{KERNELS}")
    subprocess.run(["arm-none-eabi-gcc", *flags, *options, "-c", source, "-o", compiled], check=True)
    sizes = subprocess.run(["arm-none-eabi-size", compiled], check=True, capture_output=True, text=True).stdout
    return int(sizes.splitlines()[1].split()[0])


def test_every_reference_kernel_has_its_size_in_the_table():
    assert set(KERNEL_CODE_BYTES) == {f"reference/{path.name}" for path in (KERNELS / "reference").glob("*.c")}


@pytest.mark.skipif(not compiler_version().startswith("12.2."), reason="the table is of GCC 12.2")
@pytest.mark.parametrize("kernel", KERNEL_CODE_BYTES)
def test_the_size_in_the_table_is_that_of_the_core_with_the_largest_code(kernel, tmp_path):
    largest = max(text_bytes(kernel, flags, tmp_path) for flags in CORES.values())
    assert KERNEL_CODE_BYTES[kernel] == largest, "put the measured size into code_size.py"
