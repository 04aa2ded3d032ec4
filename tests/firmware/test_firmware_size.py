"""What the link costs on a small board."""

import subprocess
from pathlib import Path

from host_firmware import FIRMWARE, HOST_PARTS

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]

# What tests/firmware/td_config.h asks for: two aligned inputs and outputs, and the layers' times.
BUFFERS_BYTES = 2 * (1008 + 656) + 4 * 40


def test_the_link_takes_little_of_a_small_board(tmp_path: Path) -> None:
    """Bounds for a Cortex-M4 at -Os, so that the whole firmware without its model stays below 16,000 bytes."""
    target = ["-mcpu=cortex-m4", "-mthumb", "-Os", f"-I{HOST_PARTS}", f"-I{FIRMWARE / 'include'}"]
    objects = []
    for source in sorted(set((FIRMWARE / "src").glob("td_*.c")) - {FIRMWARE / "src" / "td_sha256.c"}):
        objects.append(tmp_path / f"{source.stem}.o")
        subprocess.run(["arm-none-eabi-gcc", *STRICT, *target, "-c", source, "-o", objects[-1]], check=True)
    sizes = subprocess.run(["arm-none-eabi-size", "-t", *objects], check=True, capture_output=True, text=True).stdout
    text, data, bss = (int(field) for field in sizes.splitlines()[-1].split()[:3])
    assert text + data < 3_700
    assert bss - BUFFERS_BYTES < 600
