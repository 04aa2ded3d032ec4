"""Which of its ways each op is computed in: the least costly combination that agrees on how tensors are stored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import Graph, Op

_STATES_KEPT = 256
"""Combinations of storages that are followed from op to op; graphs have a handful."""

Price = Callable[[Candidate], tuple[float, ...]]
"""What a candidate costs: numbers that are summed up and compared in their order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """What was chosen for an op, and all that could have been."""

    op: int
    chosen: Candidate
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Partial:
    """The best choices for the ops so far that leave the tensors still needed in certain storages."""

    price: tuple[float, ...]
    chosen: tuple[Candidate, ...]


_Stored = frozenset[tuple[int, Planes]]
"""The tensors that are alive and not dense."""


def choose(graph: Graph, candidates: Sequence[Sequence[Candidate]], price: Price) -> tuple[Choice, ...]:
    """A choice for each op; ``candidates`` are in the order of the graph's ops.

    Goes from op to op and keeps, for every combination of storages that the tensors alive can have, the cheapest way
    to get there. That is exact as long as there are few combinations.

    Raises:
        LookupError: No combination agrees on how tensors are stored, which cannot be where every op has a dense way.
    """
    last_use = _last_uses(graph)
    dense: _Stored = frozenset()  # from which every op can go on
    states: dict[_Stored, _Partial] = {dense: _Partial(price=(), chosen=())}
    for step, (op, ways) in enumerate(zip(graph.ops, candidates, strict=True)):
        following: dict[_Stored, _Partial] = {}
        for stored, partial in states.items():
            for way, after in _continuations(graph, op, ways, stored):
                alive = frozenset((index, planes) for index, planes in after if last_use.get(index, step) > step)
                total = _sum(partial.price, price(way))
                if alive not in following or total < following[alive].price:
                    following[alive] = _Partial(price=total, chosen=(*partial.chosen, way))
        cheapest = sorted(following.items(), key=lambda item: item[1].price)
        states = dict(cheapest[:_STATES_KEPT])
        if dense in following:
            states[dense] = following[dense]
    best = states[dense]
    return tuple(
        Choice(op=op.index, chosen=way, candidates=tuple(ways))
        for op, way, ways in zip(graph.ops, best.chosen, candidates, strict=True)
    )


def _continuations(
    graph: Graph, op: Op, ways: Sequence[Candidate], stored: _Stored
) -> Iterator[tuple[Candidate, _Stored]]:
    """The ways that read their inputs as they are stored, and what is stored how after each."""
    now: Mapping[int, Planes] = dict(stored)
    for way in ways:
        reads = all(now.get(index) == way.reads.get(index) for index in op.inputs if index >= 0)
        if reads and not any(index in graph.outputs for index in way.writes):
            yield way, stored | frozenset(way.writes.items())


def _last_uses(graph: Graph) -> dict[int, int]:
    return {index: step for step, op in enumerate(graph.ops) for index in op.inputs if index >= 0}


def _sum(total: tuple[float, ...], more: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(total, more, strict=True)) if total else more
