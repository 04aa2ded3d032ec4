"""Two layers computed in two halves of the image, one after the other, so that what is between them is never whole."""

from dataclasses import dataclass

from tinydeploy.memory.memory_map import Alteration, MapBlock, MemoryMap
from tinydeploy.model.graph import Conv2DOptions, Graph, Op, PoolOptions, Tensor
from tinydeploy.model.macs import op_macs
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan

_BY_ROWS = frozenset("ABS ADD HARD_SWISH LEAKY_RELU LOGISTIC MUL QUANTIZE SUB RELU RELU6 RELU_N1_TO_1 TANH".split())  # noqa: SIM905
"""Ops that need as many rows of their input as they make of their output."""


@dataclass(frozen=True, kw_only=True)
class Halves:
    """What would be otherwise, in words and for the planner."""

    change: str
    cost: str
    alteration: Alteration


def in_two_parts(plan: Plan, tensor: int) -> Halves | None:
    """The op that makes the tensor and the op that reads it, in two halves; None where they cannot be.

    Half of the reader's rows need some rows more than half of the tensor, which are computed twice. What the first op
    reads has to stay, and what the second writes to be there, while both run. None where another op reads the tensor,
    or runs between the two, or where one of them does not go through the image by rows.
    """
    graph, memory = plan.graph, plan.engine.memory
    pair = _pair(graph, memory, tensor)
    block = memory.block_of(tensor)
    if pair is None or block is None or block.kind != "tensor" or block.tensor is None or block.aliases:
        return None
    first, second = pair
    image = graph.tensors[tensor]
    rows = _rows_for_half(second, graph.output_of(second), graph)
    height = image.shape[1]
    if rows is None or rows >= height or _rows_for_half(first, image, graph) is None:
        return None
    again = op_macs(graph, first) * (2 * rows - height) // height
    return Halves(
        change=f"op {first.index} {printable(first.kind)} and op {second.index} {printable(second.kind)} are computed "
        f"in two halves, so that of tensor {tensor} there are never more than {rows} of {height} rows",
        cost=f"{again:,} MACs are done twice; no engine here does that: the model has to be split by hand",
        alteration=Alteration(
            nbytes={block.tensor: -(-block.nbytes * rows // height)},
            lifetimes=_held(memory, first, second),
        ),
    )


def _pair(graph: Graph, memory: MemoryMap, tensor: int) -> tuple[Op, Op] | None:
    """The tensor's maker and its only reader, which runs next."""
    makers = [op for op in graph.ops if tensor in op.outputs]
    readers = [op for op in graph.ops if tensor in op.inputs]
    if len(graph.tensors[tensor].shape) != 4 or tensor in graph.outputs or len(makers) != 1 or len(readers) != 1:
        return None
    before, after = memory.steps_of(makers[0].index), memory.steps_of(readers[0].index)
    if not before or not after or after[0] != before[-1] + 1:
        return None
    return makers[0], readers[0]


def _rows_for_half(op: Op, output: Tensor, graph: Graph) -> int | None:
    """Rows of its input that half of an op's output rows need at most; None where that is not known."""
    if op.is_custom or len(output.shape) != 4:
        return None
    half = -(-output.shape[1] // 2)
    if op.kind in _BY_ROWS:
        return half
    if isinstance(op.options, PoolOptions):
        return (half - 1) * op.options.stride_h + op.options.filter_h
    if isinstance(op.options, Conv2DOptions):
        kernel_h = graph.tensors[op.inputs[1]].shape[1]
        return (half - 1) * op.options.stride_h + (kernel_h - 1) * op.options.dilation_h + 1
    return None


def _held(memory: MemoryMap, first: Op, second: Op) -> dict[int, tuple[int, int]]:
    """What the first op reads is held until the second is through; what that writes is there when the first begins."""
    begin, end = memory.steps_of(first.index)[0], memory.steps_of(second.index)[-1]
    read = [block for index in first.inputs if (block := _arena_block(memory, index))]
    written = [block for index in second.outputs if (block := _arena_block(memory, index))]
    read += [block for index in second.inputs if index not in first.outputs and (block := _arena_block(memory, index))]
    held = {block.tensor: (block.first, max(block.last, end)) for block in read if block.tensor is not None}
    return held | {block.tensor: (min(block.first, begin), block.last) for block in written if block.tensor is not None}


def _arena_block(memory: MemoryMap, tensor: int) -> MapBlock | None:
    block = memory.block_of(tensor) if tensor >= 0 else None
    return block if block and block.kind == "tensor" else None
