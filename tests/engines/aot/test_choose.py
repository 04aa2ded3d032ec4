"""Which ways the ops of small graphs are computed in."""

import itertools

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.choose import choose
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.reader import parse_model

PLANES = Planes.compact(3, 4, 4)
SCALE = {"scale": 0.05, "zero_point": 3}


def never():
    pytest.fail("a way was lowered")


def way(name, instructions, *, reads=(), writes=()):
    return Candidate(
        name=name,
        cost=Cost(instructions=instructions),
        lower=never,
        reads=dict.fromkeys(reads, PLANES),
        writes=dict.fromkeys(writes, PLANES),
    )


def chain(length, *, branch=False):
    """LOGISTIC layers, the last of which may instead add the first one's output to its own input."""
    builder = ModelBuilder()
    tensors = [builder.tensor((1, 4, 4, 3), **SCALE) for _ in range(length + 1)]
    for number, (source, target) in enumerate(itertools.pairwise(tensors)):
        if branch and number == length - 1:
            builder.op("ADD", [source, tensors[1]], [target])
        else:
            builder.op("LOGISTIC", [source], [target])
    return parse_model(builder.finish(inputs=[tensors[0]], outputs=[tensors[-1]]), name="model.tflite")


def names(graph, candidates):
    chosen = choose(graph, candidates, lambda candidate: (candidate.cost.instructions,))
    return [choice.chosen.name for choice in chosen]


def test_planes_are_taken_where_all_ops_around_them_are_cheaper_in_sum():
    graph = chain(3)
    _, a, b, _ = range(4)
    candidates = [
        [way("dense", 10), way("to planes", 15, writes=[a])],
        [way("dense", 10), way("on planes", 1, reads=[a], writes=[b])],
        [way("dense", 10), way("from planes", 12, reads=[b])],
    ]
    assert names(graph, candidates) == ["to planes", "on planes", "from planes"]
    candidates[2][1] = way("from planes", 15, reads=[b])
    assert names(graph, candidates) == ["dense", "dense", "dense"]


def test_every_reader_of_a_tensor_must_take_it_as_it_is_stored():
    graph = chain(3, branch=True)
    a = 1
    candidates = [
        [way("dense", 10), way("to planes", 1, writes=[a])],
        [way("dense", 10), way("from planes", 1, reads=[a])],
        [way("dense", 10)],
    ]
    assert names(graph, candidates) == ["dense", "dense", "dense"]
    candidates[2].append(way("adds planes", 10, reads=[a]))
    assert names(graph, candidates) == ["to planes", "from planes", "adds planes"]


def test_the_outputs_of_the_model_stay_dense():
    graph = chain(1)
    assert names(graph, [[way("dense", 10), way("to planes", 1, writes=[1])]]) == ["dense"]


def test_a_long_chain_with_many_storages_is_chosen_as_one_op_after_the_other():
    graph = chain(60)
    rng = np.random.default_rng(0)
    candidates = []
    for op in range(60):
        ways = [way("dense", 100)]
        for pair in range(4):
            reads = [op] if pair & 1 and op > 0 else []
            writes = [op + 1] if pair & 2 and op < 59 else []
            ways.append(way(f"{pair}", float(rng.integers(1, 50)), reads=reads, writes=writes))
        candidates.append(ways)
    chosen = choose(graph, candidates, lambda candidate: (candidate.cost.instructions,))
    # The same by dynamic programming over the one tensor between two ops.
    best = {False: 0.0, True: np.inf}
    for op, ways in enumerate(candidates):
        after = {False: np.inf, True: np.inf}
        for candidate in ways:
            stored = bool(candidate.writes)
            after[stored] = min(after[stored], best[op in candidate.reads] + candidate.cost.instructions)
        best = after
    assert sum(choice.chosen.cost.instructions for choice in chosen) == best[False]
