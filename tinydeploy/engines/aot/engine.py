"""The `aot` engine: the graph compiled ahead of time to plain C."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from tinydeploy.boards import Board
from tinydeploy.engines.aot.code_size import code_bytes, usual_code_bytes
from tinydeploy.engines.aot.compile import compile_graph, compile_reduced, require_support
from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.emit import constant_bytes, emit_model, layer_constant_bytes
from tinydeploy.engines.aot.kernel_sets import KernelSet, kernel_files, kernel_set
from tinydeploy.engines.aot.layout import Layout, plan_layout
from tinydeploy.engines.aot.memory_map import memory_map
from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.engines.interface import OBSERVATION, EnginePlan, EngineSettings, ModelCode, Objective, Peak, Way
from tinydeploy.errors import UsageError
from tinydeploy.memory.memory_map import NOTHING_ALTERED, Alteration
from tinydeploy.model.graph import Graph
from tinydeploy.model.macs import graph_macs


class AotEngine:
    """Compiles a graph to calls of the kernels in firmware/kernels/."""

    name = "aot"

    def planner(self, graph: Graph, settings: EngineSettings) -> Callable[[Board], EnginePlan]:
        """Compiles the graph and plans its memory: once for all boards that run the same kernels.

        Raises:
            ModelError: Ops are not supported; all of them are listed.
            UsageError: A library or an arena of another size is asked for.
        """
        _check(settings)
        require_support(graph)

        @cache
        def after_passes() -> Graph:
            return run_passes(graph)

        @cache
        def plan(kernels: KernelSet) -> tuple[Compiled, EnginePlan]:
            reduced = graph if kernels == "reference" else after_passes()
            compiled = compile_reduced(graph, reduced, kernels, settings.optimize)
            return compiled, _plan(graph, compiled, settings)

        def plan_for(board: Board) -> EnginePlan:
            kernels: KernelSet = "reference" if settings.kernels == "reference" else kernel_set(board.core)
            compiled, of_all_boards = plan(kernels)
            return replace(of_all_boards, code_bytes=code_bytes(compiled, board))

        return plan_for


def plan_aot(graph: Graph, kernels: KernelSet = "reference", objective: Objective | None = None) -> EnginePlan:
    """Compiles the graph for a set of kernels and plans its memory; the code is that of a usual core with these.

    Raises:
        ModelError: Ops are not supported; all of them are listed.
    """
    return _plan(graph, compile_graph(graph, kernels, objective), EngineSettings(optimize=objective))


def _plan(graph: Graph, compiled: Compiled, settings: EngineSettings) -> EnginePlan:
    program = compiled.program
    layout = plan_layout(compiled.graph, program, _everything_apart(compiled) if settings.apart else NOTHING_ALTERED)
    return EnginePlan(
        engine=AotEngine.name,
        kernels="reference" if compiled.kernels == "reference" else "optimized",
        optimize=settings.optimize,
        library=None,
        graph=graph,
        input_bytes=layout.input_bytes,
        output_bytes=layout.output_bytes,
        arena_bytes=layout.arena_bytes,
        arena_reserved_bytes=layout.arena_bytes,
        arena_estimated=None,
        scratch_bytes=layout.scratch_bytes,
        lower_bound_bytes=layout.lower_bound_bytes,
        peak=None if layout.peak_op is None else _peak(layout.peak_op, layout.peak_tensors),
        constant_bytes=constant_bytes(compiled),
        layer_constant_bytes=tuple(layer_constant_bytes(compiled.graph, (layer,)) for layer in program.layers),
        layer_arena_bytes=layout.live_bytes,
        code_bytes=usual_code_bytes(compiled),
        state_bytes=0,
        macs=graph_macs(compiled.graph),
        memory=memory_map(compiled.graph, program, layout),
        arena_if=lambda alteration: plan_layout(compiled.graph, program, alteration).arena_bytes,
        executed=compiled.graph,
        values_of=partial(_values, compiled),
        ways=_ways(graph, compiled),
        generate=lambda: _generate(graph, compiled, layout, observable=settings.observable),
    )


def _everything_apart(compiled: Compiled) -> Alteration:
    """All tensors are there all the time, so that none can be in the way of another."""
    steps = sum(len(layer.calls) for layer in compiled.program.layers)
    return Alteration(lifetimes={tensor.index: (0, steps - 1) for tensor in compiled.graph.tensors})


def _values(compiled: Compiled, tensor: int, data: bytes) -> npt.NDArray[np.generic]:
    stored, planes = compiled.graph.tensors[tensor], compiled.program.storages.get(tensor)
    if planes is not None:
        return planes.values(data).reshape(stored.shape)
    return np.frombuffer(data[: stored.nbytes], stored.dtype.numpy).reshape(stored.shape)


def _peak(op: int, tensors: Mapping[int, int]) -> Peak:
    return Peak(op=op, tensors=tuple(tensors), nbytes=tuple(tensors.values()))


def _ways(graph: Graph, compiled: Compiled) -> tuple[tuple[Way, ...], ...]:
    """What was chosen for each op of the model, and what the others would have cost."""
    ways = {
        choice.op: tuple(
            Way(
                name=candidate.name,
                instructions=round(candidate.cost.instructions),
                constant_bytes=candidate.cost.constant_bytes,
                scratch_bytes=candidate.cost.scratch_bytes,
                is_chosen=candidate is choice.chosen,
            )
            for candidate in choice.candidates
        )
        for choice in compiled.choices
    }
    return tuple(ways.get(op.index, ()) for op in graph.ops)


def _check(settings: EngineSettings) -> None:
    for is_given, what in (
        (settings.tflm_library is not None, "--tflm-lib: it needs no library"),
        (settings.arena_bytes is not None, "--arena-bytes: its arena is part of the code"),
        (settings.probe_arena, "--probe-arena: its arena cannot be smaller than planned"),
    ):
        if is_given:
            raise UsageError(f"the aot engine takes no {what}", hint="leave it out, or: --engine tflm")


def _generate(graph: Graph, compiled: Compiled, layout: Layout, *, observable: bool) -> ModelCode:
    return ModelCode(
        files=emit_model(graph, compiled, layout, observable=observable),
        kernels=kernel_files(compiled.kernels, compiled.program.kernels),
        input_bytes=layout.input_bytes,
        output_bytes=layout.output_bytes,
        arena_bytes=layout.arena_bytes,
        layers=len(compiled.program.layers),
        sources=OBSERVATION if observable else (),
        observable=observable,
    )
