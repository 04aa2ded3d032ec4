"""Inputs for verification: the default ones, and those that a user brings in a numpy file."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import DType, Graph, Tensor
from tinydeploy.model.indices import index_limit
from tinydeploy.model.text import printable, shape_text
from tinydeploy.samples.quantize import to_tensor_type

Array = npt.NDArray[np.generic]

UNLABELLED = -1
"""The label of a sample whose class is not known."""

FIRST_NOISE = 3
"""The place of the first noise among the default samples: the input with which inferences are timed, always the same,
since a kernel's instructions depend a little on its data."""

_LABELS = "labels"
# Of all arrays in an .npz, unpacked: these have to fit into memory.
_MAX_NPZ_BYTES = 2 << 30
_HOW = "save them with numpy.save, or numpy.savez for several inputs or labels"


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Inputs of several inferences.

    ``inputs`` has one array per graph input, in its order and its element type, of shape (samples, *tensor shape).
    ``labels`` are the classes expected of the first output, one per sample, or `UNLABELLED`. ``notes`` are sentences
    for the user about what was done to the data.
    """

    inputs: tuple[Array, ...]
    labels: npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many samples there are; at least one."""
        return len(self.inputs[0])

    def __getitem__(self, index: int) -> tuple[Array, ...]:
        """The inputs of one inference, each with its tensor's shape."""
        return tuple(values[index] for values in self.inputs)


def default_samples(graph: Graph, *, count: int = 16, seed: int = 0) -> Samples:
    """Zeros, both extremes, then seeded noise over the full range; ``count`` is at least 4.

    "Zeros" are real zeros: the zero point where there is one. Float inputs range from -1 to 1, and indices over the
    elements that there are. The same model and seed
    give the same samples on every machine (numpy's PCG64).
    """
    noise = np.random.Generator(np.random.PCG64(seed))
    inputs = (_default_input(graph.tensors[index], count, noise, index_limit(graph, index)) for index in graph.inputs)
    return Samples(inputs=tuple(inputs))


def load_samples(path: Path, graph: Graph) -> Samples:
    """Reads samples from an .npy or .npz file, whatever its name.

    An array has the samples along its first dimension and the input's shape behind it, with or without the batch
    dimension of 1; or it is one sample of the input's whole shape. Several inputs are found by their names or else by
    their order. ``labels`` in an .npz are class numbers. Values are taken as they are where the type is the input's;
    floats are quantised. An .npy of the right type is mapped, not read.

    Raises:
        UsageError: The file cannot be read, or its content does not fit the model.
    """
    arrays = _arrays(path)
    labels = arrays.pop(_LABELS, None)
    notes: list[str] = []
    tensors = [graph.tensors[index] for index in graph.inputs]
    found = _assigned(path, arrays, tensors)
    inputs = tuple(_as_input(path, array, tensor, notes.append) for array, tensor in zip(found, tensors, strict=True))
    counts = {len(array) for array in inputs}
    if counts == {0}:
        raise _wrong(path, "there are no samples in it", hint="give at least one sample")
    if len(counts) > 1:
        raise _wrong(path, f"inputs have different numbers of samples: {', '.join(map(str, sorted(counts)))}")
    classes = graph.tensors[graph.outputs[0]].elements
    checked = None if labels is None else _as_labels(path, labels, counts.pop(), classes)
    return Samples(inputs=inputs, labels=checked, notes=tuple(notes))


def _default_input(tensor: Tensor, count: int, noise: np.random.Generator, limit: int | None) -> Array:
    """``limit``: the input has indices below it."""
    shape = (count, *tensor.shape)
    if tensor.dtype is DType.FLOAT32:
        values = noise.uniform(-1, 1, shape).astype(tensor.dtype.numpy)
        values[:3] = np.array([0, -1, 1], tensor.dtype.numpy).reshape(3, *[1] * len(tensor.shape))
        return values
    lowest, highest = tensor.dtype.integer_range if limit is None else (0, limit - 1)
    drawn = noise.integers(lowest, highest, shape, dtype=np.int64, endpoint=True).astype(tensor.dtype.numpy)
    zero = tensor.quantization.zero_point if tensor.quantization else 0
    drawn[0], drawn[1], drawn[2] = zero, lowest, highest
    return drawn


def _arrays(path: Path) -> dict[str, Array]:
    """The arrays of the file by name; of an .npy, by the name ``""``."""
    if not path.is_file():
        kind = "a folder, not a file" if path.is_dir() else "not there"
        raise UsageError(f"cannot read samples: {path} is {kind}", hint="give an .npy or .npz file")
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
        if start == b"\x93NUMPY":
            return {"": np.load(path, mmap_mode="r", allow_pickle=False)}
        if start.startswith(b"PK"):
            return _unpacked(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _wrong(path, f"it cannot be read: {reason}", hint="check the file's permissions") from error
    except UsageError:
        raise
    except Exception as error:  # There is no list of what numpy and zipfile raise on damaged files.
        if any(sign in str(error) for sign in ("Object arrays", "Python objects", "pickle")):
            raise _wrong(path, "it holds Python objects, not numbers", hint=_HOW) from error
        raise _wrong(path, "it is damaged or truncated", hint=f"write it again: {_HOW}") from error
    reason = "it is not a numpy file" if start else "it is empty (0 bytes)"
    raise _wrong(path, reason, hint=_HOW)


def _unpacked(path: Path) -> dict[str, Array]:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > _MAX_NPZ_BYTES:
        raise _wrong(
            path, f"its arrays take {unpacked:,} bytes unpacked, at most {_MAX_NPZ_BYTES:,}", hint="use an .npy"
        )
    loaded = np.load(path, allow_pickle=False)
    with loaded:
        # An entry that is not an array comes out as bytes.
        return {name: np.asarray(loaded[name]) for name in loaded.files}


def _assigned(path: Path, arrays: Mapping[str, Array], tensors: list[Tensor]) -> list[Array]:
    """One array per input, by name, else by order."""
    names = [tensor.name for tensor in tensors]
    if all(name in arrays for name in names):
        return [arrays[name] for name in names]
    if len(arrays) == len(tensors):
        return list(arrays.values())
    has = ", ".join(printable(name) for name in arrays) or "no inputs"
    wants = ", ".join(printable(name) for name in names)
    raise _wrong(path, f"it has {has}; the model's inputs are {wants}", hint="name the arrays like the inputs")


def _as_input(path: Path, array: Array, tensor: Tensor, note: Callable[[str], None]) -> Array:
    samples = _stacked(path, array, tensor)
    if array.dtype == tensor.dtype.numpy and tensor.dtype is not DType.FLOAT32:
        return samples
    if array.dtype.kind != "f" or (tensor.dtype is not DType.FLOAT32 and tensor.quantization is None):
        expected = tensor.dtype.value.lower() + ("" if tensor.quantization is None else " or float")
        hint = "convert the array: integers are taken as they are, floats are quantised with the input's scale"
        raise _wrong(path, f"{_of(tensor)} has element type {array.dtype}, expected {expected}", hint=hint)
    converted = to_tensor_type(samples, tensor)
    if converted.bad is not None:
        place = np.unravel_index(np.ravel_multi_index(converted.bad, samples.shape), array.shape)
        where = ", ".join(str(int(i)) for i in place)
        raise _wrong(path, f"{_of(tensor)} has a NaN or an infinity at [{where}]", hint="remove it")
    if tensor.quantization is not None:
        scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
        clipped = f", {converted.saturated:,} of {samples.size:,} values saturated" if converted.saturated else ""
        note(f"{_of(tensor)}: floats quantised with scale {scale:.6g} and zero point {zero_point}{clipped}")
    return converted.values


def _stacked(path: Path, array: Array, tensor: Tensor) -> Array:
    """``array`` as (samples, *tensor shape)."""
    inner = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    if array.ndim > 0 and array.shape[1:] in {inner, tensor.shape}:
        return array.reshape(len(array), *tensor.shape)
    if array.shape == tensor.shape:
        return array.reshape(1, *tensor.shape)
    expected = f"n x {shape_text(inner)}" if inner else "n"
    hint = "the first dimension counts the samples"
    raise _wrong(path, f"{_of(tensor)} has shape {shape_text(array.shape)}, expected {expected}", hint=hint)


def _as_labels(path: Path, labels: Array, count: int, classes: int) -> npt.NDArray[np.int64]:
    if labels.dtype.kind not in "iu" or labels.size != count or max(labels.shape, default=0) != count:
        got = f"{shape_text(labels.shape)} of {labels.dtype}"
        raise _wrong(path, f"labels are {got}, expected {count} integers", hint="one class number per sample")
    numbers = labels.reshape(count).astype(np.int64)
    outside = numbers[(numbers < 0) | (numbers >= classes)]
    if outside.size:
        raise _wrong(path, f"label {outside[0]} is not one of the {classes} classes of the first output")
    return numbers


def _of(tensor: Tensor) -> str:
    return f"input {printable(tensor.name)}"


def _wrong(path: Path, what: str, *, hint: str = "") -> UsageError:
    return UsageError(f"samples do not fit: {what}", where={"file": str(path)}, hint=hint)


def join_samples(first: Samples, second: Samples) -> Samples:
    """One after the other. Samples that have no label get `UNLABELLED` where the others have one."""
    inputs = tuple(np.concatenate(pair) for pair in zip(first.inputs, second.inputs, strict=True))
    labels = None
    if first.labels is not None or second.labels is not None:
        labels = np.concatenate([_labels_of(first), _labels_of(second)])
    return Samples(inputs=inputs, labels=labels, notes=first.notes + second.notes)


def _labels_of(samples: Samples) -> npt.NDArray[np.int64]:
    return np.full(samples.count, UNLABELLED, np.int64) if samples.labels is None else samples.labels
