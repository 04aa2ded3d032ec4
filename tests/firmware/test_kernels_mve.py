"""The kernels for Helium (MVE) against the reference kernels, on an emulated Cortex-M55.

One program runs both on random layers and compares what they write, bit for bit.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tinydeploy.files import data_dir

HERE = Path(__file__).resolve().parent
KERNELS = data_dir("firmware") / "kernels"
NAMES = tuple(sorted(source.stem for source in (KERNELS / "mve").glob("*.c")))
COMPILE = (
    *("arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-O2", "-std=c99"),
    *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror", f"-I{KERNELS}"),
)
RUN = (
    *("qemu-system-arm", "-M", "mps3-an547", "-display", "none", "-serial", "null", "-monitor", "none"),
    *("-semihosting-config", "enable=on,target=native"),
)

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("arm-none-eabi-gcc", "arm-none-eabi-objcopy", "qemu-system-arm")),
    reason="arm-none-eabi-gcc or qemu-system-arm is not installed",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What the program printed: a line for each kernel."""
    folder = tmp_path_factory.mktemp("kernels-mve")
    subprocess.run([*COMPILE, "-c", *(KERNELS / "mve" / f"{name}.c" for name in NAMES)], cwd=folder, check=True)
    for name in NAMES:
        reference = folder / f"reference_{name}.o"
        subprocess.run([*COMPILE, "-c", KERNELS / "reference" / f"{name}.c", "-o", reference], check=True)
        rename = f"--redefine-sym=td_{name}=reference_td_{name}"
        subprocess.run(["arm-none-eabi-objcopy", rename, reference], check=True)
    program = folder / "program.elf"
    script = ("--specs=nano.specs", "-nostartfiles", "-T", HERE / "kernels_mve.ld")
    subprocess.run([*COMPILE, *script, HERE / "kernels_mve.c", *folder.glob("*.o"), "-o", program], check=True)
    finished = subprocess.run([*RUN, "-kernel", program], capture_output=True, text=True, check=False, timeout=60)
    return finished.stdout + finished.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_gives_the_bits_of_the_reference_on_random_layers(report, name):
    assert f"{name} agrees" in report.splitlines()
