"""What the proof of exactness consists of: how much of it runs, random models in batches, and inputs of many kinds.

By default a part runs, which takes minutes; ``TINYDEPLOY_TEST_EXACTNESS=full`` in the environment runs all of it.
"""

import functools
import os
from collections.abc import Sequence

import numpy as np
from host_engine import Case, run_on_tflm
from random_graphs import random_graph, random_op_model
from random_networks import random_network

from tinydeploy.engines.interface import Objective
from tinydeploy.model.graph import Tensor

OBJECTIVES: tuple[Objective | None, ...] = (None, "speed", "size", "ram")
BATCH = 50
"""Models that are compiled to one program."""

_IS_FULL = os.environ.get("TINYDEPLOY_TEST_EXACTNESS") == "full"


def how_many(usually: int, fully: int) -> int:
    """How much of something to test."""
    return fully if _IS_FULL else usually


@functools.cache
def graphs(batch: int) -> tuple[list[Case], list[list[np.ndarray]]]:
    """The batch's random graphs, three of four of them networks, for all objectives in turn, and TFLM's outputs."""
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    cases = [
        varied_case(random_network(seed) if seed % 4 else random_graph(seed), seed=seed, objective=_turn(seed))
        for seed in seeds
    ]
    return cases, run_on_tflm(cases)


def single_ops(kinds: Sequence[str], count: int) -> list[Case]:
    """So many models of one op of each kind, for all objectives in turn."""
    models = [random_op_model(kind, 1000 + seed) for kind in kinds for seed in range(count)]
    return [varied_case(model, seed=seed, objective=_turn(seed)) for seed, model in enumerate(models)]


def _turn(seed: int) -> Objective | None:
    """Every objective is met with every remainder of the seed by 4."""
    return OBJECTIVES[seed // 4 % 4 ^ seed % 4]


def varied_case(model: bytes, *, samples: int = 8, seed: int = 0, objective: Objective | None = None) -> Case:
    """Inputs that are all lowest, all highest, noise, either extreme everywhere, smooth, and noise around zero."""
    rng = np.random.default_rng(seed)
    graph = Case(model, []).graph
    tensors = [graph.tensors[index] for index in graph.inputs]
    inputs = [np.stack([_values(rng, tensor, number) for number in range(samples)]) for tensor in tensors]
    return Case(model, inputs, objective=objective)


def _values(rng: np.random.Generator, tensor: Tensor, number: int) -> np.ndarray:
    """Values for a tensor: those of sample 0 and 1 are its extremes."""
    dtype = tensor.dtype.numpy
    if dtype.kind == "f":
        return rng.normal(0, 3, tensor.shape).astype(dtype)
    info = np.iinfo(dtype)
    if number < 2:
        return np.full(tensor.shape, (info.min, info.max)[number], dtype)
    kind = number % 4
    if kind == 2:
        return rng.integers(info.min, info.max, tensor.shape, endpoint=True).astype(dtype)
    if kind == 3:
        return rng.choice(np.array([info.min, info.max], dtype), tensor.shape)
    middle = 0 if tensor.quantization is None else tensor.quantization.zero_point
    values = middle + (_smooth(rng, tensor.shape) * (info.max / 2) if kind == 0 else rng.normal(0, 4, tensor.shape))
    return np.clip(np.round(values), info.min, info.max).astype(dtype)


def _smooth(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Waves along all dimensions, in [-2, 2]."""
    waves = np.zeros(shape)
    for axis, size in enumerate(shape):
        steps = np.arange(size).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        waves = waves + np.sin(rng.uniform(0.05, 0.8) * steps + rng.uniform(0, 6.3))
    return waves * (2 / max(len(shape), 1))
