"""How tensors and ops are connected: indices, order, who writes what."""

from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Op, Tensor
from tinydeploy.model.text import tensor_label

_CONTROL_FLOW = frozenset(
    {"CALL", "CALL_ONCE", "IF", "WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE"}
)
_BEFORE_VELA = "give the .tflite that Vela made this one from"
_AGAIN = "convert the model again"


def check_wiring(
    tensors: tuple[Tensor, ...], ops: tuple[Op, ...], inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    """Nothing, where the ops can run in their order.

    That is: every index is in range; the graph has ops, inputs and outputs, none twice; every graph input
    is an activation; every tensor that an op reads is there by then; no tensor is written twice; no op
    writes constants, graph inputs or variables; every graph output is the output of an op.

    Raises:
        ModelError: Something of that is not so.
    """
    for op in ops:
        if op.kind in _CONTROL_FLOW:
            raise ModelError(f"{op} runs another graph, which is not supported", hint="convert without control flow")
        if op.is_custom and op.kind == "ethos-u":
            raise ModelError(f"{op} runs on an Arm Ethos-U, which is not supported", hint=_BEFORE_VELA)
    _check_indices(len(tensors), ops, inputs, outputs)
    for index in inputs:
        if tensors[index].is_constant or tensors[index].is_variable:
            raise ModelError(f"graph input {tensor_label(tensors[index])} is not an activation", hint=_AGAIN)
    _check_order(tensors, ops, inputs)
    written = {index for op in ops for index in op.outputs}
    for index in outputs:
        if index not in written:
            raise ModelError(f"graph output {tensor_label(tensors[index])} is not the output of any op", hint=_AGAIN)


def _check_indices(count: int, ops: tuple[Op, ...], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    if not ops:
        raise ModelError("the model has no ops", hint=_AGAIN)
    for what, indices in (("input", inputs), ("output", outputs)):
        if not indices:
            raise ModelError(f"the model has no {what}", hint=_AGAIN)
        if len(set(indices)) < len(indices):
            raise ModelError(f"the model has the same {what} twice", hint=_AGAIN)
        for index in indices:
            if not 0 <= index < count:
                raise ModelError(f"graph {what} {index} is not one of the {count} tensors", hint=_AGAIN)
    for op in ops:
        if not op.outputs:
            raise ModelError(f"{op} has no output", hint=_AGAIN)
        bad = [index for index in op.inputs if not -1 <= index < count]
        bad += [index for index in (*op.outputs, *op.intermediates) if not 0 <= index < count]
        if bad:
            raise ModelError(f"{op} uses tensor {bad[0]}, which is not one of the {count} tensors", hint=_AGAIN)


def _check_order(tensors: tuple[Tensor, ...], ops: tuple[Op, ...], inputs: tuple[int, ...]) -> None:
    fixed = set(inputs) | {tensor.index for tensor in tensors if tensor.is_constant or tensor.is_variable}
    writers: dict[int, Op] = {}
    for op in ops:
        for index in op.outputs:
            if index in fixed or index in writers:
                other = "is an input, a variable or a constant" if index in fixed else f"{writers[index]} writes too"
                raise ModelError(f"{op} writes {tensor_label(tensors[index])}, which {other}", hint=_AGAIN)
            writers[index] = op
    for op in ops:
        for index in op.inputs:
            if index < 0 or index in fixed:
                continue
            writer = writers.get(index)
            if writer is None:
                raise ModelError(f"{op} reads {tensor_label(tensors[index])}, which nothing writes", hint=_AGAIN)
            if writer.index >= op.index:
                label = tensor_label(tensors[index])
                raise ModelError(
                    f"{op} reads {label}, which {writer} writes later: a cycle, or ops out of order",
                    hint=_AGAIN,
                )
