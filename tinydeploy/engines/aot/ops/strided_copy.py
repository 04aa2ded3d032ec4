"""Copies between strided parts of 8-bit tensors, which most ops that only move elements are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.ops.loops import Loop, merged_loops, padded
from tinydeploy.engines.aot.program import Call, Operand
from tinydeploy.model.graph import Tensor

_DEPTH = 4
"""Loops in ``struct td_strided_copy`` around its contiguous run."""

View = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some elements of a tensor: the first stands ``offset`` elements behind the tensor's start."""

    tensor: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def whole(tensor: Tensor) -> Part:
    """All elements, in their order."""
    return part(tensor, lambda view: view)


def part(tensor: Tensor, select: Callable[[View], View]) -> Part:
    """The elements that ``select`` takes from a numpy array of the tensor's shape by slicing and transposing it.

    The array's values mean nothing; only where its elements stand is used.
    """
    array = np.empty(tensor.shape, np.int8)
    view = select(array)
    offset = view.ctypes.data - array.ctypes.data
    return Part(tensor=tensor.index, offset=offset, shape=view.shape, strides=view.strides)


def strided_copy(source: Part, target: Part) -> Call:
    """One call of ``td_strided_copy``. Both parts have one shape, and `can_copy` is true of them."""
    loops, run = _loops_and_run(source, target)
    loops = padded(loops, _DEPTH, arrays=2)
    return Call(
        kernel="strided_copy",
        parameters={
            "count": tuple(loop.count for loop in loops),
            "input_step": tuple(loop.steps[0] for loop in loops),
            "output_step": tuple(loop.steps[1] for loop in loops),
            "run": run,
        },
        inputs=(Operand(tensor=source.tensor, byte_offset=source.offset),),
        output=Operand(tensor=target.tensor, byte_offset=target.offset),
    )


def can_copy(source: Part, target: Part) -> bool:
    """Whether the parts have one shape and the kernel has enough loops."""
    return source.shape == target.shape and len(_loops_and_run(source, target)[0]) <= _DEPTH


def _loops_and_run(source: Part, target: Part) -> tuple[tuple[Loop, ...], int]:
    """The loops, and how many elements in the innermost of them are contiguous on both sides."""
    loops = merged_loops(source.shape, source.strides, target.strides)
    if loops and loops[-1].steps == (1, 1):
        return loops[:-1], loops[-1].count
    return loops, 1
