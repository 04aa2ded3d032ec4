"""What the engines' generated sources have in common: literals, lines, and the tables of a model's ends.

Nothing of a model file reaches a source through these but numbers, and names cut down to harmless characters.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tinydeploy.memory.planner import align
from tinydeploy.model.graph import DType, Graph, Tensor

_LINE_WIDTH = 100
"""Characters of array values a line, before the indent."""

_NAME_CHARS = 31
"""What ``struct td_tensor`` holds of a name."""

_DTYPES = {
    DType.FLOAT32: "TD_FLOAT32",
    DType.INT8: "TD_INT8",
    DType.UINT8: "TD_UINT8",
    DType.INT16: "TD_INT16",
    DType.INT32: "TD_INT32",
}


def lines_of(literals: Sequence[str]) -> str:
    """Literals as the lines of an initialiser, as many in each as in the others."""
    per_line = max(1, _LINE_WIDTH // (max(map(len, literals)) + 2))
    return ",\n".join(", ".join(literals[i : i + per_line]) for i in range(0, len(literals), per_line))


def byte_lines(data: bytes) -> str:
    """Bytes in hexadecimal as the lines of an initialiser."""
    per_line = _LINE_WIDTH // len("0x00, ")
    chunks = (data[i : i + per_line] for i in range(0, len(data), per_line))
    return ",\n".join("0x" + chunk.hex(",").replace(",", ", 0x") for chunk in chunks)


def float_literal(value: float) -> str:
    """A float32 value as a C literal that reads back as exactly that value."""
    text = f"{np.float32(value):.9g}"
    return text + ("f" if any(mark in text for mark in ".e") else ".0f")


def offsets_in_a_row(graph: Graph, indices: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Where each of these tensors is in a buffer that holds them all, aligned, and the bytes of the buffer."""
    offsets, end = [], 0
    for index in indices:
        offsets.append(end)
        end += align(graph.tensors[index].nbytes)
    return tuple(offsets), end


def tensor_tables(
    graph: Graph, input_offsets: Sequence[int], output_offsets: Sequence[int]
) -> Iterator[dict[str, object]]:
    """The model's inputs and outputs for templates/common/tensor_tables.j2."""
    for name, indices, offsets in (
        ("model_inputs", graph.inputs, input_offsets),
        ("model_outputs", graph.outputs, output_offsets),
    ):
        tensors = [_tensor(graph.tensors[i], offset) for i, offset in zip(indices, offsets, strict=True)]
        yield {"name": name, "tensors": tensors}


def _tensor(tensor: Tensor, offset: int) -> dict[str, object]:
    """A ``struct td_tensor``, its values as C literals."""
    quantization = tensor.quantization
    return {
        "name": _identifier(tensor.name),
        "dtype": _DTYPES[tensor.dtype],
        "rank": len(tensor.shape),
        "shape": ", ".join(map(str, tensor.shape)) or "0",
        "scale": float_literal(quantization.scale if quantization else 0.0),
        "zero_point": quantization.zero_point if quantization else 0,
        "bytes": tensor.nbytes,
        "offset": offset,
    }


def _identifier(name: str) -> str:
    """``name`` with everything that could mean something in C replaced; safe in strings and comments."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", name)[:_NAME_CHARS] or "_"
