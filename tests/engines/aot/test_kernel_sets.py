"""Which kernels which core runs."""

import re
from pathlib import Path

import pytest

from tinydeploy.boards import load_boards
from tinydeploy.engines.aot.kernel_sets import kernel_files, kernel_header, kernel_set, kernel_source

KERNELS = Path(__file__).resolve().parents[3] / "firmware" / "kernels"
FILES = sorted(path.relative_to(KERNELS).as_posix() for path in KERNELS.glob("*/*.c"))


@pytest.mark.parametrize(
    ("core", "kernels"),
    [
        ("cortex-m0", "scalar"),
        ("cortex-m0plus", "scalar"),
        ("cortex-m3", "scalar"),
        ("cortex-m4", "dsp"),
        ("cortex-m7", "dsp"),
        ("cortex-m33", "dsp"),
        ("cortex-m55", "mve"),
        ("rv32imc", "scalar"),
        ("xtensa-lx7", "scalar"),
    ],
)
def test_a_core_runs_what_its_instructions_allow(core, kernels):
    assert kernel_set(core) == kernels


def test_every_board_has_a_kernel_set():
    assert {kernel_set(board.core) for board in load_boards()} == {"scalar", "dsp", "mve"}


def test_a_set_takes_what_it_lacks_from_the_next():
    assert kernel_source("mve", "strided_copy") == "reference/strided_copy.c"
    assert kernel_source("scalar", "conv_2d") == "scalar/conv_2d.c"
    assert kernel_source("reference", "conv_2d") == "reference/conv_2d.c"


def test_parts_in_assembler_come_along_once():
    files = kernel_files("dsp", ("conv_2d_gemm", "pointwise"))
    assert files == ("dsp/conv_2d_gemm.c", "dsp/gemm_tile.S", "dsp/pointwise.c")


@pytest.mark.parametrize("file", [file for file in FILES if not file.endswith("_in_c.c")])
def test_every_kernel_defines_the_function_that_its_header_declares(file):
    folder, name = file.removesuffix(".c").split("/")
    header = KERNELS / kernel_header(folder, name)
    declaration = rf"^void td_{name}\("
    assert re.search(declaration, header.read_text(), re.MULTILINE), f"{header.name} does not declare td_{name}"
    assert re.search(declaration, (KERNELS / file).read_text(), re.MULTILINE), f"{file} does not define td_{name}"
