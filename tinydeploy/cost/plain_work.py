"""The work of ops without weights, and what work is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from tinydeploy.cost.windows import sides_of
from tinydeploy.model.graph import ConcatenationOptions, Graph, Op


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a layer has to do: which coefficients it is for, and how much of what."""

    row: str
    amounts: Mapping[str, float]


def shape_at(graph: Graph, op: Op, position: int) -> tuple[int, ...]:
    """The shape of an input that is there."""
    return graph.tensors[op.inputs[position]].shape


def pool_work(graph: Graph, op: Op) -> Work:
    """Of pooling."""
    down, across = sides_of(graph, op)
    channels = graph.output_of(op).shape[3]
    pixels, inside = down.outputs * across.outputs, down.inside * across.inside
    vectors = -(-channels // 16)
    return Work(
        row=op.kind,
        amounts={
            "calls": 1,
            "pixels": pixels,
            "outputs": pixels * channels,
            "taps inside": inside,
            "values": inside * channels,
            "vectors of 16 channels": pixels * vectors,
            "vectors of 16 values": inside * vectors,
            "rows of windows": down.inside * across.outputs,
            "vectors of 8 channels": pixels * -(-channels // 8),
            "vectors of 8 values": inside * -(-channels // 8),
        },
    )


def softmax_work(graph: Graph, op: Op) -> Work:
    """Of a softmax along the last dimension."""
    *rows, depth = shape_at(graph, op, 0)
    return Work(
        row="SOFTMAX", amounts={"calls": 1, "rows": math.prod(rows), "values": math.prod(rows) * depth, "depth": depth}
    )


def arithmetic_work(graph: Graph, op: Op) -> Work:
    """A kernel goes over runs of values that neither operand repeats."""
    output = graph.output_of(op)
    first, second = shape_at(graph, op, 0), shape_at(graph, op, 1)
    row = op.kind if first == second else f"{op.kind} broadcast"
    return Work(row=row, amounts={"calls": 1, "values": output.elements, "vectors": -(-output.elements // 16)})


def values_work(graph: Graph, op: Op) -> Work:
    """Of an op that goes from value to value."""
    return Work(row=op.kind, amounts={"calls": 1, "values": graph.output_of(op).elements})


def mean_work(graph: Graph, op: Op) -> Work:
    """Of a mean."""
    read, written = math.prod(shape_at(graph, op, 0)), graph.output_of(op).elements
    return Work(row="MEAN", amounts={"calls": 1, "outputs": written, "values": read})


def quantize_work(graph: Graph, op: Op) -> Work:
    """Of a change of type or scale."""
    types = f"{graph.tensors[op.inputs[0]].dtype.value} to {graph.output_of(op).dtype.value}".lower()
    return Work(row=f"QUANTIZE {types}", amounts={"calls": 1, "values": graph.output_of(op).elements})


def concatenation_work(graph: Graph, op: Op) -> Work:
    """Of a concatenation, whose parts are copied run by run."""
    axis = cast("ConcatenationOptions", op.options).axis
    shape = graph.output_of(op).shape
    outer = math.prod(shape[: axis % len(shape)])
    amounts = {"calls": 1, "parts": len(op.inputs), "runs": outer * len(op.inputs), "values": math.prod(shape)}
    return Work(row="CONCATENATION", amounts=amounts)


def movement_work(graph: Graph, op: Op) -> Work:
    """Values that go elsewhere, row by row."""
    output = graph.output_of(op)
    rows = output.elements // output.shape[-1]
    read = math.prod(shape_at(graph, op, 0))
    return Work(row=op.kind, amounts={"calls": 1, "rows": rows, "values": output.elements, "inputs": read})
