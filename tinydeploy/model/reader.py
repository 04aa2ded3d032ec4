"""From a .tflite file to a `Graph`.

The file is untrusted: whatever it holds, the result is a graph that later stages can rely on, or a
`ModelError`.
"""

import difflib
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import ModelError, UsageError
from tinydeploy.model.formats import CONVERT, check_identifier
from tinydeploy.model.graph import DType, Graph, Op, Quantization, Tensor
from tinydeploy.model.next_steps import AGAIN, INSIDE, SMALLER
from tinydeploy.model.options import read_options
from tinydeploy.model.raw import RawModel, RawTensor, decode
from tinydeploy.model.shapes import check_op, checks_shapes_of
from tinydeploy.model.text import printable, shape_text, tensor_label
from tinydeploy.model.wiring import check_wiring

# Beyond what any microcontroller can address as flash; keeps a mistaken path from filling the memory.
_MAX_FILE_BYTES = 256 << 20
_MAX_RANK = 6
# Offsets and sizes are 32-bit on the device.
_MAX_TENSOR_BYTES = (1 << 31) - 1
# Of all tensors together, the size of their last dimension: analyses keep some tens of bytes for each. Models for
# microcontrollers have some thousands.
_MAX_CHANNELS = 4 << 20
_QUANTIZE = "convert the model again, with one scale a tensor or a channel"
_RESHAPE = "join dimensions in the model"
_BATCH_1 = "convert it with batch size 1, as in tf.keras.Input(shape, batch_size=1)"
_STATELESS = "make the state an input and an output of the model, or use an LSTM or SVDF op"

# By their codes in TFLite's schema.fbs.
_DTYPES = {
    0: DType.FLOAT32,
    2: DType.INT32,
    3: DType.UINT8,
    4: DType.INT64,
    6: DType.BOOL,
    7: DType.INT16,
    9: DType.INT8,
    12: DType.UINT64,
    15: DType.UINT32,
}
_OTHER_DTYPES = {
    1: "FLOAT16",
    5: "STRING",
    8: "COMPLEX64",
    10: "FLOAT64",
    11: "COMPLEX128",
    13: "RESOURCE",
    14: "VARIANT",
    16: "UINT16",
    17: "INT4",
    18: "BFLOAT16",
    19: "INT2",
}


def read_model(path: Path) -> Graph:
    """Reads a .tflite file; see `parse_model`.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        ModelError: Its content is not a usable model.
    """
    return parse_model(read_bytes(path), name=path.name)


def read_bytes(path: Path) -> bytes:
    """The content of a model file, whatever it is.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        ModelError: It is too large for a model.
    """
    if not path.is_file():
        raise _not_a_file(path)
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise ModelError(
                f"{path} is too large for a model: {size:,} bytes, at most {_MAX_FILE_BYTES:,}",
                hint=SMALLER,
            )
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path}: {reason}", hint="check the file's permissions") from error


def parse_model(data: bytes, *, name: str) -> Graph:
    """The graph in the bytes of a .tflite file, with everything that `Graph` guarantees.

    Constants are read-only views of ``data``, which they keep alive. Only the first subgraph counts; ops that
    call another one are refused. Where the file leaves the batch size open, it is the 1 that the file's
    shapes have. Tensors that nothing uses may have dimensions of 0.

    Raises:
        ModelError: The bytes are not a usable model; ``where`` has ``name`` under ``model``.
    """
    name = printable(name, limit=120)
    try:
        check_identifier(data, name)
        raw = decode(data)
        used = set(raw.inputs).union(raw.outputs, *(op.inputs for op in raw.ops), *(op.outputs for op in raw.ops))
        tensors = tuple(_tensor(index, tensor, index in used) for index, tensor in enumerate(raw.tensors))
        _check_channels(tensors)
        ops = tuple(
            Op(
                index=index,
                kind=op.kind,
                inputs=op.inputs,
                outputs=op.outputs,
                intermediates=op.intermediates,
                options=read_options(index, op),
                is_custom=op.is_custom,
            )
            for index, op in enumerate(raw.ops)
        )
        check_wiring(tensors, ops, raw.inputs, raw.outputs)
        _check_batch(raw, tensors, ops)
        for op in ops:
            check_op(tensors, op)
    except ModelError as error:
        error.where = {"model": name, **error.where}
        raise
    return Graph(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        source=data,
        tensors=tensors,
        ops=ops,
        inputs=raw.inputs,
        outputs=raw.outputs,
        subgraphs=raw.subgraphs,
    )


def _not_a_file(path: Path) -> UsageError:
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return UsageError(f"{path} is a SavedModel folder", hint=CONVERT)
        found = sorted(entry.name for entry in _entries(path) if entry.suffix == ".tflite")
        hint = f"give a file in it: {', '.join(found[:5])}" if found else "give a .tflite file"
        return UsageError(f"{path} is a folder, not a model file", hint=hint)
    if path.exists():
        return UsageError(f"{path} is not a regular file", hint="give a .tflite file")
    models = {entry.stem: entry.name for entry in _entries(path.parent) if entry.suffix == ".tflite"}
    near = [models[stem] for stem in difflib.get_close_matches(path.stem, models)]
    hint = f"did you mean {', '.join(near)}?" if near else "check the path"
    return UsageError(f"no such file: {path}", hint=hint)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _tensor(index: int, raw: RawTensor, used: bool) -> Tensor:
    label = f"tensor {index} ({printable(raw.name)})"
    dtype = _DTYPES.get(raw.type_code)
    if dtype is None:
        shown = _OTHER_DTYPES.get(raw.type_code, f"type {raw.type_code}")
        hint = _STATELESS if shown == "RESOURCE" else "convert the model to full int8"
        raise ModelError(f"{label} is {shown}, which is not supported", hint=hint)
    if raw.is_sparse:
        raise ModelError(f"{label} is sparse, which is not supported", hint="convert the model without sparsity")
    if raw.is_external:
        raise ModelError(f"{label} keeps its data outside the flatbuffer, which is not supported", hint=INSIDE)
    if len(raw.shape) > _MAX_RANK:
        raise ModelError(f"{label} has {len(raw.shape)} dimensions, at most {_MAX_RANK} are supported", hint=_RESHAPE)
    if any(size < (1 if used else 0) for size in raw.shape):
        raise ModelError(f"{label} has an unusable shape: {shape_text(raw.shape)}", hint=_BATCH_1)
    if math.prod(raw.shape) * dtype.itemsize > _MAX_TENSOR_BYTES:
        raise ModelError(f"{label} is too large: {shape_text(raw.shape)} {dtype.value}", hint=SMALLER)
    if raw.is_variable and raw.data.size:
        raise ModelError(f"{label} is a variable and a constant at once", hint=AGAIN)
    return Tensor(
        index=index,
        name=raw.name,
        shape=raw.shape,
        dtype=dtype,
        quantization=_quantization(label, raw, dtype),
        data=_constant(label, raw, dtype) if raw.data.size else None,
        is_variable=raw.is_variable,
    )


def _constant(label: str, raw: RawTensor, dtype: DType) -> npt.NDArray[np.generic]:
    needed = math.prod(raw.shape) * dtype.itemsize
    if raw.data.size != needed:
        shown = f"{shape_text(raw.shape)} {dtype.value}"
        raise ModelError(
            f"{label} has {raw.data.size:,} bytes of data, its shape {shown} needs {needed:,}",
            hint=AGAIN,
        )
    return raw.data.view(dtype.numpy).reshape(raw.shape)


def _quantization(label: str, raw: RawTensor, dtype: DType) -> Quantization | None:
    """Parameters of integer tensors; those that some converters leave on float tensors mean nothing."""
    if raw.has_details:
        raise ModelError(
            f"{label} is quantised in blocks or by a custom scheme, which is not supported", hint=_QUANTIZE
        )
    if not raw.scales or dtype in {DType.FLOAT32, DType.BOOL}:
        return None
    channels = len(raw.scales)
    # Old converters give a bias the axis that its weights have.
    axis = 0 if len(raw.shape) == 1 else raw.axis
    if len(raw.zero_points) != channels:
        raise ModelError(f"{label} has {channels} scales, but {len(raw.zero_points)} zero points", hint=AGAIN)
    if channels > 1 and not (0 <= axis < len(raw.shape) and raw.shape[axis] == channels):
        shown = shape_text(raw.shape)
        raise ModelError(f"{label} has {channels} scales along axis {axis} of its shape {shown}", hint=AGAIN)
    if not all(math.isfinite(scale) and scale > 0 for scale in raw.scales):
        raise ModelError(f"{label} has a scale that is not a positive number", hint=AGAIN)
    lowest, highest = dtype.integer_range
    if not all(lowest <= zero_point <= highest for zero_point in raw.zero_points):
        raise ModelError(f"{label} has a zero point outside the range of {dtype.value}", hint=AGAIN)
    return Quantization(scales=raw.scales, zero_points=raw.zero_points, axis=axis if channels > 1 else 0)


def _check_channels(tensors: tuple[Tensor, ...]) -> None:
    channels = sum(tensor.shape[-1] for tensor in tensors if tensor.shape)
    if channels > _MAX_CHANNELS:
        largest = max((tensor for tensor in tensors if tensor.shape), key=lambda tensor: tensor.shape[-1])
        raise ModelError(
            f"the model's tensors have {channels:,} channels in all, at most {_MAX_CHANNELS:,} are supported; "
            f"{tensor_label(largest)} has {largest.shape[-1]:,}",
            hint=SMALLER,
        )


def _check_batch(raw: RawModel, tensors: tuple[Tensor, ...], ops: tuple[Op, ...]) -> None:
    """Every shape is fixed, and the batch is 1.

    A signature of -1 in the first dimension is what converters write for an open batch; the shape beside it
    has 1. That is right in graph inputs and where `check_op` derives it from the op's inputs. Elsewhere it
    may be wrong and is refused: TensorFlow Lite Micro would compute with it silently.
    """
    for index in raw.inputs:
        shape = tensors[index].shape
        if len(shape) > 1 and shape[0] != 1:
            raise ModelError(f"input {tensor_label(tensors[index])} has batch size {shape[0]}, not 1", hint=_BATCH_1)
    for tensor in tensors:
        signature = raw.tensors[tensor.index].signature
        open_batch = len(signature) == len(tensor.shape) > 0 and tensor.shape[0] == 1 and -1 not in signature[1:]
        if -1 in signature and not open_batch:
            shown = shape_text(tuple(signature)).replace("-1", "?")
            raise ModelError(f"{tensor_label(tensor)} has a shape that is not fixed: {shown}", hint=_BATCH_1)
    for op in ops:
        if not checks_shapes_of(op) and any(-1 in raw.tensors[index].signature for index in op.outputs):
            raise ModelError(f"{op} has an output whose shape depends on the batch size", hint=_BATCH_1)
