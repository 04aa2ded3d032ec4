"""Makes activations part of the op before them."""

from dataclasses import replace

import numpy as np

from tinydeploy.engines.aot.fixed_point import activation_range
from tinydeploy.engines.aot.ops.tensors import ACTIVATION_FITS
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import compiled_ops, readers, writers
from tinydeploy.engines.aot.passes.ranges import TABLES, table_of, value_ranges
from tinydeploy.model.graph import (
    Activation,
    ArithmeticOptions,
    Conv2DOptions,
    DType,
    FullyConnectedOptions,
    Graph,
    Op,
    PoolOptions,
)

_FUSABLE = (Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1)


def fuse_activations(graph: Graph) -> Graph:
    """The graph without ops that do what the op before them can do at its end; ``graph`` itself where there are none.

    An op that is a table of 256 entries can go where the op before it has no activation yet, has no other reader, and
    quantises its output alike; and where, for every value that it can get, the table gives what bounding the value as
    one of the fused activations does. All of these values are compared.
    """
    compiled, draft = compiled_ops(graph), Draft(graph)
    for position, op in enumerate(graph.ops):
        before = writers(graph).get(op.inputs[0]) if position in compiled and op.kind in TABLES else None
        if before is None or graph.ops.index(before) not in compiled:
            continue
        fused = _fused(graph, before, op)
        if fused is not None:
            draft.put(before, fused)
            draft.drop(op)
    return draft.finished_if_changed()


def _fused(graph: Graph, op: Op, table: Op) -> Op | None:
    """``op`` with the activation of the op that alone reads its output, writing that one's output; or None."""
    middle, output = graph.output_of(op), graph.output_of(table)
    options = op.options
    if (
        not isinstance(options, Conv2DOptions | FullyConnectedOptions | ArithmeticOptions | PoolOptions)
        or options.activation is not Activation.NONE
        or middle.index in graph.outputs
        or readers(graph)[middle.index] != (table,)
        or middle.dtype is not DType.INT8
        or output.dtype is not DType.INT8
        or middle.quantization != output.quantization
    ):
        return None
    known = value_ranges(graph)[middle.index]
    values = np.arange(known.low.min(), known.high.max() + 1)
    entries = table_of(graph, table)[values + 128]
    for activation in _FUSABLE:
        fused = replace(op, outputs=table.outputs, options=replace(options, activation=activation))
        if ACTIVATION_FITS.holds(graph, fused):
            low, high = activation_range(activation, output)
            if np.array_equal(entries, np.minimum(np.maximum(values, low), high)):
                return fused
    return None
