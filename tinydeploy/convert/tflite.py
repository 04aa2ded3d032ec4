"""A .tflite file as a source: integer already, integer with float ends, or float."""

import enum

from ai_edge_litert import schema_py_generated as schema

from tinydeploy.convert.constants import to_float_constants
from tinydeploy.convert.ends import has_only_float_ends, to_integer_ends
from tinydeploy.convert.flatbuffer import Model, pack, reads, unpack
from tinydeploy.convert.float_model import FloatModel
from tinydeploy.convert.static_shapes import make_static


class Precision(enum.Enum):
    """What a .tflite computes with; the value is what it is called in reports."""

    INTEGER = "integer .tflite"
    FLOAT_ENDS = "integer .tflite with float ends"
    FLOAT = "float .tflite"
    DYNAMIC_RANGE = "dynamic-range .tflite"


def precision_of(data: bytes, name: str) -> Precision:
    """Which of the four the file is; float16 weights make a float model.

    Raises:
        ModelError: It is no .tflite file, or damaged.
    """
    model = unpack(data, name)
    if has_only_float_ends(model):
        return Precision.FLOAT_ENDS
    graph = model.subgraphs[0]
    used = {int(index) for operator in graph.operators for index in (*reads(operator), *operator.outputs)}
    types = {graph.tensors[index].type for index in used}
    if schema.TensorType.FLOAT32 not in types:
        return Precision.INTEGER
    return Precision.DYNAMIC_RANGE if _has_integer_weights(model, used) else Precision.FLOAT


def with_integer_ends(data: bytes, name: str) -> bytes:
    """The same model with integers at its ends; see `ends.to_integer_ends`."""
    model = unpack(data, name)
    to_integer_ends(model)
    return pack(model)


def float_tflite(data: bytes, name: str) -> FloatModel:
    """A float or dynamic-range .tflite with float32 constants, batch 1 and fixed shapes.

    Raises:
        ModelError: Its constants are not understood, or it cannot be run with batch 1.
    """
    precision = precision_of(data, name)
    return FloatModel(
        data=normalized(data, name),
        source=precision.value,
        permutations=(None,) * len(unpack(data, name).subgraphs[0].inputs),
    )


def normalized(data: bytes, name: str) -> bytes:
    """The form in which every float .tflite goes on, whoever converted it: float32 constants, batch 1, fixed shapes."""
    model = unpack(data, name)
    to_float_constants(model)
    make_static(model)
    return pack(model)


def _has_integer_weights(model: Model, used: set[int]) -> bool:
    """Whether a constant is quantised."""
    tensors = model.subgraphs[0].tensors
    return any(
        tensors[index].type in {schema.TensorType.INT8, schema.TensorType.UINT8}
        and tensors[index].quantization is not None
        and tensors[index].quantization.scale is not None
        and model.buffers[tensors[index].buffer].data is not None
        for index in used
    )
