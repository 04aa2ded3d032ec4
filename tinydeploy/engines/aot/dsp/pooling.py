"""AVERAGE_POOL_2D over a whole image, and MEAN over height and width, of planes: td_average_planes.h in the dsp set."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import cast

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.depthwise import plane_fields
from tinydeploy.engines.aot.operator import one_call, tensor_at
from tinydeploy.engines.aot.ops.pooling import lower_pool
from tinydeploy.engines.aot.ops.reduction import lower_mean
from tinydeploy.engines.aot.ops.tensors import integers
from tinydeploy.engines.aot.program import Layer, Parameter
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import Graph, Op, PoolOptions

_HEIGHT_AND_WIDTH = {1, 2}
"""Of the four dimensions of an image."""


def average_planes(context: Context, op: Op) -> Iterable[Candidate]:
    """A way for each of the planes that the input may be stored in, where the op averages whole images."""
    graph = context.graph
    rounding = _pooled(graph, op) if op.kind == "AVERAGE_POOL_2D" else _mean(graph, op)
    if rounding is None:
        return
    for planes in context.planes.get(op.inputs[0], ()):
        yield Candidate(
            name="sums of planes",
            cost=Cost(instructions=instructions_of(planes)),
            lower=_lowering(op, planes, rounding),
            reads={op.inputs[0]: planes},
        )


def instructions_of(planes: Planes) -> float:
    """Of one call of ``td_average_planes``: measured, within 6 %."""
    planes = _in_one_row(planes)
    sixteens, rest = divmod(planes.width, 16)
    if sixteens:
        row = 10 + 14.5 * sixteens + 5 * (rest // 4) + (10 if rest % 4 else 0)
    else:
        row = 7 + 5.8 * (rest // 4) + (5.3 if rest % 4 else 0)
    return 46 + planes.channels * (40 + planes.height * row)


def _in_one_row(planes: Planes) -> Planes:
    """The planes as one row each where their rows touch."""
    if planes.pitch != planes.width:
        return planes
    values = planes.height * planes.width
    return replace(planes, height=1, width=values, pitch=values)


def _lowering(op: Op, planes: Planes, rounding: Mapping[str, Parameter]) -> Callable[[], Layer]:
    fields = {"planes": plane_fields(_in_one_row(planes)), **rounding}
    return lambda: one_call(op, "average_planes", fields, in_place=True)


def _pooled(graph: Graph, op: Op) -> Mapping[str, Parameter] | None:
    """How a pool of one window over the whole image rounds; None for other pools."""
    window = lower_pool(graph, op).calls[0].parameters["window"]
    assert isinstance(window, Mapping)
    _, height, width, _ = tensor_at(graph, op, 0).shape
    options = cast("PoolOptions", op.options)
    reach = (options.filter_h - cast("int", window["pad_top"]), options.filter_w - cast("int", window["pad_left"]))
    if graph.output_of(op).shape[1:3] != (1, 1) or reach[0] < height or reach[1] < width:
        return None
    return {"divisor": height * width, "min": window["min"], "max": window["max"]}


def _mean(graph: Graph, op: Op) -> Mapping[str, Parameter] | None:
    """How the mean over height and width rounds; None over other dimensions."""
    shape = tensor_at(graph, op, 0).shape
    if len(shape) != 4 or {axis % 4 for axis in integers(tensor_at(graph, op, 1))} != _HEIGHT_AND_WIDTH:
        return None
    mean = lower_mean(graph, op).calls[0].parameters
    return {
        "divisor": 0,
        "start": mean["start"],
        "multiplier": mean["multiplier"],
        "zero_point": mean["zero_point"],
        "min": -128,
        "max": 127,
    }
