"""Files of a folder, and the classes that its folders stand for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from tinydeploy.model.text import printable
from tinydeploy.samples.problems import bad_member, unreadable

_NAMED_CLASSES = 5


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """Files of one kind, sorted by their path's names, and the path that the user gave for them."""

    root: Path
    files: tuple[Path, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The folders directly below ``root``, sorted, where every file is in one of them; else none.

        They are all that there are, empty ones too, as keras.utils.image_dataset_from_directory numbers them.
        """
        if any(len(path.relative_to(self.root).parts) < 2 for path in self.files):
            return ()
        return tuple(sorted(path.name for path in self.root.iterdir() if path.is_dir() and _is_shown(path.name)))


def files_below(root: Path) -> tuple[Path, ...]:
    """All regular files in a folder and below, sorted; what is hidden is left out, links to folders are not followed.

    Raises:
        UsageError: A folder cannot be read.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = sorted(filter(_is_shown, folders))
        found += (path for path in (Path(folder, name) for name in filter(_is_shown, names)) if path.is_file())
    return tuple(sorted(found, key=lambda path: path.relative_to(root).parts))


def class_labels(files: FileSet, classes: int | None) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    """A label per file, the number of its folder among `FileSet.classes`, and notes about that.

    Only where there is one folder per class of the model's first output, of which there are ``classes``: otherwise,
    or where that is None and not known, nobody knows which class is meant.
    """
    names = files.classes
    if len(names) < 2:
        return None, ()
    if len(names) != classes:
        has = "is a class number, of how many is not known" if classes is None else f"has {classes} classes"
        told = f"no labels: the files are in {len(names)} folders, the first output {has}"
        return None, (told,)
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[path.relative_to(files.root).parts[0]] for path in files.files], np.int64)
    return labels, (f"labels are from the folders: {_listed(names)}",)


def _listed(names: Sequence[str]) -> str:
    shown = [f"{number} {printable(name, limit=30)}" for number, name in enumerate(names[:_NAMED_CLASSES])]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _is_shown(name: str) -> bool:
    return not name.startswith(".")


def _refuse(error: OSError) -> NoReturn:
    if isinstance(error.filename, str):
        raise unreadable(Path(error.filename), error) from error
    raise bad_member(Path(), "a folder cannot be read") from error
