"""Builds .tflite files, good ones and deliberately odd ones, through the schema's object API.

    builder = ModelBuilder()
    x = builder.tensor((1, 8, 8, 3), scale=0.05, zero_point=-3)
    y = builder.tensor((1, 8, 8, 3), scale=0.05, zero_point=-3)
    builder.op("RELU", [x], [y])
    data = builder.finish(inputs=[x], outputs=[y])

Nothing is checked here: that is the reader's work.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

# The kind of op: the name of its options table, for the kinds that have one.
_OPTIONS = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "CUMSUM": "CumsumOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SPLIT_V": "SplitVOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
}
_DTYPE_NAMES = {"float32": "FLOAT32", "bool": "BOOL"}


class ModelBuilder:
    """One model being built; the schema's objects are open to tests that want to damage something."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors = []
        self.graph.operators = []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "INT8",
        *,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        name: str | None = None,
        signature: Sequence[int] | None = None,
        is_variable: bool = False,
    ) -> int:
        """An activation, or a state; returns its index. Without a scale it is not quantised."""
        tensor = schema.TensorT()
        tensor.name = name if name is not None else f"t{len(self.graph.tensors)}"
        tensor.shape = list(shape)
        tensor.type = getattr(schema.TensorType, dtype)
        tensor.buffer = 0
        tensor.isVariable = is_variable
        tensor.shapeSignature = None if signature is None else list(signature)
        if scale is not None:
            tensor.quantization = quantization = schema.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            points = np.broadcast_to(np.asarray(zero_point, np.int64), quantization.scale.shape)
            quantization.zeroPoint = np.ascontiguousarray(points)
            quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: npt.ArrayLike, **tensor: Any) -> int:  # noqa: ANN401 - as `tensor` takes them
        """A constant of the array's type and shape; returns its index. Keywords as in `tensor`."""
        array = np.asarray(values)
        dtype = _DTYPE_NAMES.get(array.dtype.name, array.dtype.name.upper())
        index = self.tensor(array.shape, dtype, **tensor)
        self.graph.tensors[index].buffer = len(self.model.buffers)
        self.model.buffers.append(_buffer(array.tobytes()))
        return index

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        intermediates: Sequence[int] = (),
        **options: Any,  # noqa: ANN401 - what the schema's tables take
    ) -> int:
        """An op; returns its index. ``options`` are fields of its table in the schema, with names for enums."""
        op = schema.OperatorT()
        op.opcodeIndex = self._code(kind)
        op.inputs, op.outputs, op.intermediates = list(inputs), list(outputs), list(intermediates)
        if kind in _OPTIONS:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[kind])
            op.builtinOptions = table = getattr(schema, f"{_OPTIONS[kind]}T")()
            for field, value in options.items():
                assert hasattr(table, field), f"{_OPTIONS[kind]} has no {field}"
                setattr(table, field, _enum(field, value))
        self.graph.operators.append(op)
        return len(self.graph.operators) - 1

    def _code(self, kind: str) -> int:
        code = schema.OperatorCodeT()
        code.version = 1
        builtin = getattr(schema.BuiltinOperator, kind, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        if builtin == schema.BuiltinOperator.CUSTOM:
            code.customCode = kind
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def finish(self, *, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The bytes of the file."""
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def opened(data: bytes) -> ModelBuilder:
    """A file's model, to be changed and finished again."""
    builder = ModelBuilder()
    builder.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    builder.graph = builder.model.subgraphs[0]
    for number, buffer in enumerate(builder.model.buffers):
        if buffer.data is not None:
            builder.model.buffers[number] = _buffer(bytes(buffer.data))
    for op in builder.graph.operators:
        op.inputs, op.outputs = list(op.inputs), list(op.outputs)
    return builder


def _enum(field: str, value: Any) -> Any:  # noqa: ANN401
    if field == "padding":
        return getattr(schema.Padding, value)
    if field == "fusedActivationFunction":
        return getattr(schema.ActivationFunctionType, value)
    return value


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer at a multiple of 16, as schema.fbs asks for and the object API forgets."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        builder.StartVector(1, len(self.data), 16)
        builder.head -= len(self.data)
        builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def _buffer(data: bytes) -> schema.BufferT:
    buffer = _AlignedBuffer()
    buffer.data = data
    return buffer
