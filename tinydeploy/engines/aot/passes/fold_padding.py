"""Makes padding part of the convolutions that follow it."""

from dataclasses import replace
from typing import cast

from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding
from tinydeploy.engines.aot.ops.tensors import integers, quantization_of
from tinydeploy.engines.aot.passes.draft import Draft
from tinydeploy.engines.aot.passes.facts import compiled_ops, readers
from tinydeploy.model.graph import Conv2DOptions, Graph, Op

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})

Edges = tuple[int, int, int, int]
"""Rows or columns at the top, at the left, at the bottom and at the right."""


def fold_padding(graph: Graph) -> Graph:
    """The graph without PAD ops whose padding convolutions can do themselves; ``graph`` itself where there are none.

    A PAD can go where it pads height and width only, with its own zero point, without changing scale or zero point;
    where nothing but convolutions that the engine compiles reads it; and where no window of theirs then lies wholly
    in the padding. A convolution counts what lies beside its input as the zero point, so its sums stay the same.
    """
    compiled = {graph.ops[position].index for position in compiled_ops(graph)}
    draft = Draft(graph)
    for op in graph.ops:
        edges = _edges(graph, op) if op.index in compiled else None
        following = readers(graph)[op.outputs[0]]
        if edges is None or op.outputs[0] in graph.outputs or not following:
            continue
        if all(reader.index in compiled and _can_pad(graph, op, reader, edges) for reader in following):
            for position, reader in enumerate(draft.ops):
                if reader.inputs[:1] == op.outputs:
                    draft.ops[position] = _padded(graph, reader, op.inputs[0], edges)
    return draft.finished_if_changed()


def _edges(graph: Graph, op: Op) -> Edges | None:
    """What an op adds around its input; None if it adds anything else, or is no PAD."""
    if op.kind not in {"PAD", "PADV2"}:
        return None
    source, output, value = tensor_at(graph, op, 0), graph.output_of(op), graph.input_of(op, 2)
    if source.quantization != output.quantization:
        return None
    if value is not None and integers(value)[0] != quantization_of(output).zero_point:
        return None
    paddings = integers(tensor_at(graph, op, 1))
    if len(paddings) != 8 or any(paddings[:2]) or any(paddings[6:]):
        return None
    top, bottom, left, right = paddings[2:6]
    return top, left, bottom, right


def _can_pad(graph: Graph, pad: Op, op: Op, edges: Edges) -> bool:
    """Whether ``op`` is a convolution of the padded tensor whose windows all keep a row and a column of the input."""
    if op.kind not in _CONVOLUTIONS or op.inputs[0] != pad.outputs[0] or pad.outputs[0] in op.inputs[1:]:
        return False
    options = cast("Conv2DOptions", op.options)
    kernel, reach = tensor_at(graph, op, 1).shape[1:3], _joined(graph, op, edges)
    dilations = options.dilation_h, options.dilation_w
    spans = [(taps - 1) * dilation + 1 for taps, dilation in zip(kernel, dilations, strict=True)]
    return all(edge < span for edge, span in zip(reach, (*spans, *spans), strict=True))


def _joined(graph: Graph, op: Op, edges: Edges) -> Edges:
    """How far a convolution's windows reach beyond the input of the PAD before it.

    At the bottom and at the right its last windows may end before the padding, or within it.
    """
    options, own = cast("Conv2DOptions", op.options), convolution_padding(graph, op)
    before, behind = [], []
    for side, (stride, dilation) in enumerate(
        ((options.stride_h, options.dilation_h), (options.stride_w, options.dilation_w))
    ):
        size = tensor_at(graph, op, 0).shape[1 + side] - edges[side] - edges[side + 2]
        last = (graph.output_of(op).shape[1 + side] - 1) * stride
        span = (tensor_at(graph, op, 1).shape[1 + side] - 1) * dilation + 1
        before.append(own[side] + edges[side])
        behind.append(max(last + span - before[side] - size, 0))
    return before[0], before[1], behind[0], behind[1]


def _padded(graph: Graph, op: Op, source: int, edges: Edges) -> Op:
    """The convolution, reading ``source`` and padding it itself."""
    options = replace(cast("Conv2DOptions", op.options), explicit_padding=_joined(graph, op, edges))
    return replace(op, inputs=(source, *op.inputs[1:]), options=options)
