"""What is compared: engines with their settings, and what no kernel for a core can go below."""

from dataclasses import dataclass

from tinydeploy.boards import Board
from tinydeploy.engines.aot.kernel_sets import KernelSet, kernel_set
from tinydeploy.engines.interface import EngineSettings, Kernels, Objective


@dataclass(frozen=True, kw_only=True)
class Variant:
    """An engine with settings. ``is_usual``: it is run where nothing else is asked for."""

    title: str
    engine: str
    kernels: Kernels | None = None
    optimize: Objective | None = None
    is_usual: bool = True

    @property
    def needs_library(self) -> bool:
        """Whether it runs a library that the user has to name."""
        return self.engine == "tflm"

    def settings(self, tflm_library: str | None) -> EngineSettings:
        """Its settings for the engine; the library is for those that need one."""
        library = tflm_library if self.needs_library else None
        return EngineSettings(kernels=self.kernels, optimize=self.optimize, tflm_library=library)


OURS = "aot"
THEIRS = "tflm-cmsis-nn"

VARIANTS = {
    OURS: Variant(title="aot", engine="aot"),
    "aot-speed": Variant(title="aot, `--optimize speed`", engine="aot", optimize="speed", is_usual=False),
    "aot-size": Variant(title="aot, `--optimize size`", engine="aot", optimize="size", is_usual=False),
    "aot-ram": Variant(title="aot, `--optimize ram`", engine="aot", optimize="ram", is_usual=False),
    "aot-reference": Variant(title="aot, `--kernels reference`", engine="aot", kernels="reference"),
    THEIRS: Variant(title="TFLM + CMSIS-NN", engine="tflm", kernels="optimized"),
    "tflm-reference": Variant(title="TFLM, `--kernels reference`", engine="tflm", kernels="reference"),
}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What one multiply-accumulate takes at least, in instructions: that of the products alone, and nothing else.

    Loading weights and inputs, requantising and storing come on top. ``reason`` names the instruction.
    """

    per_mac: float
    text: str
    reason: str


_LIMITS: dict[KernelSet, Limit] = {
    "dsp": Limit(per_mac=1 / 2, text="1/2", reason="one SMLAD does two"),
    "mve": Limit(per_mac=1 / 16, text="1/16", reason="one VMLADAVA.S8 does sixteen"),
    "scalar": Limit(per_mac=1, text="1", reason="one MLA each"),
}

_WITHOUT_MLA = Limit(per_mac=2, text="2", reason="MULS and ADDS: Armv6-M has no MLA")


def limit_of(core: str) -> Limit:
    """The limit of a core, by the name that its board's file gives it."""
    return _WITHOUT_MLA if core in ("cortex-m0", "cortex-m0plus") else _LIMITS[kernel_set(core)]


def core_title(board: Board) -> str:
    """A core as its maker writes it: Cortex-M4."""
    return board.core.replace("cortex-m", "Cortex-M")
