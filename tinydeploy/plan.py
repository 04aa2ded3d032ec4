"""EnginePlan + Board → Plan: what a model takes of a board. Nothing is decided after it; what comes after obeys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinydeploy.boards import Board, load_boards
from tinydeploy.engines.interface import EnginePlan
from tinydeploy.engines.size_table import firmware_state_bytes
from tinydeploy.errors import FitError, TinydeployError
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable, tensor_label

LAYER_STATE_BYTES = 4
"""RAM of the runner for each layer: what the layer took when it was last timed."""


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """One of the board's memories: who takes how many bytes of it, and how many there are."""

    uses: Mapping[str, int]
    available_bytes: int

    @property
    def used_bytes(self) -> int:
        """All uses together."""
        return sum(self.uses.values())

    @property
    def free_bytes(self) -> int:
        """What is left; negative by as much as is missing."""
        return self.available_bytes - self.used_bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """How one model runs on one board.

    ``buffers`` is the number of input buffers, 1 or 2, and of output buffers. The arena and the buffers are exact, the
    stack is what the board's file reserves, and the model's constants are exact but for alignment. The firmware's own
    RAM and the code are estimates: RAM and flash as a whole come within 5 % of what the build reads from the ELF
    (docs/budget-accuracy.md), above or below, so what fits by less than that may not fit; the code of TensorFlow Lite
    Micro's ops is too high, up to 8 % of the flash, where they were measured on another core only. Where a framework
    brings code of its own, its share is a rough figure of the board's file.
    """

    graph: Graph
    board: Board
    engine: EnginePlan
    buffers: int
    ram: MemoryUse
    flash: MemoryUse

    @property
    def fits(self) -> bool:
        """Whether RAM and flash suffice."""
        return self.ram.free_bytes >= 0 and self.flash.free_bytes >= 0


def make_plan(engine: EnginePlan, board: Board, *, buffers: int) -> Plan:
    """What the engine decided about a graph, on a board; whether it fits is for the caller to judge."""
    framework = board.framework
    ram_taken = {f"{framework.framework} (estimate)": framework.ram_bytes} if framework else {}
    flash_taken = {f"{framework.framework} (estimate)": framework.flash_bytes} if framework else {}
    return Plan(
        graph=engine.graph,
        board=board,
        engine=engine,
        buffers=buffers,
        ram=MemoryUse(
            uses={
                "arena": engine.arena_reserved_bytes,
                "input buffers": buffers * engine.input_bytes,
                "output buffers": buffers * engine.output_bytes,
                "stack": board.stack_bytes,
                "firmware (estimate)": firmware_state_bytes(board)
                + LAYER_STATE_BYTES * len(engine.layer_arena_bytes)
                + engine.state_bytes,
                **ram_taken,
            },
            available_bytes=board.ram_bytes,
        ),
        flash=MemoryUse(
            uses={"constants": engine.constant_bytes, "code (estimate)": engine.code_bytes, **flash_taken},
            available_bytes=board.flash_bytes,
        ),
    )


Replan = Callable[[Board, str], Plan]
"""Plans the same model for another board, or with the engine of another name."""


def require_fit(plan: Plan, replan: Replan) -> None:
    """Nothing where the plan fits. ``replan`` is asked for what would.

    Raises:
        FitError: It does not; the message says by how many bytes, at which layer, and what to try.
    """
    for kind, budget in (("RAM", plan.ram), ("flash", plan.flash)):
        if budget.free_bytes < 0:
            raise FitError(
                f"{printable(plan.graph.name)} does not fit on {plan.board.id}: {budget.used_bytes:,} B of {kind} "
                f"needed, {budget.available_bytes:,} B there ({-budget.free_bytes:,} B short)",
                where={
                    kind: " + ".join(f"{name} {size:,} B" for name, size in budget.uses.items()),
                    **(_peak_facts(plan) if kind == "RAM" else {}),
                },
                hint=_ways_out(plan, replan),
            )


def _peak_facts(plan: Plan) -> dict[str, str]:
    peak = plan.engine.peak
    if peak is None:
        return {}
    held = (
        f"{nbytes:>9,} B {tensor_label(plan.graph.tensors[index])}"
        for index, nbytes in zip(peak.tensors, peak.nbytes, strict=True)
    )
    op = plan.graph.ops[peak.op]
    return {"peak": "\n".join((f"op {op.index} {printable(op.kind)}, when the arena holds", *held))}


def _ways_out(plan: Plan, replan: Replan) -> str:
    """What to try: fewer buffers or another engine where that suffices, and the boards on which it fits as it is."""
    ways = []
    if plan.buffers > 1 and make_plan(plan.engine, plan.board, buffers=1).fits:
        ways.append("--buffers 1 (no input is received while one is computed)")
    for engine in {"aot", "tflm"} - {plan.engine.engine}:
        other = _attempt(replan, plan.board, engine)
        if other and other.fits:
            ways.append(
                f"--engine {engine} (needs {other.ram.used_bytes:,} B of RAM, {other.flash.used_bytes:,} B of flash)"
            )
    attempts = [_attempt(replan, board, plan.engine.engine) for board in load_boards()]
    others = [other.board.id for other in attempts if other and other.fits]
    if others:
        ways.append(f"a board on which it fits: {', '.join(others)}")
    return "\n".join(ways) or "a smaller model; it fits on no board that comes with tinydeploy"


def _attempt(replan: Replan, board: Board, engine: str) -> Plan | None:
    """The plan, or None where there can be none: an op that the engine lacks, a setting that is not for it."""
    try:
        return replan(board, engine)
    except TinydeployError:
        return None
