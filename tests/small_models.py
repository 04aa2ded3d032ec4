"""Models that build and run in no time, for tests of what is around them."""

from itertools import pairwise

import numpy as np
from tflite_builder import ModelBuilder


def small_model(*, inputs: int = 4, outputs: int = 3, seed: int = 0) -> bytes:
    """A fully connected layer with random weights."""
    random = np.random.default_rng(seed)
    builder = ModelBuilder()
    x = builder.tensor((1, inputs), scale=0.5, zero_point=3, name="x")
    y = builder.tensor((1, outputs), scale=0.5, zero_point=-2, name="y")
    weights = builder.constant(random.integers(-127, 128, (outputs, inputs)).astype(np.int8), scale=0.01)
    bias = builder.constant(random.integers(-999, 999, outputs).astype(np.int32), scale=0.005)
    builder.op("FULLY_CONNECTED", [x, weights, bias], [y])
    return builder.finish(inputs=[x], outputs=[y])


def slow_model(*, layers: int = 20, size: int = 32) -> bytes:
    """Averages over averages of nearly whole images: an input of a kilobyte, some ten million additions."""
    builder = ModelBuilder()
    tensors = [builder.tensor((1, size, size, 1), scale=0.5, zero_point=3) for _ in range(layers + 1)]
    window = {"filterHeight": size - 1, "filterWidth": size - 1, "strideH": 1, "strideW": 1, "padding": "SAME"}
    for x, y in pairwise(tensors):
        builder.op("AVERAGE_POOL_2D", [x], [y], **window)
    return builder.finish(inputs=tensors[:1], outputs=tensors[-1:])
