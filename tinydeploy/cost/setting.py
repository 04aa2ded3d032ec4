"""What runs a network, as far as instructions depend on it: a core, an engine, and its kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tinydeploy.engines.interface import Kernels

CountedKernels = Literal["scalar", "scalar without tiles", "mve"]
"""Kernels of the aot engine whose loops are counted one by one; the second are those of Armv6-M."""

_COUNTED: Mapping[str, CountedKernels] = {"cortex-m55": "mve", "cortex-m0": "scalar without tiles"}

_SAME = {
    "cortex-m0plus": "cortex-m0",  # the same instructions
    "cortex-m7": "cortex-m4",  # the same instructions
    "cortex-m33": "cortex-m4",  # the same kernels, those for the DSP extension
    "cortex-m35p": "cortex-m4",
    "cortex-m85": "cortex-m55",  # the same kernels, those for MVE
}
"""Cores that are none of the fitted ones but run the same code, or nearly."""


@dataclass(frozen=True, kw_only=True, order=True)
class Setting:
    """A core by the name that its board's file gives it, an engine by its name, and which of its kernels."""

    core: str
    engine: str
    kernels: Kernels

    def __str__(self) -> str:
        return f"{self.core} {self.engine} {self.kernels}"

    @property
    def counted(self) -> CountedKernels | None:
        """The kernels whose loops are counted one by one, if it runs any."""
        if self.engine != "aot" or self.kernels == "reference":
            return None
        return _COUNTED.get(self.core, "scalar")


def setting_of(core: str, engine: str, kernels: Kernels) -> Setting:
    """The setting whose figures are those of a core."""
    if core == "cortex-m3" and engine == "tflm" and kernels == "reference":
        core = "cortex-m4"  # plain C, and hello_world takes 5,588 and 5,582 instructions
    return Setting(core=_SAME.get(core, core), engine=engine, kernels=kernels)
