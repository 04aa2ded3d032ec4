"""What `generate` writes is a project of its own: PlatformIO alone builds it, always to the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import DIGITS

from tinydeploy.deployment import Target
from tinydeploy.image import read_image
from tinydeploy.pipeline import build, generate


def plain_pio_run(project: Path, core_dir: Path) -> Path:
    """PlatformIO as somebody calls it who has never used it before; gives the firmware."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PLATFORMIO_", "TINYDEPLOY_"))}
    finished = subprocess.run(
        [sys.executable, "-m", "platformio", "run", "-d", str(project)],
        cwd=core_dir.parent,
        env={**env, "PLATFORMIO_CORE_DIR": str(core_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "SUCCESS" in finished.stdout
    assert "warning" not in finished.stdout + finished.stderr
    return next((project / ".pio" / "build").glob("*/firmware.elf"))


@pytest.mark.usefixtures("use_cache")
@pytest.mark.parametrize("board", ["qemu-cortex-m4", "microbit"])
def test_a_generated_project_builds_with_plain_platformio_to_the_same_firmware(board, tmp_path):
    target = Target(board=board)
    ours = build(DIGITS, target).image
    projects = [tmp_path / "first", tmp_path / "elsewhere" / "a second"]
    for project in projects:
        generate(DIGITS, target, project)
    first, second = (plain_pio_run(project, tmp_path / "core") for project in projects)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() == ours.elf.read_bytes()
    assert read_image(first).code_bytes == ours.code_bytes
