"""Evaluates ops that read nothing but constants and only move or look up values."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import compiled_ops
from tinydeploy.engines.aot.program import Array, Call, Layer
from tinydeploy.model.graph import Graph, Op

Bytes = npt.NDArray[np.int8]
"""A tensor's memory."""


def fold_constants(graph: Graph) -> Graph:
    """The graph with constants instead of the ops that make them; ``graph`` itself where there are none.

    An op is evaluated by doing what its kernel calls would do, as far as these are `_KERNELS`, so that what comes out
    is what the kernels would have written. Outputs of the graph stay outputs of ops: they have a place of their own.
    """
    compiled, draft = compiled_ops(graph), Draft(graph)
    for position, op in enumerate(graph.ops):
        if position in compiled and _is_constant(draft, op) and set(graph.outputs).isdisjoint(op.outputs):
            # The op has been judged on the graph as it was; data, which is all that is new, changes nothing of that.
            memory = _memory_after(draft, OPERATORS[op.kind].lower(graph, op))
            if memory is not None:
                draft.drop(op)
                for index in op.outputs:
                    tensor = draft.tensors[index]
                    data = memory[index].view(tensor.dtype.numpy).reshape(tensor.shape)
                    data.flags.writeable = False
                    draft.tensors[index] = replace(tensor, data=data)
    return draft.finished_if_changed()


def _is_constant(draft: Draft, op: Op) -> bool:
    return all(draft.tensors[index].is_constant for index in op.inputs if index >= 0)


def _memory_after(draft: Draft, layer: Layer) -> dict[int, Bytes] | None:
    """The memory of every tensor of a layer once its calls are done; None if one of them is not in `_KERNELS`."""
    if any(call.kernel not in _KERNELS for call in layer.calls):
        return None
    memory: dict[int, Bytes] = {}
    for target, source in layer.aliases.items():
        memory[target] = _bytes_of(draft, source, memory).copy()
    for call in layer.calls:
        output = memory.setdefault(call.output.tensor, np.zeros(draft.tensors[call.output.tensor].nbytes, np.int8))
        inputs = [_bytes_of(draft, operand.tensor, memory)[operand.byte_offset :] for operand in call.inputs]
        _KERNELS[call.kernel](call, inputs, output[call.output.byte_offset :])
    return memory


def _bytes_of(draft: Draft, index: int, memory: Mapping[int, Bytes]) -> Bytes:
    if index in memory:
        return memory[index]
    data = draft.tensors[index].data
    assert data is not None, "only ops with constant inputs are evaluated"
    return np.ascontiguousarray(data).reshape(-1).view(np.int8)


def _fill(call: Call, _: list[Bytes], output: Bytes) -> None:
    fields = cast("Mapping[str, int]", call.parameters)
    output[: fields["count"]] = fields["value"]


def _lookup(call: Call, inputs: list[Bytes], output: Bytes) -> None:
    table = cast("Array", call.parameters["table"]).values
    output[:] = table[inputs[0].view(np.uint8)]


def _strided_copy(call: Call, inputs: list[Bytes], output: Bytes) -> None:
    fields = cast("Mapping[str, Any]", call.parameters)
    shape = (*fields["count"], fields["run"])
    source, target = (
        np.lib.stride_tricks.as_strided(array, shape, (*fields[steps], 1))
        for array, steps in ((inputs[0], "input_step"), (output, "output_step"))
    )
    target[:] = source


_KERNELS: Mapping[str, Callable[[Call, list[Bytes], Bytes], None]] = {
    "fill": _fill,
    "lookup": _lookup,
    "strided_copy": _strided_copy,
}
"""What each kernel writes to its output, given its inputs; all elements are bytes."""
