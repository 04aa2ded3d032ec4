"""Samples out of files: what kind of files these are, and what they give."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.text import printable
from tinydeploy.samples import images, sounds, tables
from tinydeploy.samples.classes import class_count
from tinydeploy.samples.collected import Collected
from tinydeploy.samples.fit import Permutation, fit_arrays
from tinydeploy.samples.folders import FileSet, files_below
from tinydeploy.samples.labels import class_numbers, read_labels
from tinydeploy.samples.numpy_files import HOW, LABELS, assigned, is_numpy, read_arrays
from tinydeploy.samples.options import SampleOptions
from tinydeploy.samples.problems import misfit, unreadable
from tinydeploy.samples.samples import Array, Samples
from tinydeploy.samples.wav import is_wav

_KINDS = "an .npy, .npz or .csv file, or a folder of images or of .wav files"
_IN_MEMORY = Path("(arrays in memory)")
_SHOWN_KINDS = 3


def load_samples(
    path: Path,
    graph: Graph,
    *,
    options: SampleOptions = SampleOptions(),  # noqa: B008 - it is frozen
    labels: Path | None = None,
    permutations: Sequence[Permutation] = (),
) -> Samples:
    """Samples from an .npy, .npz or .csv file, an image or a .wav file, or a folder of such images or sounds.

    For float inputs they are float32. For quantised inputs floats are quantised, and integers of an array that have
    the input's own type are taken as they are. What is in an array has the samples along its first dimension and the
    input's shape behind it, with or without the batch dimension of 1; or it is one sample of the input's whole shape.
    Several inputs are found by their names or else by their order. ``labels`` in an .npz are class numbers. An .npy of
    the right type is mapped, not read. Tables, images and sounds, which are for models with one input: see
    `read_table`, `read_images` and `read_sounds`.

    ``labels`` is a file of class numbers, one per sample (of sounds: one per file), and goes before labels that the
    samples themselves have. ``permutations`` has one entry per input, or none: arrays and tables of the source's layout
    are brought to the model's; where the shape of an array fits both, it is the source's.

    Raises:
        UsageError: The files cannot be read, or their content does not fit the model.
    """
    tensors = [graph.tensors[index] for index in graph.inputs]
    axes = tuple(permutations) or (None,) * len(tensors)
    collected = _collected(path, tensors, _classes(graph), axes, options)
    return _labelled(path, collected, _classes(graph), labels)


def load_arrays(
    arrays: Mapping[str, Array],
    graph: Graph,
    *,
    options: SampleOptions = SampleOptions(),  # noqa: B008 - it is frozen
    labels: Path | None = None,
    permutations: Sequence[Permutation] = (),
) -> Samples:
    """Samples of what an .npz would hold; see `load_samples`. What need not be converted is not copied.

    Raises:
        UsageError: The arrays do not fit the model.
    """
    tensors = [graph.tensors[index] for index in graph.inputs]
    axes = tuple(permutations) or (None,) * len(tensors)
    collected = _of_arrays(_IN_MEMORY, dict(arrays), tensors, axes, options.limit)
    return _labelled(_IN_MEMORY, collected, _classes(graph), labels)


def _classes(graph: Graph) -> int | None:
    return class_count(graph.tensors[graph.outputs[0]])


def _labelled(path: Path, collected: Collected, classes: int | None, labels: Path | None) -> Samples:
    """With the labels of the file ``labels``, else with those that are in ``path``, if any."""
    numbers = None
    if labels is not None:
        numbers = read_labels(labels, collected.items, classes)
    elif collected.labels is not None:
        numbers = class_numbers(path, collected.labels, collected.items, classes)
    return Samples(
        inputs=collected.inputs,
        labels=None if numbers is None else numbers[collected.item],
        notes=collected.notes,
        saturated=collected.saturated,
    )


def _collected(
    path: Path, tensors: list[Tensor], classes: int | None, permutations: Sequence[Permutation], options: SampleOptions
) -> Collected:
    if path.is_dir():
        return _of_files(path, files_below(path), tensors, classes, options)
    start, suffix = _start(path), path.suffix.lower()
    if is_numpy(start):
        return _of_arrays(path, read_arrays(path), tensors, permutations, options.limit)
    if start and (is_wav(start) or suffix in images.SUFFIXES | sounds.SUFFIXES):
        are_sounds = is_wav(start) or suffix in sounds.SUFFIXES
        return _of_set(FileSet(root=path, files=(path,)), are_sounds, tensors, classes, options)
    if start and suffix in tables.SUFFIXES:
        return tables.read_table(path, _only(path, tensors, "a table"), permutations[0], options.limit)
    if suffix in {".npy", ".npz"}:
        raise misfit(path, "it is not a numpy file" if start else "it is empty (0 bytes)", hint=HOW)
    raise misfit(path, "it is of no kind that is known" if start else "it is empty (0 bytes)", hint=f"give {_KINDS}")


def _start(path: Path) -> bytes:
    """The first bytes of the file."""
    if not path.is_file():
        raise UsageError(f"cannot read samples: {path} is not there", hint=f"give {_KINDS}")
    try:
        with path.open("rb") as stream:
            return stream.read(12)
    except OSError as error:
        raise unreadable(path, error) from error


def _of_arrays(
    path: Path, arrays: dict[str, Array], tensors: list[Tensor], permutations: Sequence[Permutation], limit: int | None
) -> Collected:
    labels = arrays.pop(LABELS, None)
    found = fit_arrays(path, assigned(path, arrays, tensors), tensors, permutations, limit)
    return replace(found, labels=labels)


def _of_files(
    root: Path, files: tuple[Path, ...], tensors: list[Tensor], classes: int | None, options: SampleOptions
) -> Collected:
    """What a folder has: images or sounds, whatever else there is."""
    pictures = tuple(path for path in files if path.suffix.lower() in images.SUFFIXES)
    noises = tuple(path for path in files if path.suffix.lower() in sounds.SUFFIXES)
    if pictures and noises:
        told = f"there are {len(pictures):,} images and {len(noises):,} .wav files in the folder"
        raise misfit(root, told, hint="give a folder with one kind of them")
    used = pictures or noises
    if not used:
        what = f"no image and no .wav file among its {len(files):,} files" if files else "no file in the folder"
        raise misfit(root, f"there is {what}", hint=f"give {_KINDS}")
    collected = _of_set(FileSet(root=root, files=used), bool(noises), tensors, classes, options)
    members = set(used)
    others = Counter(path.suffix.lower() for path in files if path not in members)
    if not others:
        return collected
    kinds = ", ".join(printable(suffix) if suffix else "no suffix" for suffix, _ in others.most_common(_SHOWN_KINDS))
    return replace(collected, notes=(*collected.notes, f"{others.total():,} other files not looked at ({kinds})"))


def _of_set(
    files: FileSet, are_sounds: bool, tensors: list[Tensor], classes: int | None, options: SampleOptions
) -> Collected:
    if are_sounds:
        return sounds.read_sounds(files, _only(files.root, tensors, "a sound"), classes, options.limit)
    return images.read_images(files, _only(files.root, tensors, "an image"), classes, options)


def _only(path: Path, tensors: list[Tensor], what: str) -> Tensor:
    """The input of a model that has one."""
    if len(tensors) == 1:
        return tensors[0]
    names = ", ".join(printable(tensor.name) for tensor in tensors)
    told = f"the model has {len(tensors)} inputs ({names}), {what} is one"
    raise misfit(path, told, hint="save all inputs in an .npz, one array per input name")
