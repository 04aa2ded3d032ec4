"""Conditions under which an engine can run an op.

A `Constraint` is a predicate with the sentence that states it: the sentence is the user's message when it does not
hold, and a line of docs/supported-ops.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tinydeploy.model.graph import DType, Graph, Op


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A condition on an op, such as ``the weights are constant``."""

    sentence: str
    holds: Callable[[Graph, Op], bool]


def input_is(position: int, what: str, *dtypes: DType) -> Constraint:
    """The input at ``position``, called ``what``, is present and of one of the types."""
    names = " or ".join(dtype.value.lower() for dtype in dtypes)

    def holds(graph: Graph, op: Op) -> bool:
        tensor = graph.input_of(op, position)
        return tensor is not None and tensor.dtype in dtypes

    return Constraint(sentence=f"the {what} is {names}", holds=holds)


def output_is(*dtypes: DType) -> Constraint:
    """Every output is of one of the types."""
    names = " or ".join(dtype.value.lower() for dtype in dtypes)

    def holds(graph: Graph, op: Op) -> bool:
        return all(graph.tensors[index].dtype in dtypes for index in op.outputs)

    return Constraint(sentence=f"the output is {names}", holds=holds)


def input_is_constant(position: int, what: str) -> Constraint:
    """The input at ``position`` is a constant of the model, or absent."""

    def holds(graph: Graph, op: Op) -> bool:
        tensor = graph.input_of(op, position)
        return tensor is None or tensor.is_constant

    return Constraint(sentence=f"the {what} is constant", holds=holds)


def _all_quantized_per_tensor(graph: Graph, op: Op) -> bool:
    tensors = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    quantized = [t for t in tensors if t.dtype in {DType.INT8, DType.UINT8, DType.INT16}]
    return all(t.quantization is not None and not t.quantization.per_channel for t in quantized)


QUANTIZED_PER_TENSOR = Constraint(
    sentence="inputs and outputs are quantised per tensor", holds=_all_quantized_per_tensor
)
