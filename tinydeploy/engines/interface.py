"""What an engine is: the seam between a model's graph and the firmware that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tinydeploy.boards import Board
from tinydeploy.memory.memory_map import Alteration, MemoryMap
from tinydeploy.model.graph import Graph

Kernels = Literal["reference", "optimized"]
"""The engine's plain kernels, or those made for the board's core."""

Objective = Literal["speed", "size", "ram"]
"""What an engine that compiles gives up the rest for. Without one: speed, with constants of the weights' own size."""


@dataclass(frozen=True, kw_only=True)
class ProjectLibrary:
    """A third-party library in a firmware project.

    ``files`` go to ``lib/`` of the project, by their places there (``tflm/library.json``); ``lib_deps`` are the
    libraries that PlatformIO fetches or finds itself, as they stand in platformio.ini; ``components`` are ESP-IDF's, by
    name and exact version. ``build_flags`` are for the whole project. ``identity`` tells one library and choice of
    kernels from another, as a word that can stand in a file's name.
    """

    identity: str
    files: Mapping[PurePosixPath, bytes] = field(default_factory=dict, repr=False)
    lib_deps: tuple[str, ...] = ()
    components: Mapping[str, str] = field(default_factory=dict)
    build_flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelCode:
    """The generated code of one model, ready to be put into a firmware project.

    ``files`` are the engine's generated sources by their place in the project (``src/model.c``), which define
    ``td_model`` (firmware/include/td_model.h). ``kernels`` are the C files that they need, by name below
    firmware/kernels (``reference/conv_2d.c``). ``input_bytes`` and ``output_bytes`` are the sizes of the buffers that
    hold all inputs and all outputs, each tensor at a multiple of 16. ``layers`` is how often the ``after_layer`` hook
    is called. ``sources`` are further files below firmware/ that go along (``tflm/td_tflm.cc``), ``library`` is the
    third-party code that all of it is built with, if any. ``observable`` says that it was made for
    `EngineSettings.observable`.
    """

    files: Mapping[PurePosixPath, bytes]
    kernels: tuple[str, ...]
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    layers: int
    sources: tuple[str, ...] = ()
    library: ProjectLibrary | None = None
    observable: bool = False


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The op at which the arena is fullest, and the tensors that are in it then, by their index in the graph.

    ``nbytes`` is what each of them takes, which is not always what its elements take.
    """

    op: int
    tensors: tuple[int, ...]
    nbytes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ArenaSizes:
    """What a board said of a model's arena, in bytes: used, and the smallest with which it starts."""

    used_bytes: int
    needed_bytes: int


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way in which an engine can compute an op: what it would cost, estimated, and whether it was chosen.

    Instructions of one inference, bytes of constants in flash, bytes of working memory.
    """

    name: str
    instructions: int
    constant_bytes: int
    scratch_bytes: int
    is_chosen: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class EnginePlan:
    """What an engine decided about a graph.

    Memory is in bytes. ``arena_bytes`` is what the engine will say on the device that it uses, and includes
    ``scratch_bytes``, the working memory of kernels at the peak; ``arena_reserved_bytes`` is the array that it needs in
    order to start. Where ``arena_estimated`` says why, both are only near, and the first run on a board settles them;
    ``arena_measured`` is what an earlier run has found (`EngineSettings.measured`). ``lower_bound_bytes`` is what no
    placement can go below; ``layer_arena_bytes`` is what is alive while each op runs. ``constant_bytes`` is the model's
    share of the flash, of which ``layer_constant_bytes`` is each op's. ``code_bytes`` estimates the firmware's code
    with the kernels used, ``state_bytes`` the engine's own variables beside the arena. ``library`` names the
    third-party code that runs the model, and its version, and never a place on this machine; ``library_identity`` is
    its `ProjectLibrary.identity`. ``ways`` has for each op the ways between which the engine chose, none for one that
    is not computed, and is empty where an engine knows only one; ``executed`` is the graph that one inference really
    executes, whose ops keep the ``index`` that they have in the model, and ``macs`` its multiply-accumulates.
    ``values_of`` takes one of its tensors and the bytes of the block in ``memory`` where that lies, and gives the
    values in the tensor's shape.
    ``memory`` is what lies where in the arena, and ``arena_if`` how many bytes would be reserved if some of that were
    otherwise, all placed again. ``optimize`` is the objective asked for. ``generate`` makes the code; both are pure.
    """

    engine: str
    kernels: Kernels
    library: str | None
    graph: Graph
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    arena_reserved_bytes: int
    arena_estimated: str | None
    scratch_bytes: int
    lower_bound_bytes: int
    peak: Peak | None
    constant_bytes: int
    layer_constant_bytes: tuple[int, ...]
    layer_arena_bytes: tuple[int, ...]
    code_bytes: int
    state_bytes: int
    macs: int
    memory: MemoryMap
    arena_if: Callable[[Alteration], int]
    executed: Graph
    values_of: Callable[[int, bytes], npt.NDArray[np.generic]]
    generate: Callable[[], ModelCode]
    ways: tuple[tuple[Way, ...], ...] = ()
    library_identity: str | None = None
    arena_measured: ArenaSizes | None = None
    optimize: Objective | None = None


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What the user decides about an engine; None leaves it to the board's file and the engine.

    ``optimize`` is for the engine that compiles.
    ``tflm_library`` is a PlatformIO library that replaces the board's TensorFlow Lite Micro. ``arena_bytes`` reserves
    an arena of that size, whatever the plan says. With ``probe_arena`` the firmware looks for the smallest arena that
    works, in all the RAM there is. ``measured`` finds what was measured before: by board, library (its identity) and
    kernels. With ``observable`` the firmware stops after a layer where a host asks for it, and shows its memory; with
    ``apart`` no tensor takes memory that another one has had (aot): both are for finding faults.
    """

    kernels: Kernels | None = None
    optimize: Objective | None = None
    tflm_library: str | None = None
    arena_bytes: int | None = None
    probe_arena: bool = False
    observable: bool = False
    apart: bool = False
    measured: Mapping[tuple[str, str | None, Kernels], ArenaSizes] = field(default_factory=dict)

    def of_engine(self, engine: str) -> "EngineSettings":
        """Those of the settings that one engine takes, where others are for another."""
        if engine == "aot":
            return replace(self, tflm_library=None, arena_bytes=None, probe_arena=False)
        return replace(self, optimize=None, apart=False)


OBSERVATION = ("observe/td_observe.c",)
"""What goes along from firmware/ with code that is observable."""


class Engine(Protocol):
    """A way to run a graph on a board."""

    name: str

    def planner(self, graph: Graph, settings: EngineSettings) -> Callable[[Board], EnginePlan]:
        """Does what depends on the graph alone, and returns what decides how it is run on a board.

        Raises (so does what it returns):
            ModelError: The engine does not support something in the graph; everything missing is listed.
            UsageError: A setting is not one for this engine or board.
        """
        ...
