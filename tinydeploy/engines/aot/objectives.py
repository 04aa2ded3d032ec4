"""What a model is compiled for: the fastest program, the one with the least flash, or the one with the least RAM."""

import math
from collections.abc import Callable, Iterator, Sequence

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.choose import Price
from tinydeploy.engines.aot.code_size import usual_code_bytes
from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.emit import constant_bytes
from tinydeploy.engines.aot.layout import Layout, plan_layout
from tinydeploy.engines.interface import Objective

_AS_FAST = 1.002
"""What a kernel less may cost, in instructions, where nothing is asked for."""

_HARDLY_SLOWER = 1.02
"""What less RAM may cost then."""

Ways = Sequence[Sequence[Candidate]]
Compile = Callable[[Ways, Price], Compiled]


def compile_for(objective: Objective | None, ways: Ways, compile_with: Compile) -> Compiled:
    """The program that serves the objective best; ``compile_with`` makes one of the cheapest ways by some price.

    Only speed, asked for explicitly, may take ways with large constants. Without an objective it is the fastest of the
    others, or one that is hardly slower where that saves RAM or a kernel.
    """
    if objective == "speed":
        return compile_with(ways, _instructions)
    small = [[way for way in found if not way.large] for found in ways]
    fastest = compile_with(small, _instructions)
    if objective == "size":
        return min(fastest, compile_with(small, _constants), key=_flash_bytes)
    if objective == "ram":
        return _with_least_ram(fastest, small, compile_with, math.inf)[0]
    least = _sum_of_instructions(fastest)
    best, rest = _with_least_ram(fastest, small, compile_with, _HARDLY_SLOWER * least)
    return _with_fewer_kernels(best, rest, compile_with, _AS_FAST * _sum_of_instructions(best))


def _with_least_ram(
    fastest: Compiled, ways: Ways, compile_with: Compile, most_instructions: float
) -> tuple[Compiled, Ways]:
    """A program with a smaller arena, as long as there is one with at most so many instructions, and the ways left.

    The search goes from peak to peak: one of the ways that hold what is alive at the arena's fullest moment is done
    without, that which makes the arena smallest.
    """
    best, layout = fastest, plan_layout(fastest.graph, fastest.program)
    while True:
        trials = [
            (trial, plan_layout(trial.graph, trial.program), without)
            for without in _without_one(best, layout, ways)
            for trial in (compile_with(without, _instructions),)
            if _sum_of_instructions(trial) <= most_instructions
        ]
        smallest = min(trials, key=lambda trial: trial[1].arena_bytes, default=None)
        if smallest is None or smallest[1].arena_bytes >= layout.arena_bytes:
            return best, ways
        best, layout, ways = smallest


def _with_fewer_kernels(best: Compiled, ways: Ways, compile_with: Compile, most_instructions: float) -> Compiled:
    """A program without kernels that a single op calls, where that saves flash, no RAM is lost and it stays as fast."""
    arena_bytes = plan_layout(best.graph, best.program).arena_bytes
    for position, choice in enumerate(best.choices):
        calls = next(layer.calls for layer in best.program.layers if layer.op == choice.op)
        elsewhere = {c.kernel for layer in best.program.layers if layer.op != choice.op for c in layer.calls}
        rest = [way for way in ways[position] if way is not choice.chosen]
        if not rest or elsewhere.issuperset(call.kernel for call in calls):
            continue
        without = [*ways[:position], rest, *ways[position + 1 :]]
        try:
            trial = compile_with(without, _instructions)
        except LookupError:
            continue
        is_good = (
            _flash_bytes(trial) < _flash_bytes(best)
            and _sum_of_instructions(trial) <= most_instructions
            and plan_layout(trial.graph, trial.program).arena_bytes <= arena_bytes
        )
        if is_good:
            best, ways = trial, without
    return best


def _without_one(compiled: Compiled, layout: Layout, ways: Ways) -> Iterator[list[list[Candidate]]]:
    """The ways without the one chosen for an op that runs at the peak, or reads or writes what is alive then.

    The first way of each op, which every op has, is never left out.
    """
    for position, (op, choice) in enumerate(zip(compiled.graph.ops, compiled.choices, strict=True)):
        is_near = op.index == layout.peak_op or any(index in layout.peak_tensors for index in (*op.inputs, *op.outputs))
        if is_near and choice.chosen is not ways[position][0]:
            rest = [way for way in ways[position] if way is not choice.chosen]
            yield [*map(list, ways[:position]), rest, *map(list, ways[position + 1 :])]


def _instructions(way: Candidate) -> tuple[float, ...]:
    return way.cost.instructions, way.cost.constant_bytes, way.cost.scratch_bytes


def _sum_of_instructions(compiled: Compiled) -> float:
    return sum(choice.chosen.cost.instructions for choice in compiled.choices)


def _constants(way: Candidate) -> tuple[float, ...]:
    return way.cost.constant_bytes, way.cost.instructions, way.cost.scratch_bytes


def _flash_bytes(compiled: Compiled) -> int:
    return constant_bytes(compiled) + usual_code_bytes(compiled)
