"""Graph, ops and arena → the generated sources of a firmware that TensorFlow Lite Micro runs.

Only the form of the text is decided here. Nothing that stands in a model file reaches the source but its bytes as
numbers, and names cut down to harmless characters.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from tinydeploy.engines.c_source import byte_lines, offsets_in_a_row, tensor_tables
from tinydeploy.engines.interface import OBSERVATION, ModelCode, ProjectLibrary
from tinydeploy.engines.tflm.resolver import ResolvedOp
from tinydeploy.memory.planner import align
from tinydeploy.model.graph import Graph
from tinydeploy.model.macs import graph_macs
from tinydeploy.templates import render

ADAPTER = ("tflm/td_tflm.cc",)
"""What goes along from firmware/: all that knows TFLM's interface."""


def model_code(
    graph: Graph,
    *,
    ops: Sequence[ResolvedOp],
    arena_bytes: int,
    probe: bool,
    library: ProjectLibrary,
    observable: bool = False,
) -> ModelCode:
    """The model and all that runs it. The figures are those of `emit_model`."""
    return ModelCode(
        files=emit_model(graph, ops=ops, arena_bytes=arena_bytes, probe=probe, observable=observable),
        kernels=(),
        input_bytes=offsets_in_a_row(graph, graph.inputs)[1],
        output_bytes=offsets_in_a_row(graph, graph.outputs)[1],
        arena_bytes=arena_bytes,
        layers=len(graph.ops),
        sources=(*ADAPTER, *(OBSERVATION if observable else ())),
        library=library,
        observable=observable,
    )


def emit_model(
    graph: Graph, *, ops: Sequence[ResolvedOp], arena_bytes: int, probe: bool, observable: bool = False
) -> dict[PurePosixPath, bytes]:
    """The C++ sources that define ``td_model``, by their places in the project.

    Args:
        graph: The model.
        ops: The op kinds that it has, each once.
        arena_bytes: What to reserve; a multiple of 16 and above 0.
        probe: Whether the firmware is to find out at its start how small the arena can be.
        observable: Whether the arena is to be shown to the host.
    """
    if arena_bytes <= 0 or arena_bytes != align(arena_bytes):
        raise ValueError(f"an arena of {arena_bytes} bytes")
    size = len(graph.source)
    input_offsets, input_bytes = offsets_in_a_row(graph, graph.inputs)
    output_offsets, output_bytes = offsets_in_a_row(graph, graph.outputs)
    model = render(
        "tflm/src/model.cc.j2",
        title=f"{len(graph.ops)} layers, {graph_macs(graph):,} multiply-accumulates",
        sha256=graph.sha256,
        sha256_bytes=byte_lines(bytes.fromhex(graph.sha256)),
        headers=sorted({op.header for op in ops} - {""}),
        calls=[op.call for op in ops],
        arena_bytes=arena_bytes,
        probe=probe,
        observable=observable,
        sides=list(tensor_tables(graph, input_offsets, output_offsets)),
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        layers=len(graph.ops),
    )
    data = render("tflm/src/model_data.cc.j2", bytes=size, sha256=graph.sha256, data=byte_lines(graph.source))
    return {
        PurePosixPath("src/model.cc"): model,
        PurePosixPath("src/model_data.cc"): data,
        PurePosixPath("src/model_data.h"): render("tflm/src/model_data.h.j2", bytes=size),
    }
