"""The `aot` engine: the graph compiled ahead of time to plain C."""

from pathlib import PurePosixPath

from tinydeploy.engines.aot.code_size import code_bytes
from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.emit import constant_bytes, emit_model, layer_constant_bytes
from tinydeploy.engines.aot.layout import Layout, plan_layout
from tinydeploy.engines.aot.program import Program
from tinydeploy.engines.interface import EnginePlan, ModelCode, Peak
from tinydeploy.model.graph import Graph


class AotEngine:
    """Compiles a graph to calls of the kernels in firmware/kernels/."""

    name = "aot"

    def plan(self, graph: Graph) -> EnginePlan:
        """Compiles the graph and plans its memory.

        Raises:
            ModelError: Ops are not supported; all of them are listed.
        """
        program = compile_graph(graph)
        layout = plan_layout(graph, program)
        return EnginePlan(
            engine=self.name,
            graph=graph,
            input_bytes=layout.input_bytes,
            output_bytes=layout.output_bytes,
            arena_bytes=layout.arena_bytes,
            scratch_bytes=0,  # no reference kernel needs any
            lower_bound_bytes=layout.lower_bound_bytes,
            peak=None if layout.peak_op is None else Peak(op=layout.peak_op, tensors=layout.peak_tensors),
            constant_bytes=constant_bytes(graph, program),
            layer_constant_bytes=tuple(layer_constant_bytes(graph, (layer,)) for layer in program.layers),
            layer_arena_bytes=layout.live_bytes,
            code_bytes=code_bytes(program),
            generate=lambda: _generate(graph, program, layout),
        )


def _generate(graph: Graph, program: Program, layout: Layout) -> ModelCode:
    return ModelCode(
        files={PurePosixPath("src/model.c"): emit_model(graph, program, layout)},
        kernels=tuple(f"reference/{kernel}.c" for kernel in program.kernels),
        input_bytes=layout.input_bytes,
        output_bytes=layout.output_bytes,
        arena_bytes=layout.arena_bytes,
        layers=len(program.layers),
    )
