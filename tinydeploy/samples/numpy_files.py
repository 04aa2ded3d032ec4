"""Arrays out of .npy and .npz files, which anyone may have written."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Tensor
from tinydeploy.model.text import printable
from tinydeploy.samples.choice import MAX_BYTES
from tinydeploy.samples.problems import misfit
from tinydeploy.samples.samples import Array

LABELS = "labels"
"""The array of an .npz that has the classes."""

HOW = "save them with numpy.save, or numpy.savez for several inputs or labels"


def is_numpy(start: bytes) -> bool:
    """Whether a file that starts like this is an .npy or an .npz."""
    return start.startswith((b"\x93NUMPY", b"PK"))


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file that `is_numpy`, by name; of an .npy, which is mapped and not read, by the name ``""``.

    Raises:
        UsageError: It is damaged, holds something else than numbers, or does not fit into memory.
    """
    try:
        with path.open("rb") as stream:
            is_array = stream.read(6) == b"\x93NUMPY"
        return {"": np.load(path, mmap_mode="r", allow_pickle=False)} if is_array else _unpacked(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise misfit(path, f"it cannot be read: {reason}", hint="check the file's permissions") from error
    except UsageError:
        raise
    except Exception as error:  # There is no list of what numpy and zipfile raise on damaged files.
        if any(sign in str(error) for sign in ("Object arrays", "Python objects", "pickle")):
            raise misfit(path, "it holds Python objects, not numbers", hint=HOW) from error
        raise misfit(path, "it is damaged or truncated", hint=f"write it again: {HOW}") from error


def assigned(path: Path, arrays: Mapping[str, Array], tensors: Sequence[Tensor]) -> list[Array]:
    """One array per input, by name, else by order where not one name is an input's.

    Raises:
        UsageError: Only some of the inputs are there by name, or neither names nor number are those of the inputs.
    """
    names = [tensor.name for tensor in tensors]
    if all(name in arrays for name in names):
        return [arrays[name] for name in names]
    if len(arrays) == len(tensors) and not any(name in arrays for name in names):
        return list(arrays.values())
    has = ", ".join(printable(name) for name in arrays) or "no inputs"
    wants = ", ".join(printable(name) for name in names)
    raise misfit(path, f"it has {has}; the model's inputs are {wants}", hint="name the arrays like the inputs")


def _unpacked(path: Path) -> dict[str, Array]:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_BYTES:
        raise misfit(path, f"its arrays take {unpacked:,} bytes unpacked, at most {MAX_BYTES:,}", hint="use an .npy")
    loaded = np.load(path, allow_pickle=False)
    with loaded:
        # An entry that is not an array comes out as bytes.
        return {name: np.asarray(loaded[name]) for name in loaded.files}
