"""Which TensorFlow Lite Micro a firmware is built with: found, recognised, and made ready for a project."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from tinydeploy.boards import Board
from tinydeploy.config import config_path, read_config
from tinydeploy.engines.interface import EngineSettings, Kernels, ProjectLibrary
from tinydeploy.engines.tflm.known import known_version
from tinydeploy.engines.tflm.library_files import LibraryFiles, read_files, read_interface
from tinydeploy.engines.tflm.library_folder import WAYS_TO_A_FOLDER, KernelSet, OpaqueFolder, TflmFolder, read_folder
from tinydeploy.engines.tflm.library_opaque import library_name, read_opaque
from tinydeploy.engines.tflm.library_spec import RemoteSpec, parse_spec
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.files import tree_digest

VARIABLE = "TINYDEPLOY_TFLM_LIB"

# As upstream has them. The first makes TFLM's structures those of a microcontroller, about which firmware and library
# must agree; the last lets the kernels of CMSIS-NN take some arena to save time.
_DEFINES = ("-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_DISABLE_X86_NEON", "-DKERNELS_OPTIMIZED_FOR_SPEED")

# How a library is compiled whose manifest is ours. PlatformIO puts these behind the platform's own flags, so that the
# optimisation here is the one that counts: kernels are what a model's time goes to. NDEBUG, because reference kernels
# have assertions in their innermost loops: with them kws takes 200 instead of 43 million instructions on a Cortex-M4.
# The warnings are upstream's.
_COMPILED = ("-w", "-g0", "-DNDEBUG", "-std=gnu++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
_OPTIMISATION: Mapping[KernelSet, str] = {"reference": "-O2", "cmsis_nn": "-O3"}

_COMPONENT = re.compile(r"([a-z0-9_.-]+/[a-z0-9_.-]+)==(\d+\.\d+\.\d+([-~+][0-9a-z.]+)?)", re.IGNORECASE)


class NoLibraryError(BuildError):
    """Nobody has named a library, the board's file neither: a model can be planned, but not built."""


@dataclass(frozen=True, kw_only=True)
class TflmLibrary:
    """A TensorFlow Lite Micro with its choice of kernels.

    ``name`` is for people and never a place on this machine; ``origin`` is who named it: an option, a variable, a file.
    ``kernels`` are those it is built with, ``kernel_set`` their name (``cmsis_nn``) where they can be told. ``version``
    is the release whose sizes and ops are known, None where they are not. ``add_methods`` and ``registrations`` are
    what its headers declare (`LibraryInterface`), None where they are not here. ``project`` is what a firmware project
    needs of it.
    """

    name: str
    origin: str
    kernels: Kernels
    kernel_set: str | None
    version: str | None
    add_methods: frozenset[str] | None = field(repr=False)
    registrations: frozenset[str] | None = field(repr=False)
    project: ProjectLibrary = field(repr=False)

    @property
    def is_ours(self) -> bool:
        """Whether its sources were chosen and its manifest written here."""
        return self.kernel_set is not None and bool(self.project.files)


def resolve_library(board: Board, settings: EngineSettings) -> TflmLibrary:
    """The library that the user has named, or else the one of the board's file.

    The first of these that there is: ``--tflm-lib``, TINYDEPLOY_TFLM_LIB, the user's config file, the board's file. A
    folder is relative to the current one, and in the config file to the file. Nothing is fetched. Without a choice of
    kernels, a folder's are those made for the board where it has them, else the reference ones.

    Raises:
        NoLibraryError: There is none.
        BuildError: The folder is not there, is not TFLM, or is not complete.
        UsageError: The name is not one of a library, or it does not have the kernels.
    """
    spec, origin = _named_by_user(settings)
    if spec is None:
        return _of_board(board, settings)
    if isinstance(spec, RemoteSpec):
        return _remote(spec, origin, board, settings)
    folder = read_folder(spec, origin)
    if isinstance(folder, OpaqueFolder):
        return _opaque(folder, origin, board, settings)
    return _folder(folder, origin, board, settings)


def describe_named_library() -> str | None:
    """The library that the user has named for all models, and where, in words; None where there is none.

    Raises:
        BuildError, UsageError: As `resolve_library` does.
    """
    spec, origin = _named_by_user(EngineSettings())
    if spec is None:
        return None
    if isinstance(spec, RemoteSpec):
        return f"{spec.text}, by {origin}"
    folder = read_folder(spec, origin)
    if isinstance(folder, OpaqueFolder):
        return f"{library_name(folder)} in {spec}, by {origin}"
    versions = {known_version(read_files(folder, kernel_set)) or "of unknown version" for kernel_set in folder.kernels}
    kernels = " and ".join(folder.kernels)
    return f"tflite-micro {' and '.join(sorted(versions))} in {spec}, with {kernels} kernels, by {origin}"


def _named_by_user(settings: EngineSettings) -> tuple[Path | RemoteSpec | None, str]:
    """The library and who named it. Empty text names nothing."""
    option, variable = settings.tflm_library, os.environ.get(VARIABLE)
    for text, origin in ((option, "--tflm-lib"), (variable, VARIABLE)):
        if text:
            return parse_spec(text, origin=origin, relative_to=Path.cwd()), origin
    config = read_config()
    if config.tflm_library:
        origin = str(config.path)
        return parse_spec(config.tflm_library, origin=origin, relative_to=config.path.absolute().parent), origin
    return None, ""


def _of_board(board: Board, settings: EngineSettings) -> TflmLibrary:
    tflm, origin = board.tflm, f"the file of the board {board.id}"
    if tflm.library:
        spec = parse_spec(tflm.library, origin=origin, relative_to=Path.cwd())
        if isinstance(spec, RemoteSpec):
            return _remote(spec, origin, board, settings)
        raise _not_for_a_board_file(tflm.library, origin, "is a folder")
    if tflm.component:
        component = _COMPONENT.fullmatch(tflm.component)
        if component is None:
            raise _not_for_a_board_file(tflm.component, origin, "is no component with its exact version")
        return _fetched(tflm.component, origin, board, settings, components={component[1]: component[2]})
    if tflm.bundled:
        return _fetched(tflm.bundled, origin, board, settings)
    raise _no_library(board)


def _remote(spec: RemoteSpec, origin: str, board: Board, settings: EngineSettings) -> TflmLibrary:
    library = _fetched(spec.text, origin, board, settings, lib_deps=(spec.text,))
    return library if spec.text == board.tflm.library else replace(library, kernel_set=None, version=None)


def _fetched(
    name: str,
    origin: str,
    board: Board,
    settings: EngineSettings,
    *,
    lib_deps: tuple[str, ...] = (),
    components: Mapping[str, str] | None = None,
) -> TflmLibrary:
    """A library that is not here yet: what is known of it is what the board's file says."""
    _require_default_kernels(board, settings, name)
    return TflmLibrary(
        name=name,
        origin=origin,
        kernels=default_kernels(board),
        kernel_set=board.tflm.kernels,
        version=board.tflm.version,
        add_methods=None,
        registrations=None,
        project=ProjectLibrary(
            identity=_word("own", sha256(name.encode()).digest()),
            lib_deps=lib_deps,
            components=components or {},
            build_flags=_DEFINES,
        ),
    )


def _opaque(folder: OpaqueFolder, origin: str, board: Board, settings: EngineSettings) -> TflmLibrary:
    name = library_name(folder)
    _require_default_kernels(board, settings, name, why=folder.reason)
    files, interface = read_opaque(folder), read_interface(folder.root)
    return TflmLibrary(
        name=f"{name}, unknown version",
        origin=origin,
        kernels=default_kernels(board),
        kernel_set=None,
        version=None,
        add_methods=interface.add_methods,
        registrations=interface.registrations,
        project=ProjectLibrary(
            identity=_word("own", tree_digest(files)),
            files={PurePosixPath("tflm") / path: content for path, content in files.items()},
            lib_deps=(name,),
            build_flags=_DEFINES,
        ),
    )


def _folder(folder: TflmFolder, origin: str, board: Board, settings: EngineSettings) -> TflmLibrary:
    best: Kernels = "optimized" if board.tflm.kernels in folder.kernels else "reference"
    kernels = settings.kernels or best
    kernel_set = _kernel_set(folder, kernels, origin, board)
    files = read_files(folder, kernel_set)
    version = known_version(files)
    project = _our_project(files, kernel_set)
    known = version or f"of unknown version {project.identity.rpartition('-')[2]}"
    return TflmLibrary(
        name=f"tflite-micro {known} ({kernel_set} kernels)",
        origin=origin,
        kernels=kernels,
        kernel_set=kernel_set,
        version=version,
        add_methods=files.interface.add_methods,
        registrations=files.interface.registrations,
        project=project,
    )


def _our_project(files: LibraryFiles, kernel_set: KernelSet) -> ProjectLibrary:
    """The copied sources and a manifest for them."""
    defines = (*_DEFINES, "-DCMSIS_NN") if kernel_set == "cmsis_nn" else _DEFINES
    manifest = {
        "name": "tflm",
        "version": "0.0.0",
        "description": f"TensorFlow Lite Micro with {kernel_set} kernels, copied by tinydeploy",
        "build": {
            "flags": [*_COMPILED, _OPTIMISATION[kernel_set], *defines, *(f"-I{path}" for path in files.include_dirs)],
            "srcFilter": ["+<*>", *(f"-<{path}>" for path in files.not_compiled)],
            "libLDFMode": "off",
            "libCompatMode": "off",
        },
    }
    tree = {**files.files, PurePosixPath("library.json"): json.dumps(manifest, indent=2).encode() + b"\n"}
    return ProjectLibrary(
        identity=_word(kernel_set, tree_digest(tree)),
        files={PurePosixPath("tflm") / path: content for path, content in tree.items()},
        lib_deps=("tflm",),
        # As the system's headers, whose warnings are not shown.
        build_flags=(*defines, *(f"-isystem {PurePosixPath('lib/tflm') / path}" for path in files.include_dirs)),
    )


def _kernel_set(folder: TflmFolder, kernels: Kernels, origin: str, board: Board) -> KernelSet:
    """The name of the kernels, or an error that says which ones there are."""
    wanted = "reference" if kernels == "reference" else board.tflm.kernels
    for kernel_set in folder.kernels:
        if kernel_set == wanted:
            return kernel_set
    if wanted is None:
        raise _no_optimised(board)
    others: dict[str, Kernels] = {"reference": "reference"}
    others |= {board.tflm.kernels: "optimized"} if board.tflm.kernels else {}
    usable = [f"--kernels {others[kernel_set]}" for kernel_set in folder.kernels if kernel_set in others]
    raise UsageError(
        f"the TensorFlow Lite Micro library has no {wanted} kernels",
        where={"library": str(folder.folder), "named by": origin, "it has": f"{' and '.join(folder.kernels)} kernels"},
        hint=f"{usable[0]}, or another library" if usable else "another library with --tflm-lib",
    )


def default_kernels(board: Board) -> Kernels:
    """The board's optimised kernels, where its file names any."""
    return "optimized" if board.tflm.kernels else "reference"


def _require_default_kernels(board: Board, settings: EngineSettings, name: str, why: str = "") -> None:
    """Kernels can be chosen only where the sources are here to choose from."""
    if settings.kernels in (None, default_kernels(board)):
        return
    if settings.kernels == "optimized":
        raise _no_optimised(board)
    raise UsageError(
        f"the kernels of {name} cannot be chosen",
        where={"board": f"{board.id}: {board.tflm.kernels} kernels"} | ({"reason": why} if why else {}),
        hint="leave out --kernels, or name a folder with TFLM's sources: --tflm-lib FOLDER\n" + WAYS_TO_A_FOLDER,
    )


def _not_for_a_board_file(library: str, origin: str, what: str) -> UsageError:
    return UsageError(
        f"the TensorFlow Lite Micro library of a board {what}",
        where={"library": library, "named by": origin},
        hint="owner/name@1.2.3 as library, or owner/name==1.2.3 as component; a folder is for --tflm-lib",
    )


def _no_optimised(board: Board) -> UsageError:
    return UsageError(
        f"there are no optimized kernels for {board.id}",
        where={"board": f"{board.core}; its file names none"},
        hint="--kernels reference",
    )


def _no_library(board: Board) -> NoLibraryError:
    return NoLibraryError(
        f"there is no TensorFlow Lite Micro library for {board.id}",
        where={
            "board": "its file names none",
            "looked for": f"--tflm-lib, {VARIABLE}, {config_path()}",
        },
        hint=NAMING_A_LIBRARY,
    )


NAMING_A_LIBRARY = (
    f'--tflm-lib SPEC, {VARIABLE}=SPEC, or in the file above: [tflm] library = "SPEC"\n'
    "SPEC is a folder, owner/name@1.2.3 of PlatformIO's registry, or a git or archive URL\n"
    f"{WAYS_TO_A_FOLDER}\n"
    "or --engine aot, which needs none"
)


def _word(kernels: str, digest: bytes) -> str:
    return f"{kernels}-{digest.hex()[:10]}"
