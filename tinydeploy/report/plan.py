"""A Plan as text for people and as values for JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.engines.interface import Way
from tinydeploy.errors import visible
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.macs import graph_macs, op_macs
from tinydeploy.model.text import printable, shape_text, tensor_label
from tinydeploy.plan import MemoryUse, Plan
from tinydeploy.report.values import Json


def plan_text(plan: Plan) -> Text:
    """The plan in a few lines: what it takes of the board and what is left."""
    verdict = ("fits", "green") if plan.fits else ("does not fit", "red")
    engine = plan.engine
    text = Text.assemble(
        (printable(plan.graph.name), "bold"),
        " on ",
        (plan.board.id, "bold"),
        f" ({engine.engine} engine, {engine.kernels} kernels): ",
        verdict,
    )
    rows = {"library": visible(engine.library or "none yet")} if _is_interpreted(plan) else {}
    rows["arena"] = f"{engine.arena_reserved_bytes:>9,} B{_arena_facts(plan)}{_peak(plan)}"
    if engine.arena_estimated is not None:
        rows[""] = f"estimated: {visible(engine.arena_estimated)}"
    rows |= {"RAM": _memory(plan.ram), "flash": _memory(plan.flash)}
    width = max(map(len, rows))
    for label, row in rows.items():
        text.append(f"\n  {label:<{width}}  {row}")
    return text


def inspection_text(plans: Sequence[Plan], *, with_ways: bool = False) -> RenderableType:
    """The model's layers, laid out as in the first plan, and how it fits on each board. All plans are of one model.

    ``with_ways`` adds how each layer is computed in the first plan, and what the other ways would have cost.
    """
    first = plans[0]
    ways: list[RenderableType] = ["", _ways_title(first), _ways_table(first)] if with_ways else []
    return Group(
        *_tensor_lines(first),
        "",
        _layers_table(first),
        *ways,
        "",
        *_summary(first),
        "",
        _boards_table(plans),
        *board_notes(plans),
    )


def inspection_json(model: Path, plans: Sequence[Plan]) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": True,
        "model": {**model_json(model, plans[0].graph), "layers": _layers_json(plans[0])},
        "boards": [plan_json(plan) for plan in plans],
    }


def plan_json(plan: Plan) -> dict[str, Json]:
    """The entry for one board under ``boards``."""
    peak = plan.engine.peak
    return {
        "board": plan.board.id,
        **engine_json(plan),
        "fits": plan.fits,
        "arena_bytes": plan.engine.arena_bytes,
        "arena_reserved_bytes": plan.engine.arena_reserved_bytes,
        "arena_source": arena_source(plan),
        "arena_estimated": plan.engine.arena_estimated,
        "scratch_bytes": plan.engine.scratch_bytes,
        "ram_bytes": plan.ram.used_bytes,
        "ram_free_bytes": plan.ram.free_bytes,
        "flash_bytes": plan.flash.used_bytes,
        "flash_free_bytes": plan.flash.free_bytes,
        "peak": None
        if peak is None
        else {"layer": peak.op, "tensors": [printable(plan.graph.tensors[i].name) for i in peak.tensors]},
    }


def engine_json(plan: Plan) -> dict[str, Json]:
    """What runs the model: the engine, its kernels and its library."""
    engine = plan.engine
    return {
        "engine": engine.engine,
        "kernels": engine.kernels,
        "optimize": engine.optimize,
        "library": engine.library,
        "library_identity": engine.library_identity,
    }


def arena_source(plan: Plan) -> Literal["exact", "measured", "estimated"]:
    """Where the size of the arena is from: computed, told by a board before, or only near."""
    if plan.engine.arena_estimated is not None:
        return "estimated"
    return "measured" if plan.engine.arena_measured else "exact"


def model_json(model: Path, graph: Graph) -> dict[str, Json]:
    """The value of ``model``."""
    counts: dict[str, Json] = {}
    for op in graph.ops:
        kind = printable(op.kind)
        before = counts.get(kind, 0)
        assert isinstance(before, int)
        counts[kind] = before + 1
    return {
        "path": str(model),
        "sha256": graph.sha256,
        "macs": graph_macs(graph),
        "ops": counts,
    }


def _layers_json(plan: Plan) -> list[Json]:
    """Every layer of the model, as the table shows it."""
    return [
        {
            "layer": op.index,
            "op": printable(op.kind),
            "outputs": [list(plan.graph.tensors[index].shape) for index in op.outputs],
            "macs": op_macs(plan.graph, op),
            "constant_bytes": plan.engine.layer_constant_bytes[op.index],
            "arena_bytes": plan.engine.layer_arena_bytes[op.index],
            "ways": [_way_json(way) for way in _ways_of(plan, op)],
        }
        for op in plan.graph.ops
    ]


def _ways_of(plan: Plan, op: Op) -> tuple[Way, ...]:
    """Between which the engine chose for an op, the chosen one first."""
    ways = plan.engine.ways[op.index] if plan.engine.ways else ()
    return tuple(sorted(ways, key=lambda way: (not way.is_chosen, way.instructions)))


def _way_json(way: Way) -> dict[str, Json]:
    return {
        "name": way.name,
        "chosen": way.is_chosen,
        "instructions": way.instructions,
        "constant_bytes": way.constant_bytes,
        "scratch_bytes": way.scratch_bytes,
    }


def _ways_title(plan: Plan) -> str:
    if not plan.engine.ways:
        return f"The {plan.engine.engine} engine has one way for each layer: its library's kernels."
    return f"How each layer is computed on {plan.board.id}; below it, what else there was. Instructions are estimated."


def _ways_table(plan: Plan) -> Table:
    """A row for each way: the chosen one of a layer first, the others below it in grey."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    table.add_column("way")
    for heading in ("instructions", "constants B", "scratch B"):
        table.add_column(heading, justify="right")
    for op in plan.graph.ops if plan.engine.ways else ():
        label = f"{op.index:>3} {printable(op.kind)}"
        ways = _ways_of(plan, op)
        if not ways:
            table.add_row(label, "not computed: other layers do its part")
        for way in ways:
            figures = (f"{figure:,}" for figure in (way.instructions, way.constant_bytes, way.scratch_bytes))
            table.add_row(
                label if way.is_chosen else "", way.name, *figures, style="" if way.is_chosen else "bright_black"
            )
    return table


def _layers_table(plan: Plan) -> Table:
    graph, engine = plan.graph, plan.engine
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    for heading in ("output", "MACs", "constants B", "arena B"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for op in graph.ops:
        is_peak = engine.peak is not None and engine.peak.op == op.index
        table.add_row(
            f"{op.index:>3} {printable(op.kind)}",
            " + ".join(shape_text(graph.tensors[index].shape) for index in op.outputs),
            f"{op_macs(graph, op):,}",
            f"{engine.layer_constant_bytes[op.index]:,}",
            f"{engine.layer_arena_bytes[op.index]:,}",
            "<- peak" if is_peak else "",
            style="bold" if is_peak else "",
        )
    return table


def _summary(plan: Plan) -> list[str]:
    engine = plan.engine
    constants = f"{graph_macs(plan.graph):,} multiply-accumulates, {engine.constant_bytes:,} B of constants in flash"
    bound = f"lower bound {engine.lower_bound_bytes:,} B, scratch {engine.scratch_bytes:,} B"
    return [constants, f"arena {engine.arena_bytes:,} B on {plan.board.id} ({bound}){_peak(plan)}", *_peak_lines(plan)]


def _peak_lines(plan: Plan) -> list[str]:
    peak = plan.engine.peak
    if peak is None:
        return []
    held = zip(peak.tensors, peak.nbytes, strict=True)
    return [f"  {nbytes:>9,} B  {tensor_label(plan.graph.tensors[index])}" for index, nbytes in held]


def _boards_table(plans: Sequence[Plan]) -> Table:
    """A row for each board: what runs the model there, in how large an arena, and what it takes in all."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("board")
    table.add_column("engine")
    for heading in ("arena B", "RAM B", "free", "flash B", "free"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for plan in plans:
        engine = f"{plan.engine.engine}, {plan.engine.kernels}"
        arena = f"{'~' if plan.engine.arena_estimated else ''}{plan.engine.arena_reserved_bytes:,}"
        figures = (plan.ram.used_bytes, plan.ram.free_bytes, plan.flash.used_bytes, plan.flash.free_bytes)
        verdict = Text("fits", "green") if plan.fits else Text("does not fit", "red")
        table.add_row(
            plan.board.id,
            engine,
            arena,
            *(f"{figure:,}" for figure in figures),
            verdict,
        )
    return table


def board_notes(plans: Sequence[Plan]) -> list[str]:
    """What the table has no room for: libraries, and where the sizes of arenas are from."""
    notes: dict[str, list[str]] = {}
    for plan in plans:
        engine = plan.engine
        if engine.library:
            notes.setdefault(f"library    {visible(engine.library)}", []).append(plan.board.id)
        if engine.arena_estimated is not None:
            notes.setdefault(f"estimated  {visible(engine.arena_estimated)}", []).append(plan.board.id)
        elif engine.arena_measured:
            notes.setdefault("measured   the arena, by an earlier run", []).append(plan.board.id)
    return [f"{note}: {', '.join(boards)}" for note, boards in notes.items()]


def _memory(use: MemoryUse) -> str:
    parts = " + ".join(f"{name} {size:,}" for name, size in use.uses.items() if size)
    return f"{use.used_bytes:>9,} B of {use.available_bytes:,}  ({parts})"


def _is_interpreted(plan: Plan) -> bool:
    """Whether a library runs the model, in an arena that has more than the tensors in it."""
    return plan.engine.engine == "tflm"


def _arena_facts(plan: Plan) -> str:
    """How much of the arena is used, and how that is known, where a library decides about it."""
    engine = plan.engine
    if not _is_interpreted(plan):
        return ""
    how = {"exact": "; exact", "measured": "; measured by an earlier run", "estimated": ""}[arena_source(plan)]
    return f"  ({engine.arena_bytes:,} used{how})"


def _peak(plan: Plan) -> str:
    if plan.engine.peak is None:
        return ""
    op = plan.graph.ops[plan.engine.peak.op]
    return f", fullest at op {op.index} {printable(op.kind)}"


def _tensor_lines(plan: Plan) -> list[str]:
    lines = []
    for label, indices in (("input ", plan.graph.inputs), ("output", plan.graph.outputs)):
        for tensor in (plan.graph.tensors[index] for index in indices):
            quantization = tensor.quantization
            real = f", real = {quantization.scale:.6g} * (q - {quantization.zero_point})" if quantization else ""
            lines.append(
                f"{label}  {tensor_label(tensor)}: {shape_text(tensor.shape)} {tensor.dtype.value.lower()}{real}"
            )
    return lines
