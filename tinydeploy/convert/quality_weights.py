"""A float model with the weights that its integer model has: the one error that wider activations would leave."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tinydeploy.convert.flatbuffer import Model, constant, make_float, pack, unpack
from tinydeploy.convert.quality_pairs import Pair
from tinydeploy.model.graph import DType, Graph, Op
from tinydeploy.model.reals import reals


def with_rounded_weights(float_model: bytes, graph: Graph, pairs: Sequence[Pair]) -> bytes:
    """The float model, in which the constants of every op are those of the op of ``graph`` that writes the same tensor.

    8-bit constants of the same shape count; biases, with their 32 bits, stay as they are. So the model computes what
    int8 weights with activations without any rounding would, which is the most that int16x8 can reach.

    Raises:
        ModelError: The float model is no .tflite file, or damaged.
    """
    model = unpack(float_model, "the float model")
    operators = model.subgraphs[0].operators
    writers = {int(index): operator for operator in operators for index in operator.outputs}
    rounded: dict[int, npt.NDArray[np.float32]] = {}
    for pair in pairs:
        if pair.op is not None and pair.in_float in writers:
            rounded.update(_rounded(model, list(writers[pair.in_float].inputs), graph, graph.ops[pair.op]))
    for index, values in rounded.items():
        make_float(model, index, values)
    return pack(model)


def _rounded(
    model: Model, inputs: Sequence[int], graph: Graph, op: Op
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The constants of a float op, by tensor, that are other ones in the integer op."""
    for index, here in zip(inputs, op.inputs, strict=False):
        if min(index, here) < 0:
            continue
        tensor = graph.tensors[here]
        if tensor.data is None or tensor.dtype not in {DType.INT8, DType.UINT8} or tensor.quantization is None:
            continue
        there = constant(model, int(index))
        if there is not None and there.dtype == np.float32 and there.shape == tensor.shape:
            yield int(index), reals(tensor.data, tensor.quantization).astype(np.float32)
