"""Which of TensorFlow Lite Micro's files a firmware is built from, and what they are known by."""

# ruff: noqa: PTH113, PTH116, PTH118, PTH120, PTH122 - pathlib takes three times as long for 600 files of 100 includes

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from tinydeploy.engines.tflm.library_folder import MICRO, KernelSet, TflmFolder
from tinydeploy.files import tree_digest

_SOURCES = (".c", ".cc", ".cpp")
_HEADERS = (".h", ".hpp")
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)
_REGISTRATION = re.compile(rb"\b(Register_\w+)\(")
_ADD_METHOD = re.compile(rb"^\s*TfLiteStatus\s+(Add\w+)\(", re.MULTILINE)

# Folders of sources and headers, as upstream's Makefile takes them. Every other folder below tensorflow/lite/micro is
# a port, a tool or an example.
_FOLDERS = (
    MICRO,
    f"{MICRO}/arena_allocator",
    f"{MICRO}/kernels",
    f"{MICRO}/memory_planner",
    f"{MICRO}/tflite_bridge",
    "signal/micro/kernels",
    "signal/src",
    "signal/src/kiss_fft_wrappers",
)
_STRUCTURES = ("tensorflow/compiler", "tensorflow/lite/c", "tensorflow/lite/core", "tensorflow/lite/kernels")
_SKIPPED_BELOW_TENSORFLOW = {"examples", "experimental", "micro", "python", "testing", "tools"}

# Tests and what only they use.
_OF_TESTS = re.compile(
    r"(.*_(test|test_common|test_helpers|benchmark)|(test_helper|testing_|mock_|fake_).*|kernel_runner)"
)
# A container that upstream does not build either, because it allocates; data of tests; and what a port of TFLM defines:
# firmware/tflm/ is that port.
_SOURCES_LEFT_OUT = re.compile(r"array|.*_flexbuffers_generated_data|debug_log|micro_time")
_FLOAT_OF_CMSIS_NN = re.compile(r"(.*_f(16|32)|arm_nntables_flt)\.c")

# Where each third-party package is in a tree that create_tflm_tree.py makes, and where the compiler searches in it.
_PLACES = {
    "flatbuffers": "third_party/flatbuffers/include",
    "gemmlowp": "third_party/gemmlowp",
    "ruy": "third_party/ruy",
    "kissfft": "third_party/kissfft",
    "cmsis_nn": "third_party/cmsis_nn",
    "cmsis": "third_party/cmsis",
}
_SEARCHED = {"cmsis_nn": ("", "Include"), "cmsis": ("", "CMSIS/Core/Include")}


@dataclass(frozen=True, kw_only=True)
class LibraryInterface:
    """What the headers declare of which versions of TFLM differ.

    ``add_methods`` are the methods of MicroMutableOpResolver that add an op of TFLM's own (``AddConv2D``),
    ``registrations`` the functions of its kernels that can be given to them (``Register_CONV_2D_INT8``).
    """

    add_methods: frozenset[str]
    registrations: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class LibraryFiles:
    """The files of TFLM with one set of kernels, the same ones however the folder is laid out.

    ``files`` are at the places of a tree that create_tflm_tree.py makes; names of C++ sources end in ``.cc``, and lines
    in a line feed alone. ``not_compiled`` are sources that others include. ``include_dirs`` are what a compiler has to
    search. ``identity_digest`` is of all files; ``sizes_digest`` of TFLM's own, on which the size of an arena depends,
    and ``cmsis_nn_digest`` of CMSIS-NN's, on which it depends with these kernels.
    """

    files: Mapping[PurePosixPath, bytes] = field(repr=False)
    not_compiled: tuple[PurePosixPath, ...]
    include_dirs: tuple[PurePosixPath, ...]
    identity_digest: bytes
    sizes_digest: bytes
    cmsis_nn_digest: bytes | None
    interface: LibraryInterface


def read_files(folder: TflmFolder, kernels: KernelSet) -> LibraryFiles:
    """Reads what one set of kernels needs. Files that have not changed since an earlier call are not read again."""
    found = _Search(folder, kernels)
    seeds = [*_sources_and_headers(folder, kernels)]
    if kernels == "cmsis_nn":
        seeds += _cmsis_nn_sources(folder.third_party["cmsis_nn"])
    found.follow(seeds)
    files = {found.place(path): content for path, content in found.contents.items()}
    cmsis_nn = {path: content for path, content in files.items() if path.is_relative_to("third_party/cmsis_nn")}
    return LibraryFiles(
        files=files,
        not_compiled=tuple(sorted(found.place(path) for path in found.included if path.endswith(_SOURCES))),
        include_dirs=tuple(sorted(found.place(path) for path in found.searched)),
        identity_digest=tree_digest(files),
        sizes_digest=tree_digest({path: content for path, content in files.items() if _matters_to_sizes(path)}),
        cmsis_nn_digest=tree_digest(cmsis_nn) if kernels == "cmsis_nn" else None,
        interface=read_interface(folder.root),
    )


class _Search:
    """Follows ``#include`` from some files to all that they need.

    A header that is not found is one of the system's, or of a port that this build is not for.
    """

    def __init__(self, folder: TflmFolder, kernels: KernelSet) -> None:
        self.contents: dict[str, bytes] = {}
        self.included: set[str] = set()
        self.searched: set[str] = set()
        self._root = str(folder.root)
        self._places = [(str(place), _PLACES[package]) for package, place in folder.third_party.items()]
        self._places.append((self._root, ""))
        self._dirs = [self._root]
        for package, place in folder.third_party.items():
            self._dirs += [str(place / part) for part in _SEARCHED.get(package, ("",))]
        self._other_kernels = re.compile(rf"{MICRO}/kernels/(?!{kernels}/)\w+/")
        self._found: dict[str, str | None] = {}

    def follow(self, seeds: Iterable[str]) -> None:
        pending = list(seeds)
        while pending:
            path = pending.pop()
            if path in self.contents:
                continue
            status = os.stat(path)
            self.contents[path], includes = _read(path, status.st_mtime_ns, status.st_size)
            for name in includes:
                header = self._find(name, os.path.dirname(path))
                if header is not None:
                    self.included.add(header)
                    pending.append(header)

    def place(self, path: str) -> PurePosixPath:
        """Where a file or folder is in a tree that create_tflm_tree.py makes."""
        folder, place = next(
            (folder, place) for folder, place in self._places if path == folder or path.startswith(folder + os.sep)
        )
        whole = f"{place}{path[len(folder) :]}".replace(os.sep, "/").lstrip("/")
        return PurePosixPath(f"{whole[:-4]}.cc" if whole.endswith(".cpp") else whole)

    def _find(self, name: str, beside: str) -> str | None:
        if self._other_kernels.match(name):
            return None
        neighbour = os.path.join(beside, name)
        if os.path.isfile(neighbour):
            return os.path.normpath(neighbour)
        if name not in self._found:
            self._found[name] = None
            for folder in self._dirs:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    self.searched.add(folder)
                    self._found[name] = os.path.normpath(path)
                    break
        return self._found[name]


@lru_cache(maxsize=4096)
def _read(path: str, _mtime_ns: int, _size: int) -> tuple[bytes, tuple[str, ...]]:
    """A file's content, and what it includes; time and size tell the cache when the file is another."""
    content = Path(path).read_bytes().replace(b"\r\n", b"\n")
    return content, tuple(name.decode(errors="replace") for name in _INCLUDE.findall(content))


def _sources_and_headers(folder: TflmFolder, kernels: KernelSet) -> Iterator[str]:
    root = folder.root
    chosen = root / MICRO / "kernels" / kernels
    replaced = {path.stem for path in _listed(chosen, _SOURCES)}
    yield from map(str, _listed(chosen, _SOURCES + _HEADERS))
    for name in _FOLDERS:
        for path in _listed(root / name, _SOURCES + _HEADERS):
            is_replaced = path.stem in replaced and path.suffix in _SOURCES and name == f"{MICRO}/kernels"
            if not is_replaced:
                yield str(path)
    for place, folders, names in os.walk(root / "tensorflow"):
        folders[:] = [name for name in folders if name not in _SKIPPED_BELOW_TENSORFLOW]
        yield from (f"{place}{os.sep}{name}" for name in names if _is_wanted(name, _SOURCES))


def _cmsis_nn_sources(folder: Path) -> Iterator[str]:
    """All but those for floating point, which TFLM does not call."""
    for place, _, names in os.walk(folder / "Source"):
        yield from (
            f"{place}{os.sep}{name}" for name in names if name.endswith(".c") and not _FLOAT_OF_CMSIS_NN.fullmatch(name)
        )


def _listed(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _is_wanted(path.name, suffixes) and path.is_file()]


def _is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    stem, suffix = os.path.splitext(name)
    is_left_out = _OF_TESTS.fullmatch(stem) or (suffix in _SOURCES and _SOURCES_LEFT_OUT.fullmatch(stem))
    return suffix in suffixes and not is_left_out


def _matters_to_sizes(path: PurePosixPath) -> bool:
    """Whether this is a file of TFLM that every layout of one version has, and that says what is put into an arena.

    The interpreter with its allocator and planner, kernels with the data of their ops, and the structures of both. Not
    headers that only a whole clone has, for builds that are not ours.
    """
    place = str(path.parent)
    return place.startswith((f"{MICRO}/kernels/", *_STRUCTURES)) or (place in _FOLDERS and place.startswith(MICRO))


def read_interface(root: Path) -> LibraryInterface:
    """Reads it from the headers below ``root``, where ``tensorflow/`` is."""
    resolver = (root / MICRO / "micro_mutable_op_resolver.h").read_bytes()
    kernels = b"".join(path.read_bytes() for path in _listed(root / MICRO / "kernels", _HEADERS))
    return LibraryInterface(
        add_methods=frozenset(name.decode() for name in _ADD_METHOD.findall(resolver)) - {"AddBuiltin", "AddCustom"},
        registrations=frozenset(name.decode() for name in _REGISTRATION.findall(kernels)),
    )
