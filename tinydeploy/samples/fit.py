"""Arrays to a model's inputs: shape, layout and element type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import DType, Tensor
from tinydeploy.model.text import shape_text
from tinydeploy.samples.choice import evenly, require_room
from tinydeploy.samples.collected import Collected
from tinydeploy.samples.problems import input_name, misfit
from tinydeploy.samples.quantize import to_tensor_type
from tinydeploy.samples.samples import Array

Permutation = tuple[int, ...] | None
"""The axes that take an array of the source's layout to the model's, batch dimension included; None: as it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stack:
    """``array`` as ``values`` of shape (samples, *tensor shape): a view, transposed by ``permutation``."""

    array: Array
    values: Array
    permutation: Permutation

    def place(self, index: tuple[int, ...]) -> str:
        """Where in ``array`` a value of ``values`` is, as it would be written in Python."""
        sample, *inner = index
        axes = self.permutation or tuple(range(len(inner)))
        original = [0] * len(inner)
        for axis, position in zip(axes, inner, strict=True):
            original[axis] = position
        shape = source_shape(self.values.shape[1:], self.permutation)
        flat = int(np.ravel_multi_index((sample, *original), (len(self.values), *shape)))
        return ", ".join(str(int(i)) for i in np.unravel_index(flat, self.array.shape))


def source_shape(shape: tuple[int, ...], permutation: Permutation) -> tuple[int, ...]:
    """The shape that ``permutation`` takes to the model's ``shape``."""
    if permutation is None:
        return shape
    sizes = dict(zip(permutation, shape, strict=True))
    return tuple(sizes[axis] for axis in range(len(shape)))


def fit_arrays(
    path: Path,
    arrays: Sequence[Array],
    tensors: Sequence[Tensor],
    permutations: Sequence[Permutation],
    limit: int | None,
) -> Collected:
    """One array per input. What need not be converted or chosen from stays a view: of a mapped file, unread.

    Raises:
        UsageError: An array has another shape, or an element type that cannot become the input's, or holds no numbers.
    """
    rows = list(zip(arrays, tensors, permutations, strict=True))
    stacks = [_stacked(path, array, tensor, permutation) for array, tensor, permutation in rows]
    counts = {len(stack.values) for stack in stacks}
    if counts == {0}:
        raise misfit(path, "there are no samples in it", hint="give at least one sample")
    if len(counts) > 1:
        raise misfit(path, f"inputs have different numbers of samples: {', '.join(map(str, sorted(counts)))}")
    items = counts.pop()
    item = evenly(items, limit)
    converted = [tensor for array, tensor, _ in rows if not _as_it_is(array, tensor)]
    require_room(path, len(item), converted)
    notes = [f"{len(item):,} of {items:,} samples used, evenly spread"] if len(item) < items else []
    fitted = [_fitted(path, stack, tensor, item, notes.append) for stack, tensor in zip(stacks, tensors, strict=True)]
    inputs, saturated = tuple(values for values, _ in fitted), tuple(count for _, count in fitted)
    return Collected(inputs=inputs, saturated=saturated, notes=tuple(notes), items=items, item=item)


def quantised_note(tensor: Tensor, saturated: int, values: int) -> str | None:
    """What is told of floats that became the integers of an input; None where they stayed floats."""
    if tensor.quantization is None:
        return None
    scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
    clipped = f", {saturated:,} of {values:,} values saturated" if saturated else ""
    return f"{input_name(tensor)}: floats quantised with scale {scale:.6g} and zero point {zero_point}{clipped}"


def require_reals(path: Path, tensor: Tensor, what: str) -> None:
    """Refuses an input that real numbers cannot be put into. ``what`` they come from, in the plural.

    Raises:
        UsageError: Its integers have no scale.
    """
    if tensor.dtype is not DType.FLOAT32 and tensor.quantization is None:
        told = f"{input_name(tensor)} is of {tensor.dtype.value.lower()} without a scale: {what} are real numbers"
        raise misfit(path, told, hint="save what the model takes as .npy")


def _as_it_is(array: Array, tensor: Tensor) -> bool:
    """Whether the array's values are the input's own integers."""
    return array.dtype == tensor.dtype.numpy and tensor.dtype is not DType.FLOAT32


def _fitted(
    path: Path, stack: _Stack, tensor: Tensor, item: npt.NDArray[np.int64], note: Callable[[str], None]
) -> tuple[Array, int]:
    """The chosen values in the input's type, and how many of them were clipped."""
    if stack.permutation is not None:
        source, shape = source_shape(tensor.shape, stack.permutation), tensor.shape
        note(f"{input_name(tensor)}: axes brought from {shape_text(source)} to the model's {shape_text(shape)}")
    values = stack.values if len(item) == len(stack.values) else stack.values[item]
    if _as_it_is(stack.array, tensor):
        return values, 0
    _require_kind(path, stack.array, tensor)
    if stack.array.dtype.kind != "f":
        note(f"{input_name(tensor)}: {stack.array.dtype} taken as floats, not scaled")
    converted = to_tensor_type(values, tensor)
    if converted.bad is not None:
        raise _no_number(path, stack, tensor, (int(item[converted.bad[0]]), *converted.bad[1:]))
    told = quantised_note(tensor, converted.saturated, values.size)
    if told is not None:
        note(told)
    return converted.values, converted.saturated


def _require_kind(path: Path, array: Array, tensor: Tensor) -> None:
    """Floats can become a float or a scaled input; integers only a float one: for a scaled one they may be anything."""
    is_float = tensor.dtype is DType.FLOAT32
    if array.dtype.kind in ("fiu" if is_float else "f") and (is_float or tensor.quantization is not None):
        return
    expected = tensor.dtype.value.lower() + ("" if tensor.quantization is None else " or float")
    hint = "convert the array: integers are taken as they are, floats are quantised with the input's scale"
    raise misfit(path, f"{input_name(tensor)} has element type {array.dtype}, expected {expected}", hint=hint)


def _no_number(path: Path, stack: _Stack, tensor: Tensor, index: tuple[int, ...]) -> UsageError:
    what = "a value beyond float32" if np.isfinite(stack.values[index]) else "a NaN or an infinity"
    return misfit(path, f"{input_name(tensor)} has {what} at [{stack.place(index)}]", hint="remove it")


def _stacked(path: Path, array: Array, tensor: Tensor, permutation: Permutation) -> _Stack:
    """In the layout of the source, else in that of the model: stacked samples, or one of them."""
    for axes in dict.fromkeys((permutation, None)):
        shape = source_shape(tensor.shape, axes)
        count = _count(array.shape, shape)
        if count is None:
            continue
        values = array.reshape(count, *shape)
        if axes is not None:
            values = values.transpose(0, *(axis + 1 for axis in axes))
        return _Stack(array=array, values=values, permutation=axes)
    shapes = [_without_batch(source_shape(tensor.shape, axes)) for axes in dict.fromkeys((permutation, None))]
    expected = " or ".join(dict.fromkeys(f"n x {shape_text(shape)}" if shape else "n" for shape in shapes))
    hint = "the first dimension counts the samples"
    raise misfit(path, f"{input_name(tensor)} has shape {shape_text(array.shape)}, expected {expected}", hint=hint)


def _count(got: tuple[int, ...], shape: tuple[int, ...]) -> int | None:
    """How many samples of ``shape`` an array has; None where it has another shape."""
    if got and got[1:] in {_without_batch(shape), shape}:
        return got[0]
    return 1 if got == shape else None


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if shape[:1] == (1,) else shape
