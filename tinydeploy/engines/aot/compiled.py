"""What the compiler hands on: a program, and how it came about."""

from dataclasses import dataclass

from tinydeploy.engines.aot.choose import Choice
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.program import Program
from tinydeploy.model.graph import Graph


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A graph after the exact passes, what was chosen for each of its ops, and the program that this makes.

    Ops keep the numbers that they have in the model; the program has a layer for each op of the model, and calls
    ``kernels``.
    """

    graph: Graph
    kernels: KernelSet
    choices: tuple[Choice, ...]
    program: Program
