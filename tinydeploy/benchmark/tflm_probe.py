"""A firmware with all of TensorFlow Lite Micro's kernels, and what each op kind links."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tinydeploy.benchmark.code_parts import Links
from tinydeploy.benchmark.linking import BuiltProject, Piece, linked_pieces
from tinydeploy.boards import Board
from tinydeploy.build import build_project
from tinydeploy.engines.tflm.emit import model_code
from tinydeploy.engines.tflm.library import TflmLibrary
from tinydeploy.engines.tflm.library_kernels import with_kernels_of
from tinydeploy.engines.tflm.op_table import KERNELS
from tinydeploy.engines.tflm.resolver import INT8_REGISTRATIONS, ResolvedOp
from tinydeploy.files import cache_dir
from tinydeploy.model.graph import Graph
from tinydeploy.project import FirmwareProject, render_project

PROBE_ARENA_BYTES = 4096

_NO_OP = "GetRegistrationLength() == 0 ? kTfLiteOk : kTfLiteError"
"""Stands in the resolver of the model for the calls that add ops, and adds none."""

_HEAD = """
/* A function for each op kind that adds it: each can be linked, or left out. */
using AllOps = tflite::MicroMutableOpResolver<{count}>;
"""
_ROOT = """
extern "C" int {root}(AllOps *ops);
extern "C" int {root}(AllOps *ops)
{{
    return ops->{call};
}}
"""


def tflm_links(
    graph: Graph, board: Board, library: TflmLibrary, scratch: Path, kinds: Collection[str] = KERNELS
) -> Links:
    """What each op kind links on a board, by the name that code_size.py has for it; ``graph`` can be any."""
    ops = {name: op for name, op in all_ops(library).items() if op.kind in kinds}
    project = probe_project(graph, board, library, ops)
    folder = cache_dir("projects") / project.folder_name
    build_project(project, folder)
    built = BuiltProject(board=board, folder=folder, has_cxx=True)
    links: dict[str, Mapping[Piece, int]] = {"": linked_pieces(built, (), scratch)}
    for name in ops:
        links[name] = linked_pieces(built, (_root(name),), scratch)
    return links


def all_ops(library: TflmLibrary) -> dict[str, ResolvedOp]:
    """The ops as `resolve_ops` may resolve them: each kind, and behind it ``KIND int8`` where a library has that."""
    int8_only = (library.registrations or frozenset()) if library.kernel_set == "cmsis_nn" else frozenset()
    return dict(_ops(int8_only))


def _ops(int8_only: frozenset[str]) -> Iterator[tuple[str, ResolvedOp]]:
    for kind, kernel in KERNELS.items():
        yield kind, ResolvedOp(kind=kind, call=f"{kernel.add}()")
        if kernel.int8 is not None and kernel.int8.function in int8_only:
            function = kernel.int8.function
            call = f"{kernel.add}(tflite::{function}())"
            yield f"{kind} int8", ResolvedOp(kind=kind, call=call, header=INT8_REGISTRATIONS[function])


def probe_project(graph: Graph, board: Board, library: TflmLibrary, ops: Mapping[str, ResolvedOp]) -> FirmwareProject:
    """A firmware with a model and none of its ops, and a function beside it for each of ``ops``."""
    project = with_kernels_of(library.project, [op.call for op in ops.values()])
    nothing = ResolvedOp(kind="", call=_NO_OP)
    code = model_code(graph, ops=[nothing], arena_bytes=PROBE_ARENA_BYTES, probe=False, library=project)
    # In a file that there is anyway: PlatformIO drops all objects where the list of files is another.
    place = PurePosixPath("src/model.cc")
    headers = "".join(f'#include "{header}"\n' for header in sorted({op.header for op in ops.values()} - {""}))
    roots = "".join(_ROOT.format(root=_root(name), call=op.call) for name, op in ops.items())
    text = headers.encode() + code.files[place] + (_HEAD.format(count=len(ops)) + roots).encode()
    return render_project(
        code=replace(code, files={**code.files, place: text}),
        board=board,
        buffers=2,
        model_name="probe",
        model_sha256=graph.sha256,
        engine="tflm",
    )


def _root(name: str) -> str:
    return f"td_root_{name.replace(' ', '_')}"
