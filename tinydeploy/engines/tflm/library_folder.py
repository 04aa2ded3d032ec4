"""Where things are in a folder with TensorFlow Lite Micro's sources, whichever way it was made."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinydeploy.errors import BuildError

KernelSet = Literal["reference", "cmsis_nn"]
"""The kernels that can be chosen from sources: TFLM's own, or those that call Arm's CMSIS-NN."""

MICRO = "tensorflow/lite/micro"
_MARK = f"{MICRO}/micro_interpreter.h"
_DOWNLOADS = f"{MICRO}/tools/make/downloads"
_MANIFESTS = ("library.json", "library.properties")

# Third-party packages, each known by a header and its place in the folder that is searched for it. Theirs are the names
# in third_party/ of a tree that create_tflm_tree.py makes.
_HEADERS = {
    "flatbuffers": "flatbuffers/flatbuffers.h",
    "gemmlowp": "fixedpoint/fixedpoint.h",
    "ruy": "ruy/profiler/instrumentation.h",
    "kissfft": "kiss_fft.h",
    "cmsis_nn": "Include/arm_nnfunctions.h",
    "cmsis": "CMSIS/Core/Include/cmsis_compiler.h",
}
_BELOW = {"flatbuffers": "include"}
_REQUIRED = ("flatbuffers", "gemmlowp", "ruy")


WAYS_TO_A_FOLDER = (
    "in a clone of https://github.com/tensorflow/tflite-micro, with reference kernels or with those of CMSIS-NN:\n"
    f"python3 {MICRO}/tools/project_generation/create_tflm_tree.py FOLDER\n"
    '... --makefile_options="TARGET=cortex_m_generic TARGET_ARCH=cortex-m4 OPTIMIZED_KERNEL_DIR=cmsis_nn" FOLDER\n'
    "after the second, the clone itself is a folder with both"
)


@dataclass(frozen=True, kw_only=True)
class TflmFolder:
    """A folder that TFLM can be built from.

    ``root`` is where its ``tensorflow/`` is, ``third_party`` the folder of each package that was found by its header.
    ``kernels`` are those whose sources are all there.
    """

    folder: Path
    root: Path
    third_party: dict[str, Path]
    kernels: tuple[KernelSet, ...]


@dataclass(frozen=True, kw_only=True)
class OpaqueFolder:
    """A PlatformIO or Arduino library with TFLM in it that can only be built as its author meant it to be.

    ``reason`` says why its sources cannot be chosen from.
    """

    folder: Path
    root: Path
    manifest: str
    reason: str


def read_folder(folder: Path, origin: str) -> TflmFolder | OpaqueFolder:
    """Looks where TFLM is in a folder. ``origin`` says who named it.

    Raises:
        BuildError: There is no such folder, TFLM is not in it, or something is missing that it cannot be built without.
    """
    where = {"library": str(folder), "named by": origin}
    root = _root_of(folder, where)
    third_party = dict(_find_third_party(root, folder))
    kernels = tuple(_kernels(root, third_party))
    missing = [_HEADERS[package] for package in _required(root) if package not in third_party]
    reason = f"{_enumeration(missing)} not found" if missing else "" if kernels else "no kernels/conv.cc found"
    manifest = next((name for name in _MANIFESTS if (folder / name).is_file()), None)
    if reason and manifest:
        return OpaqueFolder(folder=folder, root=root, manifest=manifest, reason=reason)
    if reason:
        raise BuildError(
            f"the TensorFlow Lite Micro library is not complete: {reason}",
            where={**where, "looked in": "\n".join(str(place) for place in _bases(root, folder))},
            hint=WAYS_TO_A_FOLDER,
        )
    return TflmFolder(folder=folder, root=root, third_party=third_party, kernels=kernels)


def _root_of(folder: Path, where: dict[str, str]) -> Path:
    """The folder with ``tensorflow/`` in it, or an error that says what was looked for."""
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise BuildError(f"the TensorFlow Lite Micro library {what}", where=where, hint=WAYS_TO_A_FOLDER)
    roots = _roots(folder)
    if not roots:
        raise BuildError(
            "there is no TensorFlow Lite Micro in the library's folder",
            where={**where, "looked for": f"{_MARK}, here, in src/ and one folder below"},
            hint=WAYS_TO_A_FOLDER,
        )
    if len(roots) > 1:
        found = "\n".join(str(root) for root in roots)
        raise BuildError("the library's folder has several in it", where={**where, "found": found}, hint="name one")
    return roots[0]


def _roots(folder: Path) -> list[Path]:
    """The folders that have ``tensorflow/`` in them: this one, its src/, or else those right below."""
    for place in (folder, folder / "src"):
        if (place / _MARK).is_file():
            return [place]
    return [place for place in sorted(folder.iterdir()) if (place / _MARK).is_file()]


def _bases(root: Path, folder: Path) -> list[Path]:
    """Folders that may have third-party packages in them, each in a folder of its own."""
    return list(dict.fromkeys([root / "third_party", root / _DOWNLOADS, folder / "third_party", root, folder]))


def _find_third_party(root: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for package, header in _HEADERS.items():
        for base in filter(Path.is_dir, _bases(root, folder)):
            places = [base / package, *sorted(place for place in base.iterdir() if place.is_dir())]
            found = next((found for place in places if (found := _package(package, place, header))), None)
            if found:
                yield package, found
                break


def _package(package: str, place: Path, header: str) -> Path | None:
    below = (place, place / _BELOW[package]) if package in _BELOW else (place,)
    return next((folder for folder in below if (folder / header).is_file()), None)


def _required(root: Path) -> tuple[str, ...]:
    """Packages without which nothing can be built; KissFFT belongs to the ops for audio, which are optional."""
    return (*_REQUIRED, "kissfft") if (root / "signal" / "src" / "kiss_fft_wrappers").is_dir() else _REQUIRED


def _kernels(root: Path, third_party: dict[str, Path]) -> Iterator[KernelSet]:
    kernels = root / MICRO / "kernels"
    if _has_source(kernels, "conv"):
        yield "reference"
    if _has_source(kernels / "cmsis_nn", "conv") and "cmsis_nn" in third_party:
        yield "cmsis_nn"


def _has_source(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").is_file() for suffix in (".cc", ".cpp"))


def _enumeration(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
