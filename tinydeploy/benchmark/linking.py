"""A project that was built → what the linker takes into the firmware when further functions are asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinydeploy.boards import Board
from tinydeploy.build import COMPILER_PACKAGE
from tinydeploy.errors import BuildError
from tinydeploy.process import run

IN_FLASH = frozenset({".vectors", ".text", ".td_model", ".rodata", ".init_array", ".ARM.exidx", ".data"})
IN_RAM = frozenset({".data", ".bss"})
"""The output sections of templates/bare_metal/linker.ld, without the stack."""

_TIMEOUT_S = 120.0

# A map file has, below its headline, each output section at the start of a line, and each section of an object behind
# one blank, its address, size and object beside it or, where its name is long, on the next line.
_MAP = "Linker script and memory map"
_OUTPUT = re.compile(r"^(\.[\w.]+)(?=\s|$)")
_PIECE = re.compile(r"^ (\.[\w.$-]+|COMMON|\*fill\*)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?: (.*))?$")
_LONG_NAME = re.compile(r"^ (\.[\w.$-]+|COMMON)$")
_REST = re.compile(r"^ +0x[0-9a-f]+ +0x([0-9a-f]+) (.*)$")
_LOADED = re.compile(r"^LOAD (\.pio/\S+)$", re.MULTILINE)
_OF_ARCHIVE = re.compile(r"([^/]+\.a\(.+\))$")


@dataclass(frozen=True, kw_only=True, order=True)
class Piece:
    """A section of an object, as the linker puts it into the output section ``output``.

    ``origin`` is the object below the build folder (``firmware/src/td_crc.o``), or the member of an archive
    (``libgcc.a(_muldi3.o)``); empty for what fills gaps.
    """

    output: str
    name: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class BuiltProject:
    """A project in its folder, as PlatformIO left it there, and whether it has C++ in it."""

    board: Board
    folder: Path
    has_cxx: bool

    @property
    def map_file(self) -> Path:
        """The linker's account of the firmware."""
        return self.folder / ".pio" / "build" / self.board.id / "firmware.map"


def linked_pieces(project: BuiltProject, roots: Sequence[str], scratch: Path) -> Mapping[Piece, int]:
    """Bytes of all that is linked where the functions ``roots`` are kept, with all that they call.

    As firmware/platform/builder/main.py links; ``scratch`` is a folder for what is made.

    Raises:
        BuildError: It does not link.
    """
    objects = _LOADED.findall(project.map_file.read_text(encoding="utf-8"))
    map_file = scratch / "linked.map"
    command = [
        "arm-none-eabi-gcc",
        *("-mthumb", *project.board.cpu_flags, "-nostartfiles", "--specs=nano.specs", "-T", "linker.ld"),
        *("-Wl,--gc-sections", "-Wl,--strip-debug", f"-Wl,-Map={map_file}", *(f"-Wl,-u,{root}" for root in roots)),
        *("-o", str(scratch / "linked.elf"), *objects),
        *(("-lstdc++", "-lm") if project.has_cxx else ()),
        *("-lc", "-lgcc"),
    ]
    finished = run(command, package=COMPILER_PACKAGE, timeout_s=_TIMEOUT_S, cwd=project.folder)
    if finished.exit_code != 0:
        errors = finished.stderr.decode(errors="replace")[-800:]
        raise BuildError(
            f"{', '.join(roots) or 'the firmware'} does not link for {project.board.id}",
            where={"errors": errors},
            hint=f"build it anew: remove {project.folder}",
        )
    return pieces(map_file.read_text(encoding="utf-8"))


def pieces(map_text: str) -> Mapping[Piece, int]:
    """Bytes of each piece in flash or RAM, by a map file's text."""
    found: dict[Piece, int] = {}
    for piece, size in _read(map_text[map_text.index(_MAP) :].splitlines()):
        if size and piece.output in IN_FLASH | IN_RAM:
            found[piece] = found.get(piece, 0) + size
    return found


def _read(lines: Sequence[str]) -> Iterator[tuple[Piece, int]]:
    output = name = ""
    for line in lines:
        starts, whole, long_name = _OUTPUT.match(line), _PIECE.match(line), _LONG_NAME.match(line)
        rest = _REST.match(line) if name else None
        if starts:
            output = starts[1]
        if whole:
            yield Piece(output=output, name=whole[1], origin=_origin(whole[3] or "")), int(whole[2], 16)
        if rest:
            yield Piece(output=output, name=name, origin=_origin(rest[2])), int(rest[1], 16)
        name = long_name[1] if long_name else ""


def _origin(path: str) -> str:
    """An object's name that is the same for all boards."""
    member = _OF_ARCHIVE.search(path)
    return member[1] if member else re.sub(r"^\.pio/build/[^/]+/", "", path)
