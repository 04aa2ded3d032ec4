"""A graph while a pass changes it."""

import operator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.passes.facts import compiled_ops
from tinydeploy.model.graph import Graph, Op, Quantization, Tensor


class Draft:
    """The tensors and ops of a graph, to be replaced one by one; `finished` makes a graph of them.

    Tensors keep their indices, and new ones are appended. Ops keep the ``index`` that they have in the model and their
    order; those that nothing needs any more are dropped at the end.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: list[Tensor] = list(graph.tensors)
        self.ops: list[Op] = list(graph.ops)

    def constant(self, like: Tensor, values: npt.NDArray[Any], quantization: Quantization | None) -> int:
        """Appends a constant with the name and the type of ``like``, which can hold the values; returns its index."""
        data = np.ascontiguousarray(values, like.dtype.numpy)
        assert np.array_equal(data, values), f"constants for tensor {like.index} are out of range"
        data.flags.writeable = False
        index = len(self.tensors)
        self.tensors.append(
            Tensor(
                index=index, name=like.name, shape=data.shape, dtype=like.dtype, quantization=quantization, data=data
            )
        )
        return index

    def keep_channels(self, index: int, is_kept: npt.NDArray[np.bool_]) -> None:
        """Leaves an activation only some of its channels."""
        tensor = self.tensors[index]
        before = tensor.channels or range(len(is_kept))
        channels = tuple(number for number, kept in zip(before, is_kept, strict=True) if kept)
        self.tensors[index] = replace(tensor, shape=(*tensor.shape[:-1], len(channels)), channels=channels)

    def now(self, op: Op) -> Op:
        """An op of the graph, as it is by now."""
        return self.ops[self._position(op)]

    def put(self, op: Op, new: Op) -> None:
        """Puts another op into an op's place; both have one number."""
        self.ops[self._position(op)] = new

    def drop(self, op: Op) -> None:
        """Takes an op away."""
        del self.ops[self._position(op)]

    def _position(self, op: Op) -> int:
        return [known.index for known in self.ops].index(op.index)

    def read_instead(self, old: int, new: int) -> None:
        """Makes every op that reads tensor ``old`` read ``new``."""
        self.ops = [
            replace(op, inputs=tuple(new if index == old else index for index in op.inputs)) if old in op.inputs else op
            for op in self.ops
        ]

    def finished_if_changed(self) -> Graph:
        """The graph that was begun with where all ops are still the same objects; else as `finished`."""
        is_same = len(self.ops) == len(self.graph.ops) and all(map(operator.is_, self.ops, self.graph.ops))
        return self.graph if is_same else self.finished()

    def finished(self) -> Graph:
        """The graph without ops whose outputs nothing reads, as far as the engine knows that they do nothing else."""
        compiled = {self.graph.ops[position].index for position in compiled_ops(self.graph)}
        read, ops = set(self.graph.outputs), []
        for op in reversed(self.ops):
            if op.index in compiled and read.isdisjoint(op.outputs):
                continue
            read.update(op.inputs)
            ops.append(op)
        return replace(self.graph, tensors=tuple(self.tensors), ops=tuple(reversed(ops)))
