"""What a .tflite computes with, told without loading TFLite's schema as a whole: every command asks."""

import enum
from pathlib import Path

from tinydeploy.convert.sources.formats import SourceFormat, source_format
from tinydeploy.errors import ModelError
from tinydeploy.model.formats import check_identifier
from tinydeploy.model.raw import RawModel, decode
from tinydeploy.model.reader import read_bytes

# TensorType in TFLite's schema.fbs.
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


def is_integer(model: Path) -> bool:
    """Whether a file is a .tflite that computes with integers, its ends included: there is nothing to convert.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        ModelError: It is no model.
    """
    if not model.is_file() and not model.is_dir():
        read_bytes(model)  # which says what there is instead
    if source_format(model) is not SourceFormat.TFLITE:
        return False
    return precision_of(read_bytes(model), model.name) is Precision.INTEGER


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
