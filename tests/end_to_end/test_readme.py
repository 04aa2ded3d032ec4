"""What the README shows is what its commands print."""

import re
import subprocess

import pytest
from command_line import CHECKOUT, DIGITS, DIGITS_SAMPLES

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BOARD = "qemu-cortex-m4"
COMPILER = subprocess.run(["arm-none-eabi-gcc", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout

pytestmark = pytest.mark.skipif(not COMPILER.startswith("12.2."), reason="the README's figures are of GCC 12.2")


def without_stack(lines: list[str]) -> list[str]:
    """All but the stack's high-water mark, which depends on when interrupts came."""
    return [line for line in lines if not line.startswith("  stack ")]


def test_the_readme_shows_the_output_of_the_demo(tool):
    command, *shown = re.search(r"```\n\$ (.*?)```", README, re.DOTALL)[1].splitlines()
    finished = tool("flash", DIGITS, "--board", BOARD, "--samples", DIGITS_SAMPLES)
    assert without_stack(finished.out.splitlines()) == without_stack(shown), "copy `make demo`'s output into README.md"
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8").replace("\\\n\t\t", "")
    assert command in makefile


@pytest.mark.parametrize("name", ["hello_world", "ad01", "micro_speech", "kws", "resnet8", "vww"])
def test_the_readme_has_the_figures_of_each_public_model(name, model_file, deploy):
    deployment = deploy(model_file(f"{name}_int8.tflite"), [BOARD])[BOARD]
    image = deployment.image
    measured = (
        deployment.latency.per_inference,
        deployment.plan.engine.arena_bytes,
        image.ram_bytes,
        image.flash_bytes,
        image.code_bytes,
    )
    row = " | ".join(f"{figure:,}" for figure in measured)
    assert re.search(rf"^\| {name} \(.*\) \| [\d,]+ \| {row} \|$", README, re.MULTILINE), f"in README.md: {row}"
