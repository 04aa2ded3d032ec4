"""Samples of a table: one a line."""

import csv
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import DType, Tensor
from tinydeploy.model.text import printable, shape_text
from tinydeploy.samples.collected import Collected
from tinydeploy.samples.fit import Permutation, fit_arrays, source_shape
from tinydeploy.samples.problems import input_name, misfit, unreadable
from tinydeploy.samples.samples import Array

if TYPE_CHECKING:
    from _csv import Reader

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

_LABEL = "label"
# Its values take at most four times as much while they are read.
_MAX_BYTES = 256 << 20
_HINT = "one sample a line; a column of classes is named `label` in a header line"


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """``values`` of all rows one behind the other; ``lines`` has the line of each row in the file."""

    values: "array[float]" = field(default_factory=lambda: array("d"))
    labels: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_table(path: Path, tensor: Tensor, permutation: Permutation, limit: int | None) -> Collected:
    """Rows of as many numbers as the input has, in the order of the source's layout, between ``;``, tabs or commas.

    A first line is a header where it has a column ``label``, which then has the classes, where it has no number at
    all, or where it counts its columns as pandas does. Numbers are real ones and are quantised for a quantised input;
    for integers without a scale they are taken as they are.

    Raises:
        UsageError: It is not such a table.
    """
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise misfit(path, f"it has {size:,} bytes, at most {_MAX_BYTES:,}", hint="save the samples as .npy")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next((line for line in stream if line.strip()), "")
            stream.seek(0)
            reader = csv.reader(stream, delimiter=next((mark for mark in ";\t" if mark in first), ","), strict=True)
            rows, notes = _rows(path, reader, tensor)
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise misfit(path, "it is not text in UTF-8", hint="save the table as CSV, UTF-8") from error
    except csv.Error as error:
        raise misfit(path, f"it is not a table: {printable(str(error))}", hint=_HINT) from error
    if not rows.lines:
        raise misfit(path, "there are no samples in it", hint=_HINT)
    shape = (len(rows.lines), *source_shape(tensor.shape, permutation))
    values = _in_type(path, np.frombuffer(rows.values, np.float64).reshape(len(rows.lines), -1), tensor, rows)
    found = fit_arrays(path, [values.reshape(shape)], [tensor], [permutation], limit)
    labels = np.array(rows.labels, np.int64) if rows.labels else None
    return replace(found, notes=(*notes, *found.notes), labels=labels)


def _rows(path: Path, reader: "Reader", tensor: Tensor) -> tuple[_Rows, list[str]]:
    rows, notes = _Rows(), []
    label: int | None = None
    is_first = True
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if is_first and _is_header(row):
            names = [cell.strip().lower() for cell in row]
            label = names.index(_LABEL) if _LABEL in names else None
            if row[0].strip() == "0":
                notes.append(f"line {reader.line_num} counts the columns and was taken as a header")
        else:
            _add(path, rows, row, reader.line_num, tensor, label)
        is_first = False
    return rows, notes


def _is_header(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row]
    counts = len(cells) > 3 and cells == [str(place) for place in range(len(cells))]
    return counts or _LABEL in map(str.lower, cells) or not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _add(path: Path, rows: _Rows, row: list[str], line: int, tensor: Tensor, label: int | None) -> None:
    expected = tensor.elements + (label is not None)
    if len(row) != expected:
        wanted = f"{tensor.elements:,} ({input_name(tensor)} of {shape_text(tensor.shape)})"
        told = f"line {line} has {len(row):,} values, expected {wanted}{' and a label' if label is not None else ''}"
        raise misfit(path, told, hint=_HINT)
    if label is not None:
        rows.labels.append(_label(path, row[label], line, label))
    try:
        rows.values.extend(float(cell) for column, cell in enumerate(row) if column != label)
    except ValueError as error:
        column, cell = next((column, cell) for column, cell in enumerate(row, start=1) if not _is_number(cell))
        what = f"is not a number: {cell}" if cell.strip() else "is empty"
        raise _bad_cell(path, line, column, what) from error
    rows.lines.append(line)


def _label(path: Path, cell: str, line: int, column: int) -> int:
    number = float(cell) if _is_number(cell) else math.nan
    if not (number.is_integer() and abs(number) < 1 << 53):
        raise _bad_cell(path, line, column + 1, f"is not a class number: {cell}")
    return int(number)


def _in_type(
    path: Path, values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", tensor: Tensor, rows: _Rows
) -> Array:
    """The values as the input's own integers where these have no scale, else as floats; all of them are numbers."""
    is_real = tensor.dtype is DType.FLOAT32 or tensor.quantization is not None
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = ~np.isfinite(values.astype(np.float32) if tensor.dtype is DType.FLOAT32 else values)
        what = "is not a number that the input holds"
        if not is_real:
            lowest, highest = tensor.dtype.integer_range
            wrong |= (values != np.floor(values)) | (values < lowest) | (values > highest)
            what = f"is not a whole number from {lowest:,} to {highest:,}"
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        told = f"value {column + 1} of line {rows.lines[row]} {what}: {values[row, column]:g}"
        raise misfit(path, told, hint="correct it, or leave the line out")
    return values if is_real else values.astype(tensor.dtype.numpy)


def _bad_cell(path: Path, line: int, column: int, what: str) -> UsageError:
    return misfit(path, f"line {line}, column {column} {printable(what, limit=60)}", hint=_HINT)
