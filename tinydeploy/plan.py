"""EnginePlan + Board → Plan: what a model takes of a board. Nothing is decided after it; what comes after obeys."""

from collections.abc import Mapping
from dataclasses import dataclass

from tinydeploy.boards import Board, load_boards
from tinydeploy.engines.interface import EnginePlan
from tinydeploy.errors import FitError
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable, tensor_label

FIRMWARE_STATE_BYTES = 448
"""RAM of link, runner and port beside buffers and arena, rounded up; tests hold it against built firmware."""

LAYER_STATE_BYTES = 4
"""RAM of the runner for each layer: what the layer took when it was last timed."""


@dataclass(frozen=True, kw_only=True)
class Budget:
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
    model's constants exact but for alignment; the firmware's own RAM, stack and code are upper estimates that the build
    replaces by what it reads from the ELF.
    """

    graph: Graph
    board: Board
    engine: EnginePlan
    buffers: int
    ram: Budget
    flash: Budget

    @property
    def fits(self) -> bool:
        """Whether RAM and flash suffice."""
        return self.ram.free_bytes >= 0 and self.flash.free_bytes >= 0


def make_plan(engine: EnginePlan, board: Board, *, buffers: int) -> Plan:
    """What the engine decided about a graph, on a board; whether it fits is for the caller to judge."""
    return Plan(
        graph=engine.graph,
        board=board,
        engine=engine,
        buffers=buffers,
        ram=Budget(
            uses={
                "arena": engine.arena_reserved_bytes,
                "input buffers": buffers * engine.input_bytes,
                "output buffers": buffers * engine.output_bytes,
                "stack": board.stack_bytes,
                "firmware (estimate)": FIRMWARE_STATE_BYTES + LAYER_STATE_BYTES * len(engine.layer_arena_bytes),
            },
            available_bytes=board.ram_bytes,
        ),
        flash=Budget(
            uses={"constants": engine.constant_bytes, "code (estimate)": engine.code_bytes},
            available_bytes=board.flash_bytes,
        ),
    )


def require_fit(plan: Plan) -> None:
    """Nothing where the plan fits.

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
                hint=_ways_out(plan),
            )


def _peak_facts(plan: Plan) -> dict[str, str]:
    peak = plan.engine.peak
    if peak is None:
        return {}
    tensors = (plan.graph.tensors[index] for index in peak.tensors)
    held = (f"{tensor.nbytes:>9,} B {tensor_label(tensor)}" for tensor in tensors)
    op = plan.graph.ops[peak.op]
    return {"peak": "\n".join((f"op {op.index} {printable(op.kind)}, when the arena holds", *held))}


def _ways_out(plan: Plan) -> str:
    """What to try: fewer buffers where that suffices, and the boards on which the same plan fits."""
    ways = []
    if plan.buffers > 1 and make_plan(plan.engine, plan.board, buffers=1).fits:
        ways.append("--buffers 1 (no input is received while one is computed)")
    others = [board.id for board in load_boards() if make_plan(plan.engine, board, buffers=plan.buffers).fits]
    if others:
        ways.append(f"a board on which it fits: {', '.join(others)}")
    return "\n".join(ways) or "a smaller model; it fits on no board that comes with tinydeploy"
