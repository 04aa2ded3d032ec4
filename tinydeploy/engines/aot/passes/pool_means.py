"""Turns MEAN over height and width into AVERAGE_POOL_2D, where they round alike."""

import math
from dataclasses import replace

import numpy as np

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.tensors import integers
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import compiled_ops, is_compiled, readers, reference_parameters
from tinydeploy.engines.aot.passes.ranges import value_ranges
from tinydeploy.engines.aot.passes.scaling import scaled_by
from tinydeploy.model.graph import Activation, Graph, Op, Padding, PoolOptions

_MOST_SUMS = 2**20
"""Beyond 64 x 64 positions the proof would take longer than it is worth."""

_SHAPELESS = frozenset({"FULLY_CONNECTED", "RESHAPE", "SQUEEZE"})
"""Readers that only care for the elements of their input, not for its shape."""


def pool_means(graph: Graph) -> Graph:
    """The graph with AVERAGE_POOL_2D for MEAN; ``graph`` itself where none can be replaced.

    A MEAN over height and width of an image can be, where the input and the output are quantised alike and both give
    the same for every sum that can be: all of them are compared. A pool's output has 4 dimensions, so where MEAN's has
    fewer, it must not matter to those who read it.
    """
    compiled, draft = compiled_ops(graph), Draft(graph)
    for position, op in enumerate(graph.ops):
        if position not in compiled or op.kind != "MEAN" or not _averages_images(graph, op):
            continue
        _, height, width, channels = tensor_at(graph, op, 0).shape
        options = PoolOptions(
            padding=Padding.VALID,
            stride_h=1,
            stride_w=1,
            filter_h=height,
            filter_w=width,
            activation=Activation.NONE,
        )
        pool = replace(op, kind="AVERAGE_POOL_2D", inputs=op.inputs[:1], options=options)
        shaped = Draft(graph)
        shaped.set_shape(op.outputs[0], (1, 1, 1, channels))
        if is_compiled(replace(graph, tensors=tuple(shaped.tensors)), pool) and _rounds_alike(graph, op):
            draft.set_shape(op.outputs[0], (1, 1, 1, channels))
            draft.ops[position] = pool
    return draft.finished_if_changed()


def _averages_images(graph: Graph, op: Op) -> bool:
    """Whether the axes are height and width of an image, and the output may be one of a single pixel."""
    source, output = tensor_at(graph, op, 0), graph.output_of(op)
    if len(source.shape) != 4 or source.shape[0] != 1 or source.quantization != output.quantization:
        return False
    if {axis % 4 for axis in integers(tensor_at(graph, op, 1))} != {1, 2}:
        return False
    following = readers(graph)[output.index]
    return output.shape == (1, 1, 1, source.shape[3]) or (
        output.index not in graph.outputs and all(_ignores_shape(graph, reader) for reader in following)
    )


def _ignores_shape(graph: Graph, op: Op) -> bool:
    """Whether an op computes the same however its input's elements are shaped; SQUEEZE would have to drop more."""
    return op.kind in _SHAPELESS and graph.ops.index(op) in compiled_ops(graph)


def _rounds_alike(graph: Graph, op: Op) -> bool:
    """Whether MEAN and a pool give the same for every sum of the values that the input can have."""
    known = value_ranges(graph)[op.inputs[0]]
    count = math.prod(tensor_at(graph, op, 0).shape[1:3])
    sums = np.arange(known.low.min() * count, known.high.max() * count + 1)
    if len(sums) > _MOST_SUMS:
        return False
    fields = reference_parameters(graph, op)
    means = scaled_by(fields["multiplier"], sums + fields["start"]) + fields["zero_point"]
    half = np.where(sums > 0, count // 2, -(count // 2))
    pooled = np.sign(sums) * (np.abs(sums + half) // count)  # C divides towards 0
    return np.array_equal(np.clip(means, -128, 127), pooled)
