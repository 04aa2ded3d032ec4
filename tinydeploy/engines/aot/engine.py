"""The `aot` engine: the graph compiled ahead of time to plain C."""

from collections.abc import Callable
from pathlib import PurePosixPath

from tinydeploy.boards import Board
from tinydeploy.engines.aot.code_size import code_bytes
from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.emit import constant_bytes, emit_model, layer_constant_bytes
from tinydeploy.engines.aot.layout import Layout, plan_layout
from tinydeploy.engines.aot.program import Program
from tinydeploy.engines.interface import EnginePlan, EngineSettings, ModelCode, Peak
from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph


class AotEngine:
    """Compiles a graph to calls of the kernels in firmware/kernels/."""

    name = "aot"

    def planner(self, graph: Graph, settings: EngineSettings) -> Callable[[Board], EnginePlan]:
        """Compiles the graph and plans its memory, which is the same on all boards.

        Raises:
            ModelError: Ops are not supported; all of them are listed.
            UsageError: Optimised kernels or an arena of another size are asked for.
        """
        _check(settings)
        plan = plan_aot(graph)
        return lambda _board: plan


def plan_aot(graph: Graph) -> EnginePlan:
    """Compiles the graph and plans its memory.

    Raises:
        ModelError: Ops are not supported; all of them are listed.
    """
    program = compile_graph(graph)
    layout = plan_layout(graph, program)
    return EnginePlan(
        engine=AotEngine.name,
        kernels="reference",
        library=None,
        graph=graph,
        input_bytes=layout.input_bytes,
        output_bytes=layout.output_bytes,
        arena_bytes=layout.arena_bytes,
        arena_reserved_bytes=layout.arena_bytes,
        arena_estimated=None,
        scratch_bytes=0,  # no reference kernel needs any
        lower_bound_bytes=layout.lower_bound_bytes,
        peak=None if layout.peak_op is None else Peak(op=layout.peak_op, tensors=layout.peak_tensors),
        constant_bytes=constant_bytes(graph, program),
        layer_constant_bytes=tuple(layer_constant_bytes(graph, (layer,)) for layer in program.layers),
        layer_arena_bytes=layout.live_bytes,
        code_bytes=code_bytes(program),
        state_bytes=0,
        generate=lambda: _generate(graph, program, layout),
    )


def _check(settings: EngineSettings) -> None:
    for is_given, what in (
        (settings.kernels == "optimized", "--kernels optimized: it has only reference kernels so far"),
        (settings.tflm_library is not None, "--tflm-lib: it needs no library"),
        (settings.arena_bytes is not None, "--arena-bytes: its arena is part of the code"),
        (settings.probe_arena, "--probe-arena: its arena cannot be smaller than planned"),
    ):
        if is_given:
            raise UsageError(f"the aot engine takes no {what}", hint="leave it out, or: --engine tflm")


def _generate(graph: Graph, program: Program, layout: Layout) -> ModelCode:
    return ModelCode(
        files={PurePosixPath("src/model.c"): emit_model(graph, program, layout)},
        kernels=tuple(f"reference/{kernel}.c" for kernel in program.kernels),
        input_bytes=layout.input_bytes,
        output_bytes=layout.output_bytes,
        arena_bytes=layout.arena_bytes,
        layers=len(program.layers),
    )
