"""FirmwareProject → Image: has PlatformIO build it, once."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tinydeploy.boards import Board
from tinydeploy.errors import BuildError, FitError, UsageError
from tinydeploy.files import locked, mark_used, remove_file, remove_tree, write_file, write_tree
from tinydeploy.image import Image, read_image
from tinydeploy.platformio import first_errors, run_platformio, words_of
from tinydeploy.process import Finished, ending, find_tool
from tinydeploy.project import FirmwareProject

COMPILER_PACKAGE = "gcc-arm-none-eabi"
NEWLIB_PACKAGE = "libnewlib-arm-none-eabi"
LIBSTDCXX_PACKAGE = "libstdc++-arm-none-eabi-newlib"

_KEPT_IMAGES = 8
_NEVER_IN_PATHS = re.compile(r"""[\x00-\x1f"$%,\\`]""")
_IN_QUOTED_PATHS = re.compile(r"[&'()*;<>?|]")
"""SCons puts a path into quotes where it has a space, and gives it to a shell as it is where not: the build then fails
far from its cause, or runs what the path says. Nor has the linker's option for its map a comma, and PlatformIO fills in
what a percent sign names."""
_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
_TOO_LARGE = re.compile(r"The (program|data) size \((\d+) bytes\) is greater than maximum allowed \((\d+) bytes\)")
_NO_LIBSTDCXX = re.compile(
    r"fatal error: (new|type_traits|c(setjmp|stdarg|stddef|stdint|string)): No such|cannot find -lstdc"
)
_NO_NEWLIB = re.compile(r"nano\.specs|cannot find -l(c|gcc)\b|(string|stdint|inttypes|stdlib|math)\.h: No such file")


def build_project(project: FirmwareProject, folder: Path, on_line: Callable[[str], None] | None = None) -> Image:
    """Writes the project to ``folder`` and builds it there with PlatformIO, unless it was built there lately.

    Files in ``folder`` that an earlier call wrote and this project does not have are removed; others are left alone.
    Two calls for one folder at the same time wait for each other. What an interrupted build left is never used. The
    image is at a place of its own, and stays there until the folder has seen `_KEPT_IMAGES` other projects.

    Raises:
        BuildError: A tool is missing, or the firmware does not compile; has the compiler's first errors.
        FitError: The linker says that the board's memory does not suffice.
        UsageError: The folder cannot be written to, or nothing can be built at such a path.
    """
    folder = folder.resolve()
    kept = folder / ".pio" / "images" / f"{project.build_id.hex()}.elf"
    with locked(str(folder)):
        image = _kept_image(kept)
        if image is not None:
            mark_used(kept)
            return image
        with written(project, folder):
            finished = _run(project.board, folder, on_line)
        if finished.exit_code != 0:
            raise why_not_built(project.board, folder, finished)
        elf = folder / ".pio" / "build" / project.board.id / "firmware.elf"
        image = replace(read_image(elf), elf=kept)
        write_file(kept, elf.read_bytes())
        _remove_old_images(kept.parent)
        return image


@contextmanager
def written(project: FirmwareProject, folder: Path) -> Iterator[None]:
    """Has the folder hold this project while PlatformIO runs in it, to its end. The caller holds the folder's lock.

    SCons would take objects of a build that was killed for its own: after one, all are built again.
    """
    _check_path(folder)
    if project.board.framework is None:
        find_tool("arm-none-eabi-gcc", package=COMPILER_PACKAGE)
    unfinished = folder / ".pio" / "unfinished"
    if unfinished.exists():
        remove_tree(folder / ".pio" / "build")
    write_file(unfinished, b"")
    write_tree(folder, project.files)
    yield
    remove_file(unfinished)


def _check_path(folder: Path) -> None:
    path = str(folder)
    found = _NEVER_IN_PATHS.search(path) or (_IN_QUOTED_PATHS.search(path) if " " not in path else None)
    if found:
        raise UsageError(
            f"nothing can be built in a folder with {found[0]!r} in its path",
            where={"folder": str(folder)},
            hint="set TINYDEPLOY_CACHE_DIR to a folder of letters, digits, spaces, and . _ + - only",
        )


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


def _run(board: Board, folder: Path, on_line: Callable[[str], None] | None) -> Finished:
    try:
        return run_platformio(board, folder, on_line=on_line)
    except TimeoutError as error:
        raise BuildError("the build does not end", where={"folder": str(folder)}) from error


def why_not_built(board: Board, folder: Path, finished: Finished) -> BuildError | FitError:
    """What a build that failed comes to."""
    output = words_of(finished)
    overflow, too_large = _OVERFLOW.search(output), _TOO_LARGE.search(output)
    if overflow:
        there = next((r.bytes for r in board.memory if r.name == overflow[1]), None)
        return _does_not_fit(board, overflow[1], there, int(overflow[2]))
    if too_large:
        region, there = {"program": "flash", "data": "RAM"}[too_large[1]], int(too_large[3])
        return _does_not_fit(board, region, there, int(too_large[2]) - there)
    return _does_not_build(folder, finished)


def _does_not_fit(board: Board, region: str, there: int | None, short_bytes: int) -> FitError:
    """``there`` is None where the region is the framework's own, and the board's file does not know it."""
    needed = "" if there is None else f": {there + short_bytes:,} B needed, {there:,} B there"
    return FitError(
        f"the firmware does not fit into {region}{needed} ({short_bytes:,} B short)",
        where={"board": f"{board.id}, {board.title}"},
        hint="a smaller model, or a larger board from: tinydeploy boards",
    )


def _does_not_build(folder: Path, finished: Finished) -> BuildError:
    output = finished.stderr.decode(errors="replace")
    shown = first_errors(output) or [ending(finished.exit_code)]
    where = {"errors": "\n".join(shown), "project": str(folder)}
    for what, package, is_missing in (
        ("C library", NEWLIB_PACKAGE, _NO_NEWLIB),
        ("C++ library", LIBSTDCXX_PACKAGE, _NO_LIBSTDCXX),
    ):
        if is_missing.search(output):
            return BuildError(
                f"the {what} for Arm is not installed",
                where={"package": f"{package} (Debian, Ubuntu)", **where},
                hint=f"sudo apt install {package}",
            )
    hint = f"look at the whole of it: pio run -d {shlex.quote(str(folder))}"
    return BuildError("the firmware does not build", where=where, hint=hint)
