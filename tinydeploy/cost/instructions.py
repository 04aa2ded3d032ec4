"""Plan → the instructions that one inference will take, estimated: before anything is built, in milliseconds.

The aot engine has costs of its own for the kernels that it chooses between; of all others, a layer takes a linear
function of its work (`work`), whose coefficients were fitted to synthetic networks on the virtual boards
(`coefficients`). docs/latency-estimates.md has how well that does on models that were not among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tinydeploy.cost.coefficients import Coefficients, coefficients, setting_of
from tinydeploy.cost.work import layer_work
from tinydeploy.engines.interface import EnginePlan, Way
from tinydeploy.model.graph import Graph, Op
from tinydeploy.plan import Plan

_PLAIN = "plain"
"""The aot engine's name of the way that needs no kernel of its own, of whose cost it knows little."""


@dataclass(frozen=True, kw_only=True)
class InstructionsEstimate:
    """Instructions of one inference, and of each of the model's ops in its order; ``error`` is a share of the total."""

    total: int
    layers: tuple[int, ...]
    error: float


def estimate_instructions(plan: Plan) -> InstructionsEstimate | None:
    """None where nothing is known; `why_no_estimate` says what."""
    found = _coefficients(plan)
    if found is None or _unknown_ops(plan, found):
        return None
    executed = {op.index: op for op in plan.engine.executed.ops}
    planned = planned_instructions(plan.engine)
    layers = [
        _layer(found, plan.engine.executed, executed.get(op.index), known)
        for op, known in zip(plan.graph.ops, planned, strict=True)
    ]
    around = found.per_inference + found.per_layer * len(layers)
    return InstructionsEstimate(
        total=round(sum(layers) + around), layers=tuple(round(layer) for layer in layers), error=found.error
    )


def why_no_estimate(plan: Plan) -> str | None:
    """What is missing for an estimate, as a few words; None where there is one."""
    found = _coefficients(plan)
    if found is None:
        return f"no kernels for {plan.board.core} were ever measured with the {plan.engine.engine} engine"
    unknown = _unknown_ops(plan, found)
    return f"never measured: {', '.join(unknown)}" if unknown else None


def planned_instructions(engine: EnginePlan) -> tuple[int | None, ...]:
    """What the engine itself says of each op; None where it knows only the plain way, or takes that."""
    chosen = [next((way for way in ways if way.is_chosen), None) for ways in engine.ways]
    return tuple(map(_known, chosen)) or (None,) * len(engine.graph.ops)


def _known(way: Way | None) -> int | None:
    return None if way is None or way.name == _PLAIN else way.instructions


def _coefficients(plan: Plan) -> Coefficients | None:
    """Those of the kernels that run the model on the board's core."""
    engine, kernels = plan.engine.engine, plan.engine.kernels
    if engine == "tflm" and kernels == "optimized" and plan.board.tflm.kernels != "cmsis_nn":
        return None
    return coefficients().get(setting_of(plan.board.core, engine, kernels))


def _unknown_ops(plan: Plan, found: Coefficients) -> tuple[str, ...]:
    """What was never measured, each once."""
    graph = plan.engine.executed
    planned: Mapping[int, int | None] = dict(
        zip((op.index for op in plan.graph.ops), planned_instructions(plan.engine), strict=True)
    )
    missing = (op for op in graph.ops if planned[op.index] is None and _fitted(found, graph, op) is None)
    return tuple(dict.fromkeys(_name(graph, op) for op in missing))


def _name(graph: Graph, op: Op) -> str:
    work = layer_work(graph, op)
    return work.row if work else op.kind


def _fitted(found: Coefficients, graph: Graph, op: Op) -> float | None:
    work = layer_work(graph, op)
    return None if work is None else found.instructions(work)


def _layer(found: Coefficients, graph: Graph, op: Op | None, planned: int | None) -> float:
    if op is None:
        return found.removed
    return planned if planned is not None else _fitted(found, graph, op) or 0.0
