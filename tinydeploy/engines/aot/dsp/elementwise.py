"""ADD and SUB: as a plane through all pairs of values (td_add_affine.h in the dsp set), with a constant as a table."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import cast

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.fixed_point import INT32_MAX, INT32_MIN
from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.elementwise import lower_add
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter
from tinydeploy.model.graph import Graph, Op, Tensor

Int64Array = npt.NDArray[np.int64]

SHIFT = 19
"""TD_ADD_AFFINE_SHIFT. Inputs may have up to 16 times the output's scale, and what is lost by rounding factors and
dropping bits stays below 2**-17 of an output step: about what TFLM's own roundings of its inputs come to."""

_DROPPED = 8
"""Bits that the kernel drops of each product, which so may have a finer factor."""

_STEPS = tuple(sorted(((a, b) for a in range(-3, 4) for b in range(-3, 4)), key=lambda s: (s[0] ** 2 + s[1] ** 2, s)))
"""Where to look for factors around the true ones, nearest first, in units of _STEP."""

_STEP = 48
"""Moves a product by up to 24 units of the sum: some of what rounding may have moved."""

_REACH = 2 * 2 * 3 * _STEP * 128 // 2**_DROPPED + 8
"""Twice as far as the factors tried can move the sum of a pair."""

_VALUES = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Plane:
    """``SSAT(8, ((first * x >> 8) + (second * y >> 8) + start) >> SHIFT)`` for all int8 x and y, then bounded.

    No sum leaves int32, neither with two terms nor with all.
    """

    first: int
    second: int
    start: int


@dataclass(frozen=True, kw_only=True)
class Sum:
    """What TFLM computes: the parameters of ``struct td_add``."""

    zero_points: tuple[int, int, int]
    mantissas: tuple[int, int, int]
    shifts: tuple[int, int, int]
    sign: int
    low: int
    high: int


def affine_sum(context: Context, op: Op) -> Iterable[Candidate]:
    """Where neither input is repeated or constant, and a plane was found that is equal for all 65,536 pairs."""
    graph = context.graph
    inputs = [tensor_at(graph, op, 0), tensor_at(graph, op, 1)]
    if any(tensor.is_constant or tensor.shape != graph.output_of(op).shape for tensor in inputs):
        return
    described = sum_of(graph, op)
    plane = fit_plane(described)
    if plane is None:
        return
    count = graph.output_of(op).elements
    bounded = (described.low, described.high) != (-128, 127)
    yield Candidate(
        name="a plane through all pairs",
        cost=Cost(instructions=instructions_of(count, bounded=bounded)),
        lower=lambda: _lower(op, count, plane, described),
    )


def sum_table(context: Context, op: Op) -> Iterable[Candidate]:
    """Where one input is a single constant value: the table of what becomes of the other."""
    graph = context.graph
    output = graph.output_of(op)
    for position in (0, 1):
        value, other = tensor_at(graph, op, position), tensor_at(graph, op, 1 - position)
        if value.data is not None and value.elements == 1 and not other.is_constant and other.shape == output.shape:
            outputs = np.moveaxis(outputs_of(sum_of(graph, op)), position, 0)[int(value.data.reshape(-1)[0]) + 128]
            yield Candidate(
                name="a table of all values",
                cost=Cost(instructions=20 + 5 * output.elements, constant_bytes=len(outputs)),
                lower=partial(_lower_table, op, other, outputs),
            )


def instructions_of(count: int, *, bounded: bool) -> float:
    """Of one call of ``td_add_affine``: measured, within 3 %."""
    fours, rest = divmod(count, 4)
    return 40 + (31 if bounded else 26) * fours + 15 * rest


def sum_of(graph: Graph, op: Op) -> Sum:
    """An op's parameters as the reference kernel gets them."""
    fields = lower_add(graph, op).calls[0].parameters
    factors = [cast("Mapping[str, int]", fields[name]) for name in ("first", "second", "result")]
    names = ("first_zero_point", "second_zero_point", "zero_point", "sign", "min", "max")
    first, second, zero_point, sign, low, high = (cast("int", fields[name]) for name in names)
    return Sum(
        zero_points=(first, second, zero_point),
        mantissas=(factors[0]["mantissa"], factors[1]["mantissa"], factors[2]["mantissa"]),
        shifts=(factors[0]["shift"], factors[1]["shift"], factors[2]["shift"]),
        sign=sign,
        low=low,
        high=high,
    )


def outputs_of(described: Sum) -> Int64Array:
    """TFLM's outputs for all pairs, [x + 128, y + 128]: as reference/add.c computes them."""
    return np.clip(_unbounded(described), described.low, described.high)


@lru_cache(maxsize=1024)
def fit_plane(described: Sum) -> Plane | None:
    """A plane with TFLM's outputs for every pair, compared one by one; None where none is found.

    With the factors given, each pair bounds ``start`` from below, if its output is above -128, and from above, if it is
    below 127. So there is a start where the largest lower bound is not above the smallest upper one.
    """
    outputs = np.clip(_unbounded(described), -128, 127)
    x, y = (values.reshape(-1) for values in np.meshgrid(_VALUES, _VALUES, indexing="ij"))
    wanted = outputs.reshape(-1)
    for number, (first, second) in enumerate(_factors(described)):
        lower, upper = _bounds(first, second, x, y, wanted)
        low, high = int(lower.max()), int(upper.min())
        if number == 0:  # only pairs near a step can matter for the other factors
            near = (lower > low - _REACH) | (upper < high + _REACH)
            x, y, wanted = x[near], y[near], wanted[near]
        plane = Plane(first=first, second=second, start=(low + high) // 2)
        if low <= high and _stays_in_int32(plane) and np.array_equal(plane_outputs(plane), outputs):
            return plane
    return None


def _bounds(
    first: int, second: int, x: Int64Array, y: Int64Array, outputs: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Between what the start has to be for each pair's output."""
    products = (first * x >> _DROPPED) + (second * y >> _DROPPED)
    lower = np.where(outputs > -128, (outputs << SHIFT) - products, INT32_MIN)
    upper = np.where(outputs < 127, (outputs + 1 << SHIFT) - 1 - products, INT32_MAX)
    return lower, upper


def plane_outputs(plane: Plane) -> Int64Array:
    """What the kernel computes for all pairs, before bounds, [x + 128, y + 128]."""
    sums = (plane.first * _VALUES >> _DROPPED)[:, None] + ((plane.second * _VALUES >> _DROPPED) + plane.start)
    return np.asarray(np.clip(sums >> SHIFT, -128, 127))


def _factors(described: Sum) -> Iterator[tuple[int, int]]:
    """Factors near the true ones that are 32-bit numbers."""
    unit = 2.0 ** (SHIFT + _DROPPED + 20)
    result, *inputs = (described.mantissas[i] * 2.0 ** (described.shifts[i] - 31) for i in (2, 0, 1))
    first, second = (round(factor * result * unit) for factor in inputs)
    second *= described.sign
    for a, b in _STEPS:
        factors = first + a * _STEP, second + b * _STEP
        if all(INT32_MIN <= factor <= INT32_MAX for factor in factors):
            yield factors


def _stays_in_int32(plane: Plane) -> bool:
    """Of the partial sums in the order in which the kernel makes them."""
    ends = np.array([-128, 127], np.int64)
    some = (plane.second * ends >> _DROPPED) + plane.start
    every = (plane.first * ends >> _DROPPED)[:, None] + some
    return all(INT32_MIN <= int(value) <= INT32_MAX for value in (*some, *every.reshape(-1), plane.start))


def _unbounded(described: Sum) -> Int64Array:
    first, second = (
        _scaled_down((_VALUES - described.zero_points[i]) << 20, described.mantissas[i], described.shifts[i])
        for i in (0, 1)
    )
    total = first[:, None] + described.sign * second
    return _scaled_down(total, described.mantissas[2], described.shifts[2]) + described.zero_points[2]


def _scaled_down(values: Int64Array, mantissa: int, shift: int) -> Int64Array:
    """`fixed_point.multiply` for shifts to the right."""
    high = (values * mantissa + 2**30) >> 31
    mask = (1 << -shift) - 1
    rounded: Int64Array = (high >> -shift) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def _lower(op: Op, count: int, plane: Plane, described: Sum) -> Layer:
    parameters: dict[str, Parameter] = {
        "count": count,
        "first": plane.first,
        "second": plane.second,
        "start": plane.start,
        "min": described.low,
        "max": described.high,
    }
    call = Call(
        kernel="add_affine",
        parameters=parameters,
        inputs=(Operand(tensor=op.inputs[0]), Operand(tensor=op.inputs[1])),
        output=Operand(tensor=op.outputs[0]),
        in_place={0: 0, 1: 0},
    )
    return Layer(op=op.index, calls=(call,))


def _lower_table(op: Op, other: Tensor, outputs: Int64Array) -> Layer:
    table = np.roll(outputs, 128).astype(np.int8)  # from the order of values to that of their bits
    call = Call(
        kernel="lookup",
        parameters={"count": other.elements, "table": Array(values=table)},
        inputs=(Operand(tensor=other.index),),
        output=Operand(tensor=op.outputs[0]),
        in_place={0: 0},
    )
    return Layer(op=op.index, calls=(call,))
