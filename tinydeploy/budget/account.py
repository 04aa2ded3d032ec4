"""Plan + what is known beside it → BoardBudget: for every figure the best there is, and where it is from."""

from tinydeploy.budget.earlier import Earlier, Timing
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds, Source
from tinydeploy.cost.instructions import InstructionsEstimate, estimate_instructions
from tinydeploy.cost.time import TimeEstimate, estimate_time
from tinydeploy.image import Image
from tinydeploy.plan import Plan


def account(plan: Plan, earlier: Earlier, image: Image | None = None) -> BoardBudget:
    """What the model takes of the plan's board.

    Memory is that of ``image``, a firmware that was built of this plan; else what an earlier one took; else the plan's.
    """
    ram, flash = _memory(plan, earlier, image)
    timing, estimate = earlier.timing(plan), estimate_instructions(plan)
    counted = timing if timing and timing.unit == "instructions" else None
    timed = timing if timing and timing.unit == "us" else None
    return BoardBudget(
        plan=plan,
        arena=_arena(plan),
        ram=ram,
        flash=flash,
        instructions=_measured(counted) if counted else _estimated(estimate) if estimate else None,
        layer_instructions=counted.layers if counted and counted.layers else estimate.layers if estimate else None,
        milliseconds=_measured_time(timed) if timed else _estimated_time(estimate_time(plan, estimate)),
    )


def _arena(plan: Plan) -> Figure:
    engine = plan.engine
    if engine.arena_estimated is not None:
        return Figure(value=engine.arena_reserved_bytes, source="estimated", origin=engine.arena_estimated)
    if engine.arena_measured is not None:
        return Figure(value=engine.arena_reserved_bytes, source="measured", origin="told by the board")
    return Figure(value=engine.arena_reserved_bytes, source="exact")


def _memory(plan: Plan, earlier: Earlier, image: Image | None) -> tuple[Figure, Figure]:
    """RAM and flash. A firmware that has yet to find out its arena's size has more of it than the final one."""
    known = earlier.memory(plan)
    if image is not None and plan.engine.arena_estimated is None:
        return _of_elf(plan, image.ram_bytes, image.flash_bytes, "exact", "ELF")
    if known is not None:
        return _of_elf(plan, known.ram_bytes, known.flash_bytes, "measured", known.origin)
    return (
        Figure(value=plan.ram.used_bytes, source="estimated"),
        Figure(value=plan.flash.used_bytes, source="estimated"),
    )


def _of_elf(plan: Plan, ram_bytes: int, flash_bytes: int, source: Source, origin: str) -> tuple[Figure, Figure]:
    """What an ELF says, and the stack where that is not in it."""
    beside = plan.board.stack_beside_elf_bytes
    return (
        Figure(value=ram_bytes + beside, source=source, origin=origin),
        Figure(value=flash_bytes, source=source, origin=origin),
    )


def _measured(timing: Timing) -> Figure:
    return Figure(value=timing.per_inference, source="measured", origin=timing.origin)


def _estimated(estimate: InstructionsEstimate) -> Figure:
    return Figure(
        value=estimate.total,
        source="estimated",
        origin=f"{100 * estimate.error:.0f} % off, on average, for networks that were not fitted",
    )


def _estimated_time(time: TimeEstimate | None) -> Milliseconds | None:
    if time is None:
        return None
    return Milliseconds(low=time.low_ms, high=time.high_ms, source="estimated", origin=time.source)


def _measured_time(timing: Timing) -> Milliseconds:
    time = timing.per_inference / 1000
    return Milliseconds(low=time, high=time, source="measured", origin=timing.origin)
