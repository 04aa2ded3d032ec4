"""Drops ops that change no value: what reads their output reads their input instead."""

from dataclasses import replace

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.tensors import integers
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import compiled_ops, writers
from tinydeploy.engines.aot.passes.ranges import TABLES, table_of, value_ranges
from tinydeploy.model.graph import DType, Graph, Op

_RESHAPES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


def drop_identities(graph: Graph) -> Graph:
    """The graph without ops that change nothing; ``graph`` itself where there are none.

    That is tables whose input can only have values that they map to themselves, and RESHAPE, TRANSPOSE and PAD that
    leave everything where it is; always between tensors of one shape, type and quantisation. Of two reshapes in a row
    the second reads what the first does. Of ops that are next to each other one is dropped at a time.
    """
    draft = Draft(graph)
    touched: set[int] = set()
    for position, op in enumerate(graph.ops):
        if position not in compiled_ops(graph) or not touched.isdisjoint((*op.inputs, *op.outputs)):
            continue
        if _is_identity(graph, op):
            _drop(draft, op)
            touched.update((op.inputs[0], *op.outputs))
            continue
        before = writers(graph).get(op.inputs[0])
        if before is None or not {op.kind, before.kind} <= _RESHAPES or not touched.isdisjoint(before.inputs):
            continue
        if _is_compiled(graph, before):
            draft.put(op, replace(op, kind="RESHAPE", inputs=before.inputs[:1], options=None))
            touched.update((*before.inputs, *op.inputs, *op.outputs))
    return draft.finished_if_changed()


def _is_compiled(graph: Graph, op: Op) -> bool:
    return graph.ops.index(op) in compiled_ops(graph)


def _is_identity(graph: Graph, op: Op) -> bool:
    """Whether the op can go; ops between two of the graph's ends have to stay."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    if (source.shape, source.dtype, source.quantization) != (output.shape, output.dtype, output.quantization):
        return False
    if output.index in graph.outputs and not _can_write_elsewhere(graph, source.index):
        return False
    if op.kind in TABLES and source.dtype is DType.INT8:
        known = value_ranges(graph)[source.index]
        values = np.arange(known.low.min(), known.high.max() + 1)
        return np.array_equal(table_of(graph, op)[values + 128], values)
    if op.kind == "TRANSPOSE":
        moved = [axis for axis in integers(tensor_at(graph, op, 1)) if source.shape[axis] > 1]
        return moved == sorted(moved)
    return op.kind in _RESHAPES or (op.kind in {"PAD", "PADV2"} and not any(integers(tensor_at(graph, op, 1))))


def _can_write_elsewhere(graph: Graph, index: int) -> bool:
    """Whether a tensor is made by an op that the engine compiles, and is none of the graph's outputs."""
    writer = writers(graph).get(index)
    return writer is not None and index not in graph.outputs and _is_compiled(graph, writer)


def _drop(draft: Draft, op: Op) -> None:
    """Makes all who read an identity's output read its input, or, where its output is the graph's, the other way."""
    source, output = op.inputs[0], op.outputs[0]
    draft.drop(op)
    if output in draft.graph.outputs:
        writer = draft.now(writers(draft.graph)[source])
        draft.put(writer, replace(writer, outputs=tuple(output if i == source else i for i in writer.outputs)))
        draft.read_instead(source, output)
    else:
        draft.read_instead(output, source)
