"""Board and generated model → FirmwareProject: every file of the PlatformIO project, as bytes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import jinja2

from tinydeploy import __version__
from tinydeploy.boards import Board
from tinydeploy.engines.interface import ModelCode
from tinydeploy.files import data_dir, tree_digest

# Names that a template cannot have in its own folder: a dot file would be left out of packages.
_RENAMED = {PurePosixPath("gitignore"): PurePosixPath(".gitignore")}

_INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class FirmwareProject:
    """A complete PlatformIO project that builds offline from anywhere: it refers to nothing outside itself.

    ``build_id`` is the first 8 bytes of the SHA-256 over all ``files``, taken with zeros in its own place. Equal inputs
    give equal bytes.
    """

    files: Mapping[PurePosixPath, bytes]
    build_id: bytes
    board: Board


def render_project(
    *, code: ModelCode, board: Board, buffers: int, model_name: str, model_sha256: str, engine: str
) -> FirmwareProject:
    """The firmware that runs ``code`` on ``board`` with ``buffers`` input buffers.

    ``model_name`` is untrusted text; it appears in comments only, reduced to harmless characters.
    """
    context = {
        "board": board,
        "buffers": buffers,
        "build_id": _c_bytes(bytes(8)),
        "chunk_bytes": _chunk_bytes(board),
        "code": code,
        "engine": engine,
        "manifest": _board_manifest(board),
        "model_name": re.sub(r"[^A-Za-z0-9._-]+", "_", model_name) or "model",
        "model_objects": [str(path.with_suffix(".o")) for path in sorted(code.files) if path.suffix == ".c"],
        "model_sha256": model_sha256,
        "version": __version__,
    }
    fixed = {**_firmware_files(board, code), **code.files}
    build_id = tree_digest({**fixed, **_render_templates(context)})[:8]
    context["build_id"] = _c_bytes(build_id)
    return FirmwareProject(files={**fixed, **_render_templates(context)}, build_id=build_id, board=board)


def _c_bytes(data: bytes) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in data)


def _chunk_bytes(board: Board) -> int:
    """Payload of one frame: large enough that its header costs little, small enough to be buffered beside the model."""
    return 512 if board.ram_bytes >= 65_536 else 128


def _board_manifest(board: Board) -> dict[str, object]:
    """PlatformIO's description of the board."""
    build: dict[str, object] = {"mcu": board.mcu, "cpu": board.core, "f_cpu": f"{board.clock_hz}L"}
    build["cpu_flags"] = ["-mthumb", *board.cpu_flags]
    if board.emulator:
        program, *args = board.emulator.command
        build["emulator"] = {"program": program, "args": args}
    return {
        "name": board.title,
        "vendor": "tinydeploy",
        "url": "https://www.qemu.org/docs/master/system/target-arm.html",
        "build": build,
        "upload": {"maximum_ram_size": board.ram_bytes, "maximum_size": board.flash_bytes},
    }


def _render_templates(context: Mapping[str, object]) -> dict[PurePosixPath, bytes]:
    board = context["board"]
    assert isinstance(board, Board)
    rendered = {}
    for path, template in _templates().items():
        name = path.with_name(f"{board.id}.json") if path.name == "board.json" else _RENAMED.get(path, path)
        text = template.render(context) if isinstance(template, jinja2.Template) else template
        rendered[name] = text.encode()
    return rendered


@cache
def _templates() -> Mapping[PurePosixPath, jinja2.Template | str]:
    """Templates by the path of what they make; files without .j2 are taken as they are."""
    folder = data_dir("templates") / "project"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - C and configuration files, not HTML
    )
    found: dict[PurePosixPath, jinja2.Template | str] = {}
    for file in _files(folder):
        path = PurePosixPath(file.relative_to(folder).as_posix())
        if path.suffix == ".j2":
            found[path.with_suffix("")] = environment.get_template(str(path))
        else:
            found[path] = file.read_text(encoding="utf-8")
    return found


def _firmware_files(board: Board, code: ModelCode) -> dict[PurePosixPath, bytes]:
    """The part of firmware/ that this board and this model need, at the same places."""
    root = data_dir("firmware")
    wanted = [*(root / "include").glob("*.h"), *(root / "src").glob("*.c"), *(root / "src").glob("*.h")]
    for source in board.port.sources:
        port = root / "ports" / source
        wanted += [port, *port.parent.glob("*.h")]
    kernels = [root / "kernels" / name for name in code.kernels]
    wanted += [*kernels, *_kernel_headers(root / "kernels", kernels, code.files.values())]
    files = {_below("firmware", root, file): file.read_bytes() for file in wanted}
    platform = root / "platform"
    return files | {_below("platforms/tinydeploy", platform, file): file.read_bytes() for file in _files(platform)}


def _kernel_headers(folder: Path, kernels: Iterable[Path], generated: Iterable[bytes]) -> set[Path]:
    """The headers below firmware/kernels that the sources include, directly or not."""
    found: set[Path] = set()
    pending = [(kernel.parent, kernel.read_bytes()) for kernel in kernels]
    pending += [(folder, source) for source in generated]
    while pending:
        place, source = pending.pop()
        for name in _INCLUDE.findall(source):
            for header in (place / name.decode(), folder / name.decode()):
                if header.is_file() and header not in found:
                    found.add(header)
                    pending.append((header.parent, header.read_bytes()))
    return found


def _files(folder: Path) -> list[Path]:
    """All files below a folder but Python's caches, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _below(place: str, root: Path, file: Path) -> PurePosixPath:
    return PurePosixPath(place) / file.relative_to(root).as_posix()
