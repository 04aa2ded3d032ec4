"""Whether a graph computes with integers throughout, as every engine here needs."""

from tinydeploy.errors import ModelError
from tinydeploy.model.formats import CONVERT
from tinydeploy.model.graph import DType, Graph, Op, Tensor
from tinydeploy.model.text import shape_text, tensor_label

_SHOWN = 6


def require_integer(graph: Graph) -> None:
    """Nothing, where no op computes with floats.

    Floats are allowed at the ends: a graph input that only QUANTIZE ops read, a graph output that a DEQUANTIZE
    op writes. Whether an engine can do those is its own question.

    Raises:
        ModelError: The model is a float or a dynamic-range one; lists the tensors.
    """
    found: dict[int, Op] = {}
    for op in graph.ops:
        for index in (*op.inputs, *op.outputs):
            if index >= 0 and graph.tensors[index].dtype is DType.FLOAT32 and not _is_an_end(graph, op, index):
                found.setdefault(index, op)
    if not found:
        return
    rows = [f"{_described(graph.tensors[index])}, {op}" for index, op in list(found.items())[:_SHOWN]]
    if len(found) > _SHOWN:
        rows.append(f"and {len(found) - _SHOWN} more")
    kind = "a dynamic-range model: int8 weights, but float" if _has_integer_weights(graph) else "a float model: float"
    raise ModelError(
        f"{graph.name} is {kind} tensors where ops compute ({len(found)} of {len(graph.tensors)})",
        where={"floats": "\n".join(rows)},
        hint=CONVERT,
    )


def _is_an_end(graph: Graph, op: Op, index: int) -> bool:
    return (op.kind == "QUANTIZE" and index in graph.inputs) or (op.kind == "DEQUANTIZE" and index in graph.outputs)


def _has_integer_weights(graph: Graph) -> bool:
    """Whether an op reads a quantised constant, directly or through a DEQUANTIZE."""
    read = {index for op in graph.ops for index in op.inputs if index >= 0}
    constants = [graph.tensors[index] for index in read if graph.tensors[index].is_constant]
    return any(tensor.dtype in {DType.INT8, DType.UINT8} and tensor.quantization for tensor in constants)


def _described(tensor: Tensor) -> str:
    return f"{tensor_label(tensor)} {shape_text(tensor.shape)} {tensor.dtype.value}"
