"""A .tflite file as the schema's own objects, which passes may change before it is packed again."""

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinydeploy.errors import ModelError
from tinydeploy.model.formats import IDENTIFIER, check_identifier
from tinydeploy.model.raw import decode

_DAMAGE = (struct.error, LookupError, ValueError, TypeError, OverflowError, AttributeError)

# Objects of the generated schema, which is untyped.
Model = Any
Operator = Any

_KINDS: dict[int, str] = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT16: np.dtype("<i2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.BOOL: np.dtype("bool"),
}


@contextlib.contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Turns whatever the schema's objects of a damaged file raise into a `ModelError` about the file ``name``.

    `decode` checks that a file can be read, not that its indices make sense; that is for the reader, afterwards.
    """
    try:
        yield
    except _DAMAGE as error:
        raise ModelError(
            f"{name} is damaged: it does not hang together", hint="copy or convert the model again"
        ) from error


def unpack(data: bytes, name: str) -> Model:
    """The objects of a file, ``schema.ModelT``. ``name`` is for messages.

    Each op code has its code in ``builtinCode``, where older converters left only the deprecated field.

    Raises:
        ModelError: It is no .tflite file, or damaged.
    """
    check_identifier(data, name)
    decode(data)  # which is proof against anything; the objects are not
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    return model


def pack(model: Model) -> bytes:
    """The bytes of the file. Constants lie at multiples of 16, so that a device can read them where they are."""
    model.buffers = [_aligned(buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer at a multiple of 16, as schema.fbs has it (``force_align``) and the object API does not."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the schema's
        if self.data is None:
            return int(super().Pack(builder))
        content = bytes(self.data)
        builder.StartVector(1, len(content), 16)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def _aligned(buffer: Any) -> Any:  # noqa: ANN401 - the schema's
    if buffer.data is None:
        return buffer
    aligned = _AlignedBuffer()
    aligned.data = buffer.data
    return aligned


def kind(model: Model, operator: Operator) -> str:
    """TFLite's name of an op, such as ``CONV_2D``."""
    code: int = model.operatorCodes[operator.opcodeIndex].builtinCode
    return _KINDS.get(code, "CUSTOM")


def tensor_name(tensor: Any) -> str:  # noqa: ANN401 - the schema's
    """A tensor's name: untrusted text."""
    name: bytes = tensor.name or b""
    return name.decode(errors="replace")


def reads(operator: Operator) -> Iterator[int]:
    """The tensors that an op reads; absent optional ones are left out."""
    return (int(index) for index in (operator.inputs if operator.inputs is not None else ()) if index >= 0)


def constant(model: Model, index: int) -> npt.NDArray[np.generic] | None:
    """A constant tensor's values in its shape; None where it is no constant, or of another type than numpy has."""
    tensor = model.subgraphs[0].tensors[index]
    data, dtype = model.buffers[tensor.buffer].data, _DTYPES.get(tensor.type)
    if data is None or dtype is None:
        return None
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    values: npt.NDArray[np.generic] = np.frombuffer(bytes(data), dtype)
    return values.reshape(shape)


def make_constant(model: Model, index: int, values: npt.NDArray[np.generic]) -> None:
    """Makes a tensor a constant with these values, which are of its type."""
    tensor = model.subgraphs[0].tensors[index]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    tensor.shape, tensor.shapeSignature = np.array(values.shape, np.int32), None


def make_float(model: Model, index: int, values: npt.NDArray[np.float32]) -> None:
    """Makes a tensor a float constant that is not quantised."""
    tensor = model.subgraphs[0].tensors[index]
    tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    make_constant(model, index, values)


def replace_tensor(model: Model, old: int, new: int) -> None:
    """Makes every op and every graph output that uses tensor ``old`` use ``new``."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if operator.inputs is not None:
            operator.inputs = [new if index == old else int(index) for index in operator.inputs]
    graph.outputs = [new if index == old else int(index) for index in graph.outputs]
    for tensor_map in _signature_maps(model):
        tensor_map.tensorIndex = new if tensor_map.tensorIndex == old else tensor_map.tensorIndex


def drop_unused(model: Model) -> None:
    """Takes tensors away that nothing uses any more, and the buffers of the file with them."""
    graph = model.subgraphs[0]
    lists = [(operator, name) for operator in graph.operators for name in ("inputs", "outputs", "intermediates")]
    lists += [(graph, "inputs"), (graph, "outputs")]
    used = {int(index) for owner, name in lists for index in _indices(owner, name) if index >= 0}
    kept = sorted(used)
    places = {-1: -1, **{old: new for new, old in enumerate(kept)}}
    for owner, name in lists:
        setattr(owner, name, [places[int(index)] for index in _indices(owner, name)])
    if all(tensor_map.tensorIndex in places for tensor_map in _signature_maps(model)):
        for tensor_map in _signature_maps(model):
            tensor_map.tensorIndex = places[tensor_map.tensorIndex]
    else:
        model.signatureDefs = None  # they name what is neither an input nor an output
    graph.tensors = [graph.tensors[old] for old in kept]
    needed = _used_buffers(model)
    for number, buffer in enumerate(model.buffers):
        if number not in needed:
            buffer.data = None


def _indices(owner: Any, name: str) -> Any:  # noqa: ANN401 - the schema's
    indices = getattr(owner, name)
    return () if indices is None else indices


def _used_buffers(model: Model) -> set[int]:
    tensors = (tensor.buffer for graph in model.subgraphs for tensor in graph.tensors)
    return {*tensors, *(entry.buffer for entry in model.metadata or ())}


def _signature_maps(model: Model) -> Iterator[Any]:
    for signature in model.signatureDefs or ():
        yield from signature.inputs or ()
        yield from signature.outputs or ()
