"""FirmwareProject → Image: PlatformIO, and what its result takes of the board's memory."""

import os
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tinydeploy.boards import Board
from tinydeploy.errors import BuildError, FitError
from tinydeploy.files import cache_dir, locked, mark_used, remove_file, remove_tree, write_file, write_tree
from tinydeploy.process import Finished, ending, find_tool, run
from tinydeploy.project import FirmwareProject

COMPILER_PACKAGE = "gcc-arm-none-eabi"
NEWLIB_PACKAGE = "libnewlib-arm-none-eabi"

_KEPT_IMAGES = 8
_TIMEOUT_S = 600.0
_ERROR_LINE = re.compile(r"error:|undefined reference|cannot find|^Error", re.IGNORECASE)
_SUMMARY = re.compile(r"^=+ \[", re.MULTILINE)
_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
_NO_NEWLIB = re.compile(r"nano\.specs|cannot find -l(c|gcc)\b|(string|stdint|inttypes|stdlib|math)\.h: No such file")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A firmware that was built, and what it takes.

    ``flash_bytes``: everything that is stored, initial values of variables included. ``ram_bytes``: variables and the
    whole reserve for the stack. ``model_bytes``: the section ``.td_model``, where the linker script collects all that
    is constant in the engine's own object files: weights, biases, and the parameters that the engine made of the
    model. ``code_bytes``: the rest of the flash.
    """

    elf: Path
    flash_bytes: int
    ram_bytes: int
    model_bytes: int

    @property
    def code_bytes(self) -> int:
        """Flash without the model's constants."""
        return self.flash_bytes - self.model_bytes


def build_project(project: FirmwareProject, folder: Path, on_line: Callable[[str], None] | None = None) -> Image:
    """Writes the project to ``folder`` and builds it there with PlatformIO, unless it was built there lately.

    Files in ``folder`` that an earlier call wrote and this project does not have are removed; others are left alone.
    Two calls for one folder at the same time wait for each other. What an interrupted build left is never used. The
    image is at a place of its own, and stays there until the folder has seen `_KEPT_IMAGES` other projects.

    Raises:
        BuildError: A tool is missing, or the firmware does not compile; has the compiler's first errors.
        FitError: The linker says that the board's memory does not suffice.
        UsageError: The folder cannot be written to.
    """
    folder = folder.resolve()
    kept = folder / ".pio" / "images" / f"{project.build_id.hex()}.elf"
    unfinished = folder / ".pio" / "unfinished"
    with locked(str(folder)):
        image = _kept_image(kept)
        if image is not None:
            mark_used(kept)
            return image
        find_tool("arm-none-eabi-gcc", package=COMPILER_PACKAGE)
        if unfinished.exists():  # SCons would take objects of a build that was killed for its own
            remove_tree(folder / ".pio" / "build")
        write_file(unfinished, b"")
        write_tree(folder, project.files)
        _run_platformio(project.board, folder, on_line)
        elf = folder / ".pio" / "build" / project.board.id / "firmware.elf"
        image = replace(read_image(elf), elf=kept)
        write_file(kept, elf.read_bytes())
        _remove_old_images(kept.parent)
        remove_file(unfinished)
        return image


def _kept_image(elf: Path) -> Image | None:
    """What was built before, where it is there and whole: a machine that loses its power may leave half a file."""
    try:
        return read_image(elf)
    except BuildError:
        return None


def _remove_old_images(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.elf"), key=lambda elf: elf.stat().st_mtime_ns, reverse=True)
    for elf in newest_first[_KEPT_IMAGES:]:
        remove_file(elf)


def read_image(elf: Path) -> Image:
    """What the sections of a firmware take.

    Raises:
        BuildError: This is not a firmware that `build_project` made.
    """
    try:
        with elf.open("rb") as stream:
            sections = [
                (section.name, section["sh_size"], section["sh_type"] == "SHT_NOBITS", section["sh_flags"])
                for section in ELFFile(stream).iter_sections()
                if section["sh_flags"] & SH_FLAGS.SHF_ALLOC
            ]
    except Exception as error:  # pyelftools raises several kinds on a damaged file
        raise BuildError(f"not a firmware: {elf}", where={"reason": str(error)}, hint="build it again") from error
    return Image(
        elf=elf,
        flash_bytes=sum(size for _, size, empty, _ in sections if not empty),
        ram_bytes=sum(size for _, size, empty, flags in sections if empty or flags & SH_FLAGS.SHF_WRITE),
        model_bytes=sum(size for name, size, _, _ in sections if name == ".td_model"),
    )


def platformio_environment() -> dict[str, str]:
    """The environment in which PlatformIO asks the network for nothing and does not read the user's own settings.

    Each of these settings otherwise stalls an offline call (PlatformIO 6.2: up to 61 s). The core folder is a private
    one, always the same: PlatformIO drops existing builds when it changes.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORMIO_")}
    return {
        **inherited,
        "PLATFORMIO_CORE_DIR": str(cache_dir("platformio")),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "100000",
        "PLATFORMIO_SETTING_CHECK_PRUNE_SYSTEM_THRESHOLD": "0",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_DISABLE_COLOR": "true",
        "PYTHONUNBUFFERED": "1",
    }


def _run_platformio(board: Board, folder: Path, on_line: Callable[[str], None] | None) -> None:
    command: list[str | Path] = [sys.executable, "-m", "platformio", "run", "--project-dir", folder]
    try:
        finished = run(
            command,
            package="platformio",
            timeout_s=_TIMEOUT_S,
            cwd=folder,
            env=platformio_environment(),
            on_line=on_line,
        )
    except TimeoutError as error:
        raise BuildError(f"the build did not end within {_TIMEOUT_S:.0f} s", where={"folder": str(folder)}) from error
    if finished.exit_code == 0:
        return
    overflow = _OVERFLOW.search(finished.stderr.decode(errors="replace"))
    if overflow:
        raise _does_not_fit(board, overflow[1], int(overflow[2]))
    raise _does_not_build(folder, finished)


def _does_not_fit(board: Board, region: str, short_bytes: int) -> FitError:
    there = next((r.bytes for r in board.memory if r.name == region), 0)
    return FitError(
        f"the firmware does not fit into {region}: {there + short_bytes:,} B needed, {there:,} B there "
        f"({short_bytes:,} B short)",
        where={"board": f"{board.id}, {board.title}"},
        hint="a smaller model, or a larger board from: tinydeploy boards",
    )


def _does_not_build(folder: Path, finished: Finished) -> BuildError:
    output = finished.stderr.decode(errors="replace")
    lines = [line.strip() for line in _SUMMARY.split(output)[0].splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.search(line)] or lines
    shown = list(dict.fromkeys(errors))[:5] or [ending(finished.exit_code)]
    where = {"errors": "\n".join(shown), "project": str(folder)}
    if _NO_NEWLIB.search(output):
        return BuildError(
            "the C library for Arm is not installed",
            where={"package": f"{NEWLIB_PACKAGE} (Debian, Ubuntu)", **where},
            hint=f"sudo apt install {NEWLIB_PACKAGE}",
        )
    if "No module named platformio" in output:
        return BuildError("PlatformIO is not installed", hint=f"{sys.executable} -m pip install platformio scons")
    hint = f"look at the whole of it: pio run -d {shlex.quote(str(folder))}"
    return BuildError("the firmware does not build", where=where, hint=hint)
