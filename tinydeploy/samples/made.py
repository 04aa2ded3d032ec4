"""Samples that need no data: the default ones of verification, and noise to calibrate with."""

import numpy as np

from tinydeploy.model.graph import DType, Graph, Tensor
from tinydeploy.model.indices import index_limit
from tinydeploy.samples.samples import Array, Samples

FIRST_NOISE = 3
"""The place of the first noise among the default samples: the input with which inferences are timed, always the same,
since a kernel's instructions depend a little on its data."""


DEFAULT_SAMPLES = 16
"""How many there are, before the user's."""


def default_samples(graph: Graph, *, count: int = DEFAULT_SAMPLES, seed: int = 0) -> Samples:
    """Zeros, both extremes, then seeded noise over the full range; ``count`` is at least 4.

    "Zeros" are real zeros: the zero point where there is one. Float inputs range from -1 to 1, and indices over the
    elements that there are. The same model and seed
    give the same samples on every machine (numpy's PCG64).
    """
    noise = np.random.Generator(np.random.PCG64(seed))
    inputs = (_default_input(graph.tensors[index], count, noise, index_limit(graph, index)) for index in graph.inputs)
    return Samples(inputs=tuple(inputs))


def random_samples(graph: Graph, count: int, seed: int = 0) -> Samples:
    """Uniform noise: floats from -1 to 1, integers over all that their type holds, indices over the elements there are.

    The same on every machine (numpy's PCG64), and marked as `Samples.is_random`.
    """
    noise = np.random.Generator(np.random.PCG64(seed))
    inputs = (_noise(graph.tensors[index], count, noise, index_limit(graph, index)) for index in graph.inputs)
    note = f"{count} samples are random numbers (seed {seed}), not data: results say nothing about real inputs"
    return Samples(inputs=tuple(inputs), notes=(note,), is_random=True)


def _default_input(tensor: Tensor, count: int, noise: np.random.Generator, limit: int | None) -> Array:
    """``limit``: the input has indices below it."""
    drawn = _noise(tensor, count, noise, limit)
    if tensor.dtype is DType.FLOAT32:
        drawn[:FIRST_NOISE] = np.array([0, -1, 1], tensor.dtype.numpy).reshape(3, *[1] * len(tensor.shape))
        return drawn
    lowest, highest = _integer_range(tensor, limit)
    zero = tensor.quantization.zero_point if tensor.quantization else 0
    drawn[0], drawn[1], drawn[2] = zero, lowest, highest
    return drawn


def _noise(tensor: Tensor, count: int, noise: np.random.Generator, limit: int | None) -> Array:
    shape = (count, *tensor.shape)
    if tensor.dtype is DType.FLOAT32:
        return noise.uniform(-1, 1, shape).astype(tensor.dtype.numpy)
    lowest, highest = _integer_range(tensor, limit)
    return noise.integers(lowest, highest, shape, dtype=np.int64, endpoint=True).astype(tensor.dtype.numpy)


def _integer_range(tensor: Tensor, limit: int | None) -> tuple[int, int]:
    return tensor.dtype.integer_range if limit is None else (0, limit - 1)
