"""What an engine is: the seam between a model's graph and the firmware that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from tinydeploy.model.graph import Graph


@dataclass(frozen=True, kw_only=True)
class ModelCode:
    """The generated code of one model, ready to be put into a firmware project.

    ``files`` are the engine's generated sources by their place in the project (``src/model.c``), which define
    ``td_model`` (firmware/include/td_model.h). ``kernels`` are the C files that they need, by name below
    firmware/kernels (``reference/conv_2d.c``). ``input_bytes`` and ``output_bytes`` are the sizes of the buffers that
    hold all inputs and all outputs, each tensor at a multiple of 16. ``layers`` is how often the ``after_layer`` hook
    is called.
    """

    files: Mapping[PurePosixPath, bytes]
    kernels: tuple[str, ...]
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    layers: int


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The op at which the arena is fullest, and the tensors that are in it then, by their index in the graph."""

    op: int
    tensors: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class EnginePlan:
    """What an engine decided about a graph.

    Memory is in bytes. ``arena_bytes`` includes ``scratch_bytes``, the working memory of kernels at the peak;
    ``lower_bound_bytes`` is what no placement can go below; ``layer_arena_bytes`` is what is alive while each op runs.
    ``constant_bytes`` is the model's share of the flash, of which ``layer_constant_bytes`` is each op's. ``code_bytes``
    estimates the firmware's code with the kernels used. ``generate`` makes the code; it is pure.
    """

    engine: str
    graph: Graph
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    scratch_bytes: int
    lower_bound_bytes: int
    peak: Peak | None
    constant_bytes: int
    layer_constant_bytes: tuple[int, ...]
    layer_arena_bytes: tuple[int, ...]
    code_bytes: int
    generate: Callable[[], ModelCode]


class Engine(Protocol):
    """A way to run a graph on a board."""

    name: str

    def plan(self, graph: Graph) -> EnginePlan:
        """Decides how the graph is run.

        Raises:
            ModelError: The engine does not support something in the graph; everything missing is listed.
        """
        ...
