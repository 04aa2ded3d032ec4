"""What a float model does first with an input, which tells how large the values are that it was trained with."""

import numpy as np

from tinydeploy.model.graph import DType, Graph, Op
from tinydeploy.samples.samples import Array

_WEIGHTED = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": (1,)}
"""Ops with weights as input 1, and the dimensions of these that are summed for one output channel."""


def first_gain(graph: Graph, tensor: int) -> float | None:
    """The most that a value of the input, of magnitude 1, can make behind the first op; None where that is not known.

    Of a multiplication or division it is the factor; of an addition, the share of 1 in what is added, where that is
    more than 1. Of a convolution or a fully connected layer it is the largest sum of the magnitudes of one channel's
    weights: TensorFlow's converter multiplies a Rescaling layer into them, and a batch normalisation leaves them as
    small as the values that it was trained with are large. Measured: about 3 for new weights, 5 and 22 for trained
    models with inputs of magnitude 1, 0.2 for one with pixels of 0 to 255, 0.01 and 0.02 for new weights with a
    Rescaling layer.
    """
    readers = [op for op in graph.ops if tensor in op.inputs]
    if len(readers) != 1:
        return None
    op = readers[0]
    if op.kind in _WEIGHTED:
        weights = graph.input_of(op, 1)
        if weights is None or weights.data is None or weights.dtype is not DType.FLOAT32:
            return None
        return float(np.abs(weights.data.astype(np.float64)).sum(axis=_WEIGHTED[op.kind]).max())
    constant = _per_channel_constant(graph, op)
    return None if constant is None else _arithmetic_gain(op.kind, constant)


def _arithmetic_gain(kind: str, constant: Array) -> float | None:
    magnitudes = np.abs(constant.astype(np.float64))
    if kind == "MUL":
        return float(magnitudes.max())
    if kind == "DIV" and magnitudes.min() > 0:
        return float(1 / magnitudes.min())
    if kind in {"ADD", "SUB"} and magnitudes.max() > 1:
        return float(1 / magnitudes.max())
    return None


def _per_channel_constant(graph: Graph, op: Op) -> Array | None:
    """The second operand of an op, where it is a constant with one value, or one per channel."""
    tensor = graph.input_of(op, 1)
    channels = graph.output_of(op).shape[-1:]
    is_one = tensor is not None and tensor.dtype is DType.FLOAT32 and tensor.elements in {1, *channels}
    return tensor.data if tensor is not None and is_one else None
