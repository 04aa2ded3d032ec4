"""The ways in which an op can be computed, of which the plan chooses one for each op."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tinydeploy.engines.aot.program import Layer
from tinydeploy.engines.aot.storage import Planes


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a way takes: instructions of one inference, bytes of constants in flash, bytes of scratch memory."""

    instructions: float
    constant_bytes: int = 0
    scratch_bytes: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """One way to compute an op.

    ``name`` says it to a user of ``inspect --plan`` (``4x2 tiles, planes to NHWC``). ``reads`` and ``writes`` give the
    storage that it needs of its input and output tensors, by their index in the graph; those left out are dense.
    ``large`` marks ways with constants well above one byte a weight, taken only where speed is asked for explicitly.
    ``shifts`` says, by kernel, for which immediate output shift it uses an instance (``{"gemm": 8}``); 0 stands for the
    general form of requantisation.
    ``lower`` makes the kernel calls; it may be slow, and is called for the chosen one only.
    """

    name: str
    cost: Cost
    lower: Callable[[], Layer]
    reads: Mapping[int, Planes] = field(default_factory=dict)
    writes: Mapping[int, Planes] = field(default_factory=dict)
    large: bool = False
    shifts: Mapping[str, int] = field(default_factory=dict)
