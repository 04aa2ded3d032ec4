"""The `tflm` engine: the model as it is, and TensorFlow Lite Micro's interpreter."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from tinydeploy.boards import Board
from tinydeploy.engines.c_source import offsets_in_a_row
from tinydeploy.engines.interface import ArenaSizes, EnginePlan, EngineSettings, Kernels, ModelCode, Peak
from tinydeploy.engines.tflm.code_size import code_bytes, state_bytes
from tinydeploy.engines.tflm.emit import model_code
from tinydeploy.engines.tflm.library import NoLibraryError, TflmLibrary, default_kernels, resolve_library
from tinydeploy.engines.tflm.library_kernels import with_kernels_of
from tinydeploy.engines.tflm.memory_map import memory_map
from tinydeploy.engines.tflm.resolver import INT8_REGISTRATIONS, ResolvedOp, resolve_ops
from tinydeploy.engines.tflm.supported import check_ops
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.memory.memory_map import Alteration
from tinydeploy.memory.planner import align
from tinydeploy.memory.tflm_arena import TflmArena, plan_tflm_arena, uncovered
from tinydeploy.memory.tflm_cmsis_nn import cmsis_nn
from tinydeploy.memory.tflm_cmsis_scratch import Instructions
from tinydeploy.memory.tflm_reference import REFERENCE
from tinydeploy.memory.tflm_sizes import TflmSizes
from tinydeploy.model.graph import Graph
from tinydeploy.model.macs import graph_macs

_INSTRUCTIONS = {
    "cortex-m4": Instructions.DSP,
    "cortex-m7": Instructions.DSP,
    "cortex-m33": Instructions.DSP,
    "cortex-m55": Instructions.MVE,
}
"""What CMSIS-NN is compiled to on these cores; elsewhere plain C."""

_REST_OF_THE_FIRMWARE_BYTES = 4096
"""More RAM than link, runner and interpreter take; what a probing firmware leaves to them."""


class TflmEngine:
    """Runs a graph with TensorFlow Lite Micro, which lies in the project as source or is fetched by PlatformIO."""

    name = "tflm"

    def planner(self, graph: Graph, settings: EngineSettings) -> Callable[[Board], EnginePlan]:
        """Plans the arena by the rules of the board's library, as far as they are known.

        Raises (so does what it returns):
            ModelError: TensorFlow Lite Micro does not support something in the graph; everything is listed.
            BuildError: A library is named that is not there, or is none.
            UsageError: A setting is not one for this engine or board.
        """
        if settings.apart:
            raise ValueError("where tensors lie is the library's own decision")
        if settings.optimize is not None:
            raise UsageError(
                "the tflm engine takes no --optimize: its kernels are the library's",
                hint="leave it out, or: --engine aot",
            )
        arena_by = cache(partial(plan_tflm_arena, graph))  # most boards share their rules with others
        return lambda board: _plan(graph, board, settings, arena_by)


@dataclass(frozen=True, kw_only=True)
class _Arena:
    """What to reserve, what will be used of it, and how well that is known."""

    planned: TflmArena
    used_bytes: int
    reserved_bytes: int
    estimated: str | None
    measured: ArenaSizes | None


_Planner = Callable[[TflmSizes], TflmArena]


def _plan(graph: Graph, board: Board, settings: EngineSettings, arena_by: _Planner) -> EnginePlan:
    library, missing = _library(board, settings)
    kernels = library.kernels if library else settings.kernels or default_kernels(board)
    kernel_set = library.kernel_set if library else _usual_kernel_set(board, kernels)
    check_ops(graph, library.add_methods if library else None, kernels=kernel_set or "reference")
    arena = _arena(graph, board, settings, library, kernels, arena_by)
    planned = arena.planned
    ops = resolve_ops(graph, _int8_only(library, kernel_set))
    return EnginePlan(
        engine=TflmEngine.name,
        kernels=kernels,
        library=library.name if library else None,
        library_identity=library.project.identity if library else None,
        graph=graph,
        input_bytes=offsets_in_a_row(graph, graph.inputs)[1],
        output_bytes=offsets_in_a_row(graph, graph.outputs)[1],
        arena_bytes=arena.used_bytes,
        arena_reserved_bytes=arena.reserved_bytes,
        arena_estimated=arena.estimated,
        arena_measured=arena.measured,
        scratch_bytes=planned.scratch_bytes,
        lower_bound_bytes=planned.live_bound_bytes + planned.persistent_bytes,
        peak=Peak(
            op=planned.peak_op,
            tensors=planned.peak_tensors,
            nbytes=tuple(graph.tensors[index].nbytes for index in planned.peak_tensors),
        ),
        constant_bytes=align(len(graph.source)),
        layer_constant_bytes=_layer_constant_bytes(graph),
        layer_arena_bytes=planned.live_bytes,
        code_bytes=code_bytes(graph, ops, board, kernel_set),
        state_bytes=state_bytes(ops, board, kernel_set),
        macs=graph_macs(graph),
        memory=memory_map(graph, planned, arena.reserved_bytes),
        arena_if=lambda alteration: _arena_if(graph, _sizes(board, kernels), arena, alteration),
        executed=graph,
        values_of=partial(_values, graph),
        generate=lambda: _generate(graph, board, settings, library, missing, arena, ops),
    )


def _values(graph: Graph, tensor: int, data: bytes) -> npt.NDArray[np.generic]:
    stored = graph.tensors[tensor]
    return np.frombuffer(data[: stored.nbytes], stored.dtype.numpy).reshape(stored.shape)


def _library(board: Board, settings: EngineSettings) -> tuple[TflmLibrary | None, BuildError | None]:
    """The library; or why there is none, which is no reason not to plan where the user has named none."""
    try:
        return resolve_library(board, settings), None
    except NoLibraryError as error:
        return None, error


def _usual_kernel_set(board: Board, kernels: Kernels) -> str | None:
    return "reference" if kernels == "reference" else board.tflm.kernels


def _int8_only(library: TflmLibrary | None, kernel_set: str | None) -> frozenset[str]:
    """The registrations for int8 alone that are taken where they can be: those of the library, or all."""
    if kernel_set != "cmsis_nn":
        return frozenset()
    return (library.registrations if library else frozenset(INT8_REGISTRATIONS)) or frozenset()


def _arena(
    graph: Graph,
    board: Board,
    settings: EngineSettings,
    library: TflmLibrary | None,
    kernels: Kernels,
    arena_by: _Planner,
) -> _Arena:
    """By the rules of a known version; by what a board has said; else by the nearest rules there are."""
    sizes = _sizes(board, kernels)
    planned = arena_by(sizes)
    identity = library.project.identity if library else None
    told = settings.measured.get((board.id, identity, kernels))
    estimated = None if told else _doubt(graph, sizes, library)
    best = told or ArenaSizes(used_bytes=planned.used_bytes, needed_bytes=planned.needed_bytes)
    return _Arena(
        planned=planned,
        used_bytes=best.used_bytes,
        reserved_bytes=align(settings.arena_bytes or best.needed_bytes),
        estimated=estimated,
        measured=told,
    )


def _arena_if(graph: Graph, sizes: TflmSizes, arena: _Arena, alteration: Alteration) -> int:
    """By the same rules; what a board has said, or the user reserves, differs from them by as much as it does now."""
    planned = plan_tflm_arena(graph, sizes, alteration)
    return align(max(0, planned.needed_bytes + arena.reserved_bytes - arena.planned.needed_bytes))


def _sizes(board: Board, kernels: Kernels) -> TflmSizes:
    if kernels == "optimized" and board.tflm.kernels == "cmsis_nn":
        return cmsis_nn(_INSTRUCTIONS.get(board.core, Instructions.NONE))
    return REFERENCE


def _doubt(graph: Graph, sizes: TflmSizes, library: TflmLibrary | None) -> str | None:
    """Why the arena's size is only near; None where it is exact."""
    if library is None:
        return f"no library is given; the sizes are those of tflite-micro {sizes.version}"
    if (library.version, library.kernel_set) != (sizes.version, sizes.kernels):
        return f"the sizes of {library.name} are not known, those of tflite-micro {sizes.version} are taken"
    return next(iter(uncovered(graph, sizes)), None)


def _layer_constant_bytes(graph: Graph) -> tuple[int, ...]:
    """The constants that each op reads, in the bytes of the file; what two ops read counts for both."""
    return tuple(
        sum(graph.tensors[i].nbytes for i in set(op.inputs) if i >= 0 and graph.tensors[i].is_constant)
        for op in graph.ops
    )


def _generate(
    graph: Graph,
    board: Board,
    settings: EngineSettings,
    library: TflmLibrary | None,
    missing: BuildError | None,
    arena: _Arena,
    ops: tuple[ResolvedOp, ...],
) -> ModelCode:
    if library is None:
        assert missing is not None
        raise missing
    probe = settings.probe_arena or arena.estimated is not None
    reserved_bytes = arena.reserved_bytes
    if probe and settings.arena_bytes is None:
        reserved_bytes = _room_to_probe(graph, board, arena)
    project = library.project
    if library.is_ours:
        project = with_kernels_of(project, [op.call for op in ops])
    return model_code(
        graph, ops=ops, arena_bytes=reserved_bytes, probe=probe, library=project, observable=settings.observable
    )


def _room_to_probe(graph: Graph, board: Board, arena: _Arena) -> int:
    """Where the smallest arena is looked for: twice what is expected, and some KB, as far as the board has them."""
    buffers = 4 * (offsets_in_a_row(graph, graph.inputs)[1] + offsets_in_a_row(graph, graph.outputs)[1])
    framework = board.framework.ram_bytes if board.framework else 0
    spare = board.ram_bytes - board.stack_bytes - framework - buffers - _REST_OF_THE_FIRMWARE_BYTES
    room = min(spare, 2 * arena.reserved_bytes + 8192)
    return max(room - room % 16, arena.reserved_bytes)
