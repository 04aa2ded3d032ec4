"""``python -m tinydeploy.benchmark.budget_accuracy``: how near the plans' RAM and flash come to what is then built.

Every model is planned and built for every virtual board with both engines, and docs/budget-accuracy.md is written.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import click

from tinydeploy import __version__, pipeline
from tinydeploy.benchmark.command import has_library, program_version, usual_models
from tinydeploy.benchmark.start import start
from tinydeploy.benchmark.variants import VARIANTS
from tinydeploy.boards import load_boards
from tinydeploy.build import COMPILER_PACKAGE
from tinydeploy.deployment import Build, Target
from tinydeploy.errors import FitError
from tinydeploy.files import write_file
from tinydeploy.model.text import printable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "budget-accuracy.md"

VARIANTS_SHOWN = ("aot", "aot-reference", "tflm-cmsis-nn", "tflm-reference")
"""Built for all boards. What --optimize chooses differs most with the kernels that have the most ways:"""

FURTHER = (("qemu-cortex-m4", "aot-speed"),)

_BUFFERS = (2, 1)
_WORST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes, as they were planned and as the ELF has them."""

    planned: int
    built: int

    @property
    def error(self) -> float:
        """How much more was planned, as a share of what was built; negative where it was less."""
        return self.planned / self.built - 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of one model on one board: without sizes where it does not fit."""

    model: str
    board: str
    variant: str
    library: str | None = None
    ram: Size | None = None
    flash: Size | None = None


def rows(
    models: Sequence[Path], boards: Sequence[str], variants: Sequence[str], *, on_row: Callable[[Row], None]
) -> Iterator[Row]:
    """Plans and builds all combinations, a board's firmware with one engine after the other.

    Raises:
        TinydeployError: A tool is missing, a model is not usable, or a firmware that should fit does not build.
    """
    usual = [(board, variant) for board, variant in product(boards, variants)]
    further = [pair for pair in FURTHER if pair[0] in boards]
    for (board, variant), model in product((*usual, *further), models):
        row = accuracy(model, board, variant)
        on_row(row)
        yield row


def accuracy(model: Path, board: str, variant: str) -> Row:
    """Plans and builds one firmware, with as many input buffers as fit."""
    row = Row(model=printable(model.stem.removesuffix("_int8")), board=board, variant=variant)
    for buffers in _BUFFERS:
        with suppress(FitError):
            return _with_sizes(row, _built(model, board, variant, buffers))
    return row


def _built(model: Path, board: str, name: str, buffers: int) -> Build:
    variant = VARIANTS[name]
    return pipeline.build(
        model, Target(board=board, engine=variant.engine, buffers=buffers, settings=variant.settings(None))
    )


def _with_sizes(row: Row, built: Build) -> Row:
    plan, image = built.plan, built.image
    return Row(
        model=row.model,
        board=row.board,
        variant=row.variant,
        library=plan.engine.library,
        ram=Size(planned=plan.ram.used_bytes, built=image.ram_bytes),
        flash=Size(planned=plan.flash.used_bytes, built=image.flash_bytes),
    )


def page(found: Sequence[Row], *, compiler: str, date: str) -> str:
    """The page, in Markdown."""
    ran = [row for row in found if row.ram and row.flash]
    libraries = ", ".join(sorted({row.library for row in ran if row.library})) or "none"
    return "\n".join(
        (
            "# How near the plans come",
            "",
            "What `tinydeploy budget` and the plans of all other commands say of RAM and flash, beside what the ELF",
            "of the firmware then has. Errors are shares of what was built; a minus is a plan that said too little.",
            "",
            f"Made by `python -m tinydeploy.benchmark.budget_accuracy` on {date}:",
            f"tinydeploy {__version__}, {compiler}; library: {libraries}.",
            "",
            f"**Largest error of {len(ran)} firmwares: {_largest(ran)}.**",
            "",
            *_worst(ran),
            "",
            "| model | board | engine | RAM planned | ELF | error | flash planned | ELF | error |",
            "|---|---|---|--:|--:|--:|--:|--:|--:|",
            *map(_line, found),
            "",
        )
    )


def _worst(ran: Sequence[Row]) -> Iterator[str]:
    def error(row: Row) -> float:
        return max(abs(size.error) for size in (row.ram, row.flash) if size)

    yield f"The {_WORST_SHOWN} that are furthest off:"
    yield ""
    yield "| model | board | engine | RAM | flash |"
    yield "|---|---|---|--:|--:|"
    for row in sorted(ran, key=error, reverse=True)[:_WORST_SHOWN]:
        title = VARIANTS[row.variant].title
        yield f"| {row.model} | {row.board} | {title} | {_error(row.ram)} | {_error(row.flash)} |"


def _largest(ran: Sequence[Row]) -> str:
    ram, flash = (
        [abs(size.error) for size in sizes if size] for sizes in zip(*((r.ram, r.flash) for r in ran), strict=True)
    )
    return f"RAM {max(ram):.1%}, flash {max(flash):.1%}"


def _error(size: Size | None) -> str:
    return f"{size.error:+.1%}" if size else ""


def _line(row: Row) -> str:
    where = f"| {row.model} | {row.board} | {VARIANTS[row.variant].title} |"
    if row.ram is None or row.flash is None:
        return f"{where} does not fit | | | | | |"
    sizes = (f"{size.planned:,} | {size.built:,} | {_error(size)}" for size in (row.ram, row.flash))
    return f"{where} {' | '.join(sizes)} |"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
def measure(models: tuple[Path, ...]) -> None:
    """Plan and build MODELS, by default those of the benchmark, and write docs/budget-accuracy.md.

    TensorFlow Lite Micro takes part where its library is named.
    """
    compiler = f"GCC {program_version('arm-none-eabi-gcc', COMPILER_PACKAGE)}"
    boards = [board.id for board in load_boards() if board.is_virtual]
    variants = [name for name in VARIANTS_SHOWN if not VARIANTS[name].needs_library or has_library(None)]
    chosen = models or usual_models(PAGE.parents[1])
    found = list(rows(chosen, boards, variants, on_row=lambda row: click.echo(_line(row), err=True)))
    order = sorted(found, key=lambda row: (row.model, row.board))
    date = datetime.now(UTC).date().isoformat()
    write_file(PAGE, page(order, compiler=compiler, date=date).encode())
    click.echo(PAGE)


if __name__ == "__main__":
    start(measure, "budget_accuracy")
