"""What the `aot` engine compiles a graph to: a list of kernel calls with their constants.

A `Program` knows no addresses. Which bytes of the arena a tensor gets is decided by the memory plan, and how a call
looks in C by `emit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.storage import Planes


@dataclass(frozen=True, kw_only=True, eq=False)
class Array:
    """A constant array in flash. ``values`` has the element type that it gets in C, and the shape of a comment."""

    values: npt.NDArray[np.generic]

    @property
    def nbytes(self) -> int:
        """Bytes in flash."""
        return self.values.nbytes


Parameter = float | str | Array | tuple[int, ...] | Mapping[str, "Parameter"]
"""A field of a kernel's parameter struct: a number, a C constant by name, an array, a short vector, a nested struct."""


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor that a call reads or writes, ``byte_offset`` bytes behind its start."""

    tensor: int
    byte_offset: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One call of a kernel: ``td_<kernel>(&parameters, inputs..., output)``, or with the scratch memory behind.

    ``kernel`` names the C file in firmware/kernels/<kernel set>/ and, with the prefix ``td_``, its header, its
    function and its parameter struct, whose fields ``parameters`` gives in order. ``in_place`` has the input positions
    whose memory the kernel may write its output to, each with a lag: the output then starts that many bytes before the
    input, rounded up to the alignment. ``scratch_bytes`` is memory that only this call uses, aligned as tensors are.
    """

    kernel: str
    parameters: Mapping[str, Parameter]
    inputs: tuple[Operand, ...]
    output: Operand
    in_place: Mapping[int, int] = field(default_factory=dict)
    scratch_bytes: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """The calls that one op of the graph became, none for an op that only renames its input.

    ``aliases`` maps an output tensor to the input tensor whose memory it shares throughout (RESHAPE).
    """

    op: int
    calls: tuple[Call, ...]
    aliases: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A compiled graph: one layer for each op of the model, in its order, also for those that passes removed.

    ``storages`` has the tensors that are not dense; ``shifts`` the immediate output shifts that kernels are
    instantiated for (``{"gemm": (8, 10)}``), 0 among them for the general form.
    """

    layers: tuple[Layer, ...]
    storages: Mapping[int, Planes] = field(default_factory=dict)
    shifts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def kernels(self) -> tuple[str, ...]:
        """The kernels that are called, each once, sorted."""
        return tuple(sorted({call.kernel for layer in self.layers for call in layer.calls}))


def arrays_of(parameters: Mapping[str, Parameter], prefix: str = "") -> list[tuple[str, Array]]:
    """The constant arrays in a call's parameters with their names, those of nested structs joined by ``_``."""
    found = []
    for name, value in parameters.items():
        if isinstance(value, Array):
            found.append((prefix + name, value))
        elif isinstance(value, Mapping):
            found += arrays_of(value, f"{prefix}{name}_")
    return found
