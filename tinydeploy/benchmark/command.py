"""The command: run what is asked for, keep it, and bring the tables and pictures up to date."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tinydeploy.benchmark.figures import BenchModel, Results, Run
from tinydeploy.benchmark.measure import Tools, measured, usual_boards
from tinydeploy.benchmark.picture import write_picture
from tinydeploy.benchmark.store import read_results, write_results
from tinydeploy.benchmark.tables import SHOWN_BOARDS, page, readme_block, with_block
from tinydeploy.benchmark.variants import VARIANTS
from tinydeploy.boards import find_board
from tinydeploy.build import COMPILER_PACKAGE
from tinydeploy.devices.emulator import QEMU_PACKAGE
from tinydeploy.engines.tflm.library import describe_named_library
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.files import write_file
from tinydeploy.process import run as run_program
from tinydeploy.report.quality_picture import require_picture

_CHECKOUT = Path(__file__).resolve().parents[2]
_MODELS_VARIABLE = "TINYDEPLOY_TEST_MODELS"
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
_TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where all of it is: the pages of a checkout, or of any folder."""

    folder: Path

    @property
    def results(self) -> Path:
        """All figures."""
        return self.folder / "docs" / "benchmark.json"

    @property
    def page(self) -> Path:
        """All tables."""
        return self.folder / "docs" / "benchmark.md"

    @property
    def readme(self) -> Path:
        """Shows some of it, between two markers."""
        return self.folder / "README.md"

    def picture(self, board: str) -> Path:
        """The picture of one board."""
        return self.folder / "docs" / f"benchmark-{board}.svg"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--board", "boards", multiple=True, metavar="ID", help="A virtual board. Default: one for each core.")
@click.option(
    "--engine",
    "variants",
    multiple=True,
    type=click.Choice(list(VARIANTS)),
    help="What runs the models. Default: aot, aot-reference and, where its library is named, TFLM with both kernels.",
)
@click.option("--tflm-lib", "tflm_library", metavar="SPEC", help="TensorFlow Lite Micro. Default: TINYDEPLOY_TFLM_LIB.")
@click.option("--draw", is_flag=True, help="Only make tables and pictures anew, of the figures that there are.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=_CHECKOUT,
    metavar="DIR",
    help="Where docs/benchmark.* and README.md are. Default: the checkout.",
)
def benchmark(  # one argument for each option
    *,
    models: tuple[Path, ...],
    boards: tuple[str, ...],
    variants: tuple[str, ...],
    tflm_library: str | None,
    draw: bool,
    output: Path,
) -> None:
    """Benchmark MODELS with all engines on all virtual boards, and write docs/benchmark.md.

    Without MODELS it is the example's and those named *_int8.tflite in the folder TINYDEPLOY_TEST_MODELS.
    """
    pages = Pages(folder=output)
    require_picture(pages.picture("any"))
    if draw:
        _show(read_results(pages.results), pages)
        return
    tools = Tools(
        compiler=f"GCC {program_version('arm-none-eabi-gcc', COMPILER_PACKAGE)}",
        emulator=f"QEMU {program_version('qemu-system-arm', QEMU_PACKAGE)}",
    )
    found = measured(
        models or usual_models(_CHECKOUT),
        _boards(boards),
        _variants(variants, tflm_library),
        tflm_library=tflm_library,
        tools=tools,
        on_line=lambda line: click.echo(line, err=True),
    )
    _keep(found, pages)


def _keep(found: Iterable[tuple[BenchModel, Run]], pages: Pages) -> None:
    """Keeps each run as it comes; whatever ends that, the pages show what is kept."""
    before = results = read_results(pages.results)
    try:
        for model, run in found:
            results = results.with_run(model, run)
            write_results(results, pages.results)
    finally:
        if results is not before:
            _show(results, pages)


def _show(results: Results, pages: Pages) -> None:
    for path in write_pages(results, pages):
        click.echo(path)


def write_pages(results: Results, pages: Pages) -> tuple[Path, ...]:
    """Makes all pages of the results; returns what was written. A README without the two markers is left alone."""
    places = {board: pages.picture(board) for board in SHOWN_BOARDS}
    drawn = {board: path for board, path in places.items() if write_picture(results, board, path)}
    write_file(pages.page, page(results, {board: path.name for board, path in drawn.items()}).encode())
    return pages.page, *drawn.values(), *_write_readme(results, pages)


def usual_models(checkout: Path) -> tuple[Path, ...]:
    """The example's model and the test models, as far as they are there.

    Raises:
        UsageError: There are none at all.
    """
    given = os.environ.get(_MODELS_VARIABLE)
    folder = Path(given) if given else checkout.parent / "shared" / "models"
    found = (*checkout.glob("examples/digits/*_int8.tflite"), *sorted(folder.glob("*_int8.tflite")))
    if not found:
        hint = f"name models, or set {_MODELS_VARIABLE} to a folder with files *_int8.tflite"
        raise UsageError("there are no models to benchmark", where={"folder": str(folder)}, hint=hint)
    return found


def _write_readme(results: Results, pages: Pages) -> Iterable[Path]:
    if not pages.readme.is_file() or not results.runs:
        return
    text = pages.readme.read_text(encoding="utf-8")
    if "<!-- benchmark:" in text:
        picture = pages.picture(SHOWN_BOARDS[0]).relative_to(pages.folder).as_posix()
        write_file(pages.readme, with_block(text, readme_block(results, picture)).encode())
        yield pages.readme


def _boards(given: Sequence[str]) -> tuple[str, ...]:
    boards = [find_board(board) for board in given] or usual_boards()
    real = [board.id for board in boards if not board.is_virtual]
    if real:
        raise UsageError(
            f"no virtual board: {', '.join(real)}",
            hint=f"one of: {', '.join(board.id for board in usual_boards())}",
        )
    return tuple(board.id for board in boards)


def has_library(given: str | None) -> bool:
    """Whether TensorFlow Lite Micro is named: here, by a variable or in the user's file."""
    return given is not None or describe_named_library() is not None


def _variants(given: Sequence[str], tflm_library: str | None) -> tuple[str, ...]:
    is_there = has_library(tflm_library)
    missing = [name for name in given if VARIANTS[name].needs_library and not is_there]
    if missing:
        hint = "--tflm-lib SPEC, or set TINYDEPLOY_TFLM_LIB"
        raise UsageError(f"{', '.join(missing)} needs TensorFlow Lite Micro, and none is named", hint=hint)
    usual = (name for name, one in VARIANTS.items() if one.is_usual and (is_there or not one.needs_library))
    return tuple(given or usual)


def program_version(program: str, package: str) -> str:
    """The version that a program gives.

    Raises:
        BuildError: It is not installed, or does not say.
    """
    output = run_program([program, "--version"], package=package, timeout_s=_TIMEOUT_S).stdout.decode(errors="replace")
    # Arm's own builds have a name in brackets with numbers in it.
    version = _VERSION.search(re.sub(r"\(.*?\)", "", output))
    if version is None:
        raise BuildError(f"{program} does not say its version", hint=f"sudo apt install --reinstall {package}")
    return version[0]
