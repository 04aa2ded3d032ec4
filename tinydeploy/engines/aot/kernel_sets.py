"""Which kernels a core runs: sets of C files in firmware/kernels/, which replace the reference ones by their names."""

from pathlib import Path
from typing import Literal

from tinydeploy.files import data_dir

KernelSet = Literal["reference", "scalar", "dsp", "mve"]
"""``reference``: plain and slow. ``scalar``: C for any core. ``dsp`` and ``mve``: for Arm's instruction sets."""

_ORDER: dict[KernelSet, tuple[KernelSet, ...]] = {
    "reference": ("reference",),
    "scalar": ("scalar", "reference"),
    "dsp": ("dsp", "scalar", "reference"),
    "mve": ("mve", "scalar", "reference"),
}
"""Where a kernel is looked for: a set that lacks it takes it from the next."""

_DSP_CORES = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m35p")
_MVE_CORES = ("cortex-m55", "cortex-m85")

_COMPANIONS = {
    "conv_2d_gemm": ("dsp/gemm_tile.S",),
    "conv_2d_winograd": ("dsp/winograd_tile.S",),
    "depthwise_planes": ("dsp/depthwise_strips.S",),
    "fully_connected_rows": ("dsp/fully_connected_groups.S",),
    "pointwise": ("dsp/gemm_tile.S",),
}
"""The parts of a kernel that are in assembler."""


def kernel_set(core: str) -> KernelSet:
    """The fastest set for a core, by the name that its board's file gives it."""
    if core in _MVE_CORES:
        return "mve"
    return "dsp" if core in _DSP_CORES else "scalar"


def kernel_source(kernels: KernelSet, kernel: str) -> str:
    """The C file of a kernel, below firmware/kernels (``dsp/pointwise.c``)."""
    return next(f"{folder}/{kernel}.c" for folder in _ORDER[kernels] if (_root() / folder / f"{kernel}.c").is_file())


def kernel_header(kernels: KernelSet, kernel: str) -> str:
    """The header that declares it, below firmware/kernels: that of all sets, or the kernel's own beside it."""
    common = f"td_{kernel}.h"
    if (_root() / common).is_file():
        return common
    return f"{Path(kernel_source(kernels, kernel)).parent}/{common}"


def kernel_files(kernels: KernelSet, names: tuple[str, ...]) -> tuple[str, ...]:
    """All files to compile for these kernels, below firmware/kernels, each once."""
    files = [file for name in names for file in (kernel_source(kernels, name), *_COMPANIONS.get(name, ()))]
    return tuple(dict.fromkeys(files))


def _root() -> Path:
    return data_dir("firmware") / "kernels"
