"""Float constants for what a converter stored in fewer bits: int8 weights of dynamic-range models, float16 ones."""

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinydeploy.convert.flatbuffer import Model, constant, kind, make_float, reads, tensor_name
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

_INTEGERS = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}


def to_float_constants(model: Model) -> None:
    """Makes every quantised or float16 constant that takes part in float arithmetic a float32 one, in place.

    Values become ``scale * (q - zero_point)``. A DEQUANTIZE of a constant goes away. What is symmetric and reaches
    ±127 is quantised to the same integers again.

    Raises:
        ModelError: A constant is stored in a way that is not known here: sparse, or int4.
    """
    graph = model.subgraphs[0]
    kept = []
    for operator in graph.operators:
        if kind(model, operator) == "DEQUANTIZE" and _is_stored(model, int(operator.inputs[0])):
            source, sink = int(operator.inputs[0]), int(operator.outputs[0])
            make_float(model, sink, _values(model, source))
        else:
            kept.append(operator)
    graph.operators = kept
    for operator in graph.operators:
        if any(graph.tensors[index].type == schema.TensorType.FLOAT32 for index in operator.outputs):
            for index in reads(operator):
                if graph.tensors[index].type in _INTEGERS and _is_quantized(model, index):
                    make_float(model, index, _values(model, index))


def _is_stored(model: Model, index: int) -> bool:
    """Whether a tensor's values are in the file."""
    return model.buffers[model.subgraphs[0].tensors[index].buffer].data is not None


def _is_quantized(model: Model, index: int) -> bool:
    quantization = model.subgraphs[0].tensors[index].quantization
    return _is_stored(model, index) and quantization is not None and quantization.scale is not None


def _values(model: Model, index: int) -> npt.NDArray[np.float32]:
    tensor = model.subgraphs[0].tensors[index]
    values = constant(model, index)
    if values is None or tensor.sparsity is not None:
        stored = "sparse" if tensor.sparsity is not None else "in a type that is not known here"
        raise ModelError(
            f"the constant {printable(tensor_name(tensor))} is {stored}",
            hint="convert the float model it was made from, without optimizations",
        )
    quantization = tensor.quantization
    if tensor.type == schema.TensorType.FLOAT16 or quantization is None or quantization.scale is None:
        return values.astype(np.float32)
    shape = [1] * values.ndim
    if len(quantization.scale) > 1:
        shape[quantization.quantizedDimension] = -1
    scales = np.asarray(quantization.scale, np.float32).reshape(shape)
    points = np.asarray(0 if quantization.zeroPoint is None else quantization.zeroPoint, np.float32)
    points = points.reshape(shape if points.size > 1 else [1] * values.ndim)
    return np.asarray((values.astype(np.float32) - points) * scales, np.float32)
