"""Checks of single ops that only move elements; see shapes.py, which has those of ops that compute."""

from collections.abc import Callable
from typing import cast

from tinydeploy.model.fit import Case, MisfitError, axis_in
from tinydeploy.model.graph import ConcatenationOptions, GatherOptions, SplitOptions, StridedSliceOptions, Tensor
from tinydeploy.model.text import shape_text


def _rearrangement(most_inputs: int, *, keeps_order: bool) -> Callable[[Case], None]:
    """RESHAPE, and SQUEEZE and EXPAND_DIMS, which only add or remove dimensions of 1."""

    def rule(case: Case) -> None:
        case.arity(1, most_inputs)
        source, output = case.data(), case.output
        case.same_type(source, output)
        kept = [[size for size in tensor.shape if size != 1] for tensor in (source, output)]
        if source.elements != output.elements or (keeps_order and kept[0] != kept[1]):
            raise MisfitError(f"cannot turn {shape_text(source.shape)} into {shape_text(output.shape)}")

    return rule


def _expand_dims(case: Case) -> None:
    case.arity(2, 2)
    case.axes(1, len(case.output.shape))
    _rearrangement(2, keeps_order=True)(case)


def _pad(case: Case) -> None:
    case.arity(2, 3)
    source, rank = case.data(), len(case.data().shape)
    case.same_type(source, case.output)
    case.per_tensor(source, case.output)
    paddings = case.parameter(1)
    if case.data(1).shape != (rank, 2) or min(paddings) < 0:
        raise MisfitError(f"paddings {paddings} do not fit {shape_text(source.shape)}")
    case.yields([size + paddings[2 * i] + paddings[2 * i + 1] for i, size in enumerate(source.shape)])


def _concatenation(case: Case) -> None:
    if not case.inputs:
        raise MisfitError("no inputs")
    case.arity(1, len(case.inputs))
    parts = [case.data(position) for position in range(len(case.inputs))]
    case.same_type(*parts, case.output)
    case.per_tensor(*parts, case.output)
    first = parts[0].shape
    axis = axis_in(cast("ConcatenationOptions", case.op.options).axis, len(first))
    for part in parts:
        if (
            len(part.shape) != len(first)
            or part.shape[:axis] + part.shape[axis + 1 :] != first[:axis] + first[axis + 1 :]
        ):
            raise MisfitError(f"{shape_text(part.shape)} does not join {shape_text(first)} along axis {axis}")
    case.yields([*first[:axis], sum(part.shape[axis] for part in parts), *first[axis + 1 :]])


def _gather(case: Case) -> None:
    case.arity(2, 2)
    source, positions = case.data(), case.data(1).shape
    case.same_type(source, case.output)
    options = cast("GatherOptions", case.op.options)
    axis = axis_in(options.axis, len(source.shape))
    shared = options.batch_dims + (len(positions) if options.batch_dims < 0 else 0)
    if not 0 <= shared <= min(axis, len(positions)) or source.shape[:shared] != positions[:shared]:
        raise MisfitError(f"{shape_text(positions)} from {shape_text(source.shape)} with {shared} batch dimensions")
    case.yields([*source.shape[:axis], *positions[shared:], *source.shape[axis + 1 :]])


def _slice(case: Case) -> None:
    case.arity(3, 3)
    shape, begins, sizes = case.data().shape, case.parameter(1), case.parameter(2)
    case.same_type(case.data(), case.output)
    if not len(begins) == len(sizes) == len(shape):
        raise MisfitError(f"{len(begins)} begins and {len(sizes)} sizes for {shape_text(shape)}")
    ends = [whole if size == -1 else begin + size for whole, begin, size in zip(shape, begins, sizes, strict=True)]
    if not all(0 <= begin <= end <= whole for whole, begin, end in zip(shape, begins, ends, strict=True)):
        raise MisfitError(f"begins {begins} and sizes {sizes} do not fit {shape_text(shape)}")
    case.yields([end - begin for begin, end in zip(begins, ends, strict=True)])


def _split(case: Case) -> None:
    if len(case.inputs) != 2:
        raise MisfitError(f"{len(case.inputs)} inputs, expected 2")
    source, count = case.data(1), cast("SplitOptions", case.op.options).num_splits
    axes = case.axes(0, len(source.shape))
    if len(axes) != 1 or count != len(case.outputs) or source.shape[axes[0]] % count:
        raise MisfitError(f"{shape_text(source.shape)} into {count} parts along {axes}, {len(case.outputs)} outputs")
    _yields_parts(case, source, axes[0], [source.shape[axes[0]] // count] * count)


def _split_v(case: Case) -> None:
    """A size of -1, of which there may be one, is what the others leave."""
    if len(case.inputs) != 3:
        raise MisfitError(f"{len(case.inputs)} inputs, expected 3")
    source, count = case.data(), case.data(1).elements
    if count != len(case.outputs):
        raise MisfitError(f"{count} sizes for {len(case.outputs)} outputs")
    given, axes = case.parameter(1, most=count), case.axes(2, len(source.shape))
    whole = source.shape[axes[0]] if len(axes) == 1 else 0
    rest = whole - sum(size for size in given if size != -1)
    sizes = [rest if size == -1 else size for size in given]
    if min(sizes, default=0) <= 0 or sum(sizes) != whole:
        raise MisfitError(f"{shape_text(source.shape)} into parts of {given} along {axes}")
    _yields_parts(case, source, axes[0], sizes)


def _yields_parts(case: Case, source: Tensor, axis: int, sizes: list[int]) -> None:
    """Checks that the outputs are these pieces of the source, cut along the axis."""
    for output, size in zip(case.outputs, sizes, strict=True):
        case.same_type(source, output)
        case.yields([*source.shape[:axis], size, *source.shape[axis + 1 :]], output)


def _transpose(case: Case) -> None:
    case.arity(2, 2)
    source = case.data()
    case.same_type(source, case.output)
    order = case.parameter(1)
    if sorted(order) != list(range(len(source.shape))):
        raise MisfitError(f"{order} is not a permutation of {len(source.shape)} dimensions")
    case.yields([source.shape[axis] for axis in order])


def slices_plainly(options: StridedSliceOptions) -> bool:
    """Whether a STRIDED_SLICE has only options whose output shape `MOVEMENT_RULES` derives."""
    return not (options.ellipsis_mask or options.new_axis_mask or options.offset)


def _strided_slice(case: Case) -> None:
    case.arity(4, 4)
    source = case.data()
    case.same_type(source, case.output)
    options = cast("StridedSliceOptions", case.op.options)
    begin, end, strides = case.parameter(1), case.parameter(2), case.parameter(3)
    if not len(begin) == len(end) == len(strides):
        raise MisfitError(f"{len(begin)} begins, {len(end)} ends and {len(strides)} strides")
    if not slices_plainly(options):
        return  # TensorFlow Lite Micro ignores these options; an engine has to refuse them.
    if len(begin) != len(source.shape):
        raise MisfitError(f"{len(begin)} begins for {shape_text(source.shape)}")
    case.yields(_sliced(source.shape, begin, end, strides, options))


def _sliced(
    shape: tuple[int, ...], begin: list[int], end: list[int], strides: list[int], options: StridedSliceOptions
) -> list[int]:
    """The output shape of a slice, by Python's rules for ``[begin:end:stride]``, which are TFLite's."""
    sizes = []
    for i, size in enumerate(shape):
        if strides[i] == 0:
            raise MisfitError("a stride is 0")
        if options.shrink_axis_mask >> i & 1:
            if not options.begin_mask >> i & 1 and not -size <= begin[i] < size:
                raise MisfitError(f"index {begin[i]} of a dimension of {size}")
            continue
        start = None if options.begin_mask >> i & 1 else begin[i]
        stop = None if options.end_mask >> i & 1 else end[i]
        sizes.append(len(range(*slice(start, stop, strides[i]).indices(size))))
    return sizes


MOVEMENT_RULES: dict[str, Callable[[Case], None]] = {
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _expand_dims,
    "GATHER": _gather,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _rearrangement(2, keeps_order=False),
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _rearrangement(1, keeps_order=True),
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
