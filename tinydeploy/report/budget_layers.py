"""The layers of a memory group as rows, for a page and for a comment."""

from dataclasses import dataclass

from tinydeploy.budget.memory_groups import MemoryGroup
from tinydeploy.model.macs import op_macs
from tinydeploy.model.text import printable, shape_text

_KIND = 22
"""Longest name of an op that is shown; a custom op may call itself as it likes."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One op. ``arena_bytes`` are alive while it runs, ``scratch_bytes`` of them its working memory.

    ``instructions`` is None where nobody knows. ``share`` is of the arena's fullest moment, from 0 to 1.
    """

    op: int
    kind: str
    shape: str
    macs: int
    constant_bytes: int
    arena_bytes: int
    scratch_bytes: int
    instructions: int | None
    share: float
    is_peak: bool


def layer_rows(group: MemoryGroup) -> tuple[LayerRow, ...]:
    """A row for every op of the model, in its order."""
    plan = group.plan
    graph, engine = plan.graph, plan.engine
    known = next((b.layer_instructions for b in group.budgets if b.layer_instructions is not None), None)
    fullest = max(engine.layer_arena_bytes, default=0)
    return tuple(
        LayerRow(
            op=op.index,
            kind=printable(op.kind, limit=_KIND),
            shape=" + ".join(shape_text(graph.tensors[index].shape) for index in op.outputs),
            macs=op_macs(graph, op),
            constant_bytes=engine.layer_constant_bytes[op.index],
            arena_bytes=engine.layer_arena_bytes[op.index],
            scratch_bytes=engine.memory.scratch_bytes(op.index),
            instructions=None if known is None else known[op.index],
            share=engine.layer_arena_bytes[op.index] / fullest if fullest else 0.0,
            is_peak=engine.peak is not None and engine.peak.op == op.index,
        )
        for op in graph.ops
    )
