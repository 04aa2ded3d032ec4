"""The classes of samples."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.text import printable, shape_text
from tinydeploy.samples.numpy_files import LABELS, is_numpy, read_arrays
from tinydeploy.samples.problems import misfit, unreadable
from tinydeploy.samples.samples import Array

_MAX_TEXT_BYTES = 64 << 20
_HOW = "an .npy of integers, or a text file with one class number a line"


def read_labels(path: Path, count: int, classes: int | None) -> npt.NDArray[np.int64]:
    """``count`` class numbers below ``classes``: of an .npy, or of a text with one a line and, perhaps, a header line.

    ``classes`` is None where it is not known how many there are.

    Raises:
        UsageError: The file cannot be read, or has something else.
    """
    if not path.is_file():
        kind = "a folder, not a file" if path.is_dir() else "not there"
        raise UsageError(f"cannot read labels: {path} is {kind}", hint=f"give {_HOW}")
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
        labels = _of_arrays(path) if is_numpy(start) else _of_text(path)
    except OSError as error:
        raise unreadable(path, error) from error
    return class_numbers(path, labels, count, classes)


def class_numbers(path: Path, labels: Array, count: int, classes: int | None) -> npt.NDArray[np.int64]:
    """``labels``, which are of ``path``, where they are ``count`` integers from 0 to ``classes`` - 1, if that is known.

    Raises:
        UsageError: They are not.
    """
    if labels.dtype.kind not in "iu" or labels.size != count or max(labels.shape, default=0) != count:
        got = f"{shape_text(labels.shape)} of {labels.dtype}"
        raise misfit(path, f"labels are {got}, expected {count} integers", hint="one class number per sample")
    flat: npt.NDArray[np.integer] = labels.reshape(count).astype(labels.dtype, copy=False)
    # Compared before they are converted: an unsigned number may be one that int64 does not hold.
    limit = 1 << 63 if classes is None else classes
    outside = [number for number in np.unique(flat).tolist() if not 0 <= number < limit]
    if outside:
        of = "a class number" if classes is None else f"one of the {classes} classes of the first output"
        raise misfit(path, f"label {outside[0]} is not {of}")
    return flat.astype(np.int64)


def _of_arrays(path: Path) -> Array:
    arrays = read_arrays(path)
    if LABELS not in arrays and len(arrays) != 1:
        raise misfit(path, f"it has {len(arrays)} arrays, none of them named {LABELS}", hint=f"give {_HOW}")
    return arrays[LABELS] if LABELS in arrays else next(iter(arrays.values()))


def _of_text(path: Path) -> Array:
    size = path.stat().st_size
    if size > _MAX_TEXT_BYTES:
        raise misfit(path, f"it has {size:,} bytes, at most {_MAX_TEXT_BYTES:,} can be labels", hint=f"give {_HOW}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise misfit(path, "it is neither a numpy file nor text", hint=f"give {_HOW}") from error
    numbers: list[int] = []
    is_first = True
    for number, line in enumerate(lines, start=1):
        cell = line.strip().strip('"')
        if not cell:
            continue
        try:
            numbers.append(_integer(cell))
        except ValueError as error:
            if not is_first or any(char.isdigit() for char in cell):
                told = f"line {number} is not a class number: {printable(cell, limit=30)}"
                raise misfit(path, told, hint="one class number a line") from error
        is_first = False
    return np.array(numbers, np.int64)


def _integer(cell: str) -> int:
    number = int(cell)
    if abs(number) >= 1 << 63:
        raise ValueError(cell)
    return number
