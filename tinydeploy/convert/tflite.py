"""A .tflite file as a source: integer already, integer with float ends, or float."""

import enum

from tinydeploy.convert.float_model import FloatModel
from tinydeploy.errors import ModelError
from tinydeploy.model.formats import check_identifier
from tinydeploy.model.raw import RawModel, decode

# TensorType in TFLite's schema.fbs; the schema itself takes a tenth of a second to import.
_FLOAT32, _FLOAT16, _UINT8, _INT8 = 0, 1, 3, 9


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
    try:
        check_identifier(data, name)
        model = decode(data)
        used = {index for op in model.ops for index in (*op.inputs, *op.outputs)} - {-1}
        tensors = [model.tensors[index] for index in used]
    except IndexError:
        return Precision.INTEGER  # as far as can be told: the reader says what is wrong with it
    except ModelError as error:
        error.where = {"model": name, **error.where}
        raise
    if _has_only_float_ends(model):
        return Precision.FLOAT_ENDS
    if not any(tensor.type_code in {_FLOAT32, _FLOAT16} for tensor in tensors):
        return Precision.INTEGER
    has_integer_weights = any(
        tensor.type_code in {_INT8, _UINT8} and tensor.scales and len(tensor.data) for tensor in tensors
    )
    return Precision.DYNAMIC_RANGE if has_integer_weights else Precision.FLOAT


def with_integer_ends(data: bytes, name: str) -> bytes:
    """The same model with integers at its ends; see `ends.to_integer_ends`."""
    from tinydeploy.convert.ends import to_integer_ends
    from tinydeploy.convert.flatbuffer import drop_unused, pack, unpack

    model = unpack(data, name)
    to_integer_ends(model)
    drop_unused(model)
    return pack(model)


def float_tflite(data: bytes, name: str) -> FloatModel:
    """A float or dynamic-range .tflite with float32 constants, batch 1 and fixed shapes.

    Raises:
        ModelError: Its constants are not understood, or it cannot be run with batch 1.
    """
    converted = normalized(data, name)
    inputs = len(decode(converted).inputs)
    return FloatModel(data=converted, source=precision_of(data, name).value, permutations=(None,) * inputs)


def normalized(data: bytes, name: str) -> bytes:
    """The form in which every float .tflite goes on, whoever converted it: float32 constants, batch 1, fixed shapes."""
    from tinydeploy.convert.constants import to_float_constants
    from tinydeploy.convert.flatbuffer import drop_unused, pack, unpack
    from tinydeploy.convert.static_shapes import make_static

    model = unpack(data, name)
    to_float_constants(model)
    make_static(model)
    drop_unused(model)
    return pack(model)


def _has_only_float_ends(model: RawModel) -> bool:
    """Whether floats go into QUANTIZE ops that read a graph input, come out of DEQUANTIZE ops, and are nowhere else.

    False, too, where there are no floats at all.
    """
    floats = [
        (op.kind, index)
        for op in model.ops
        for index in (*op.inputs, *op.outputs)
        if index >= 0 and model.tensors[index].type_code == _FLOAT32
    ]
    return bool(floats) and all(
        (kind == "QUANTIZE" and index in model.inputs) or (kind == "DEQUANTIZE" and index in model.outputs)
        for kind, index in floats
    )
