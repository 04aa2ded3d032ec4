"""Plan → the instructions that one inference will take, estimated: before anything is built, in milliseconds.

The aot engine has costs of its own for the kernels that it chooses between; of all others, a layer takes a linear
function of its work (`work`), whose coefficients were fitted to synthetic networks on the virtual boards
(`coefficients`). docs/latency-estimates.md has how well that does on models that were not among them.

Of TensorFlow Lite Micro it is the version that was fitted, compiled as on the virtual boards: others may take more or
fewer.
"""

from dataclasses import dataclass

from tinydeploy.cost.coefficients import Coefficients, coefficients
from tinydeploy.cost.setting import Setting, setting_of
from tinydeploy.cost.work import layer_work
from tinydeploy.engines.interface import EnginePlan
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan

_PLAIN = "plain"
"""The aot engine's name of the way that needs no kernel of its own, of whose cost it knows little."""


@dataclass(frozen=True, kw_only=True)
class InstructionsEstimate:
    """Instructions of one inference, and of each of the model's ops in its order.

    ``error`` is the root mean square of what estimates like it were off by, as a share of the total, on synthetic
    networks that the coefficients were not fitted to.
    """

    total: int
    layers: tuple[int, ...]
    error: float


def estimate_instructions(plan: Plan) -> InstructionsEstimate | None:
    """None where nothing is known; `why_no_estimate` says what."""
    known = _known(plan)
    found = None if known is None else coefficients()[known]
    layers = () if known is None else _layers(plan, known)
    if found is None or None in layers:
        return None
    each = [layer for layer in layers if layer is not None]
    total = sum(each) + found.per_inference + found.per_layer * len(each)
    return InstructionsEstimate(total=round(total), layers=tuple(map(round, each)), error=found.error)


def why_no_estimate(plan: Plan) -> str | None:
    """What is missing for an estimate, as a few words; None where there is one."""
    known = _known(plan)
    if known is None:
        return f"the {plan.engine.kernels} kernels of {plan.engine.engine} were never measured on {plan.board.core}"
    missing = [op for op, layer in zip(plan.graph.ops, _layers(plan, known), strict=True) if layer is None]
    names = dict.fromkeys(printable(op.kind) for op in missing)
    return f"never measured: {', '.join(names)}" if names else None


def planned_instructions(engine: EnginePlan) -> tuple[int | None, ...]:
    """What the engine itself says of each op; None where it knows only the plain way, or takes that."""
    chosen = (next((way for way in ways if way.is_chosen), None) for ways in engine.ways)
    planned = (None if way is None or way.name == _PLAIN else way.instructions for way in chosen)
    return tuple(planned) or (None,) * len(engine.graph.ops)


def _known(plan: Plan) -> Setting | None:
    """The setting whose figures hold for the plan, if they were fitted."""
    engine, kernels = plan.engine.engine, plan.engine.kernels
    if engine == "tflm" and kernels == "optimized" and plan.board.tflm.kernels != "cmsis_nn":
        return None
    setting = setting_of(plan.board.core, engine, kernels)
    return setting if setting in coefficients() else None


def _layers(plan: Plan, setting: Setting) -> tuple[float | None, ...]:
    """Instructions of each op of the model; None of those like which nothing was measured."""
    graph, found = plan.engine.executed, coefficients()[setting]
    executed = {op.index: op for op in graph.ops}
    planned = planned_instructions(plan.engine)
    return tuple(
        _layer(found, setting, graph, executed.get(op.index), known)
        for op, known in zip(plan.graph.ops, planned, strict=True)
    )


def _layer(found: Coefficients, setting: Setting, graph: Graph, op: Op | None, planned: int | None) -> float | None:
    if op is None:
        return found.removed
    if planned is not None:
        return float(planned)
    work = layer_work(graph, op, setting)
    return None if work is None else found.instructions(work)
