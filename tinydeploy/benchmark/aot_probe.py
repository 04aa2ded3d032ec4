"""A firmware with all kernels that a core runs, and what each of them links."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tinydeploy.benchmark.code_parts import Links
from tinydeploy.benchmark.linking import BuiltProject, Piece, linked_pieces
from tinydeploy.boards import Board
from tinydeploy.build import build_project
from tinydeploy.engines.aot.kernel_sets import KernelSet, kernel_files, kernel_header, kernel_set, kernel_source
from tinydeploy.engines.interface import ModelCode
from tinydeploy.files import cache_dir, data_dir
from tinydeploy.project import FirmwareProject, render_project

INSTANCES = (
    "td_depthwise_planes_1",
    "td_depthwise_planes_2",
    "td_gemm_4x2",
    "td_gemm_4x2_wide",
    "td_winograd_tile",
)
"""The functions that are instantiated for output shifts, as the generated sources name them before the shift."""

_SHIFTS = ("DEPTHWISE", "GEMM", "GEMM_WIDE", "WINOGRAD")
"""What td_shifts.h calls them: each has one shift here, and the general form."""

_PARAMETERS = "td_sizeof_"

_MODEL = """#include "td_config.h"
#include "td_model.h"

{headers}

{parameters}

static int8_t arena[16] __attribute__((aligned(TD_ALIGN)));
static const uint8_t sha256[TD_SHA256_BYTES] = {{1}};
static const struct td_arena size = {{.used = sizeof arena, .reserved = sizeof arena}};
static const struct td_tensor tensor[] = {{{{.name = "a", .dtype = TD_INT8, .rank = 1, .shape = {{1}}, .bytes = 1}}}};

static int init(void)
{{
    return 0;
}}

static int invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer)
{{
    (void)after_layer;
    arena[0] = (int8_t)*inputs;
    *outputs = (uint8_t)arena[0];
    return 0;
}}

const struct td_model td_model = {{
    .engine = TD_ENGINE_AOT,
    .sha256 = sha256,
    .arena = &size,
    .layers = TD_LAYERS,
    .inputs = 1,
    .outputs = 1,
    .input = tensor,
    .output = tensor,
    .init = init,
    .invoke = invoke,
}};
"""


def kernel_names(kernels: KernelSet) -> tuple[str, ...]:
    """The kernels that a set has, or takes from the next: by the files below firmware/kernels."""
    paths = (data_dir("firmware") / "kernels").glob("*/*.c")
    return tuple(sorted({path.stem for path in paths if _is_of(kernels, path)}))


def _is_of(kernels: KernelSet, path: Path) -> bool:
    """Whether a set runs a file; those that end in _in_c stand for assembler where there is none."""
    if path.stem.endswith("_in_c"):
        return False
    try:
        kernel_source(kernels, path.stem)
    except StopIteration:
        return False
    return True


def aot_links(board: Board, scratch: Path) -> Links:
    """What each kernel file links on a board, by its name below firmware/kernels."""
    links: dict[str, Mapping[Piece, int]] = {}
    for kernels in dict.fromkeys(("reference", kernel_set(board.core))):
        built = _built(board, kernels)
        links[""] = linked_pieces(built, (), scratch)
        for name in kernel_names(kernels):
            roots = (f"td_{name}", f"{_PARAMETERS}{name}")
            links[kernel_source(kernels, name)] = linked_pieces(built, roots, scratch)
    return links


def parameter_bytes(links: Links) -> dict[str, int]:
    """The size of each kernel's parameter struct, by the kernel's name."""
    prefix = f".rodata.{_PARAMETERS}"
    found = {
        piece.name.removeprefix(prefix): size
        for linked in links.values()
        for piece, size in linked.items()
        if piece.name.startswith(prefix)
    }
    return dict(sorted(found.items()))


def instance_bytes(board: Board, scratch: Path) -> dict[str, int]:
    """What each function takes for one output shift (``td_gemm_4x2_shift``), and in the general form; none on most."""
    if kernel_set(board.core) != "dsp":
        return {}
    roots = tuple(f"{name}{ending}" for name in INSTANCES for ending in ("_shift_8", "_general"))
    linked = linked_pieces(_built(board, "dsp"), roots, scratch)
    sizes = {piece.name.removeprefix(".text."): size for piece, size in linked.items()}
    return {root.removesuffix("_8"): sizes[root] for root in roots}


def is_parameter(piece: Piece) -> bool:
    """Whether this is a parameter struct."""
    return _PARAMETERS in piece.name


def _built(board: Board, kernels: KernelSet) -> BuiltProject:
    project = probe_project(board, kernels)
    folder = cache_dir("projects") / project.folder_name
    build_project(project, folder)
    return BuiltProject(board=board, folder=folder, has_cxx=False)


def probe_project(board: Board, kernels: KernelSet) -> FirmwareProject:
    """A firmware whose model calls nothing, with all kernels of a set beside it."""
    names = kernel_names(kernels)
    text = _MODEL.format(
        headers="\n".join(sorted({f'#include "{kernel_header(kernels, name)}"' for name in names})),
        parameters="\n".join(_parameters(names)),
    )
    files = {PurePosixPath("src/model.c"): text.encode()}
    if kernels == "dsp":
        files[PurePosixPath("include/td_shifts.h")] = "".join(_shifts()).encode()
    code = ModelCode(
        files=files,
        kernels=kernel_files(kernels, names),
        input_bytes=16,
        output_bytes=16,
        arena_bytes=16,
        layers=1,
    )
    return render_project(
        code=code, board=board, buffers=2, model_name="probe", model_sha256=f"probe-{kernels}", engine="aot"
    )


def _parameters(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield f"extern const uint8_t {_PARAMETERS}{name}[];"
        yield f"const uint8_t {_PARAMETERS}{name}[sizeof(struct td_{name})] = {{1}};"


def _shifts() -> Iterator[str]:
    for name in _SHIFTS:
        yield f"#define TD_{name}_SHIFTS(X) X(8)\n#define TD_{name}_GENERAL\n"
