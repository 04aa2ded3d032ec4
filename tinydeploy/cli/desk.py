"""The verbs that need no board."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinydeploy.cli.model_options import with_gates, with_quantization, with_samples
from tinydeploy.cli.options import (
    ANY_ENGINE,
    BUFFERS,
    ENGINE,
    MODEL,
    Outcome,
    on_target,
    on_targets,
    with_demands,
    with_settings,
)
from tinydeploy.cli.verb import verb
from tinydeploy.errors import FitError, UsageError, VerificationError, visible

if TYPE_CHECKING:
    from tinydeploy.budget.report import Demands
    from tinydeploy.convert.gates import Gates
    from tinydeploy.convert.quantize import QuantizationSettings
    from tinydeploy.deployment import Target
    from tinydeploy.engines.interface import EngineSettings
    from tinydeploy.planning import Targets
    from tinydeploy.report.terminal import Terminal
    from tinydeploy.samples.source import SampleSource

# What a verb needs is imported when it runs, so that `tinydeploy --help` answers at once.


@verb
@click.option("--fits", type=click.Path(path_type=Path), metavar="MODEL", help="Only those on which the model fits.")
@ANY_ENGINE
@click.option("--min-ram", metavar="SIZE", help="Only those with as much RAM, such as 192K (K is 1024).")
@click.option("--min-flash", metavar="SIZE", help="Only those with as much flash.")
def boards(
    _terminal: "Terminal", *, fits: Path | None, engine: str | None, min_ram: str | None, min_flash: str | None
) -> Outcome:
    """List the boards that come with tinydeploy, or those on which a model fits."""
    from tinydeploy import pipeline
    from tinydeploy.budget.limits import parse_limit
    from tinydeploy.report.boards import boards_json, boards_table

    if engine is not None and fits is None:
        raise UsageError("--engine is of a model that has to fit", hint="add --fits MODEL")
    found = pipeline.boards(
        fits=fits,
        engine=engine,
        min_ram_bytes=parse_limit("ram", min_ram) if min_ram else 0,
        min_flash_bytes=parse_limit("flash", min_flash) if min_flash else 0,
    )
    text = boards_table(found) if found else "none of the boards that come with tinydeploy"
    return Outcome(text=text, json=boards_json(found), exit_code=0 if found else FitError.exit_code)


@verb
@MODEL
@click.option(
    "--board", "board_ids", multiple=True, metavar="ID", help="Plan for this board; may be repeated. Default: all."
)
@ENGINE
@BUFFERS
@with_settings
@click.option(
    "--plan", "with_ways", is_flag=True, help="Show how each layer is computed, and what else it could have cost (aot)."
)
def inspect(
    _terminal: "Terminal",
    *,
    model: Path,
    board_ids: tuple[str, ...],
    engine: str | None,
    buffers: int,
    settings: "EngineSettings",
    with_ways: bool,
) -> Outcome:
    """Show a model's layers, its memory peak, and where it fits."""
    from tinydeploy import pipeline
    from tinydeploy.report.plan import inspection_json, inspection_text

    plans = pipeline.inspect(model, board_ids, engine=engine, buffers=buffers, settings=settings)
    return Outcome(text=inspection_text(plans, with_ways=with_ways), json=inspection_json(model, plans))


@verb
@MODEL
@on_targets
@with_demands
@with_samples
@click.option(
    "--bench",
    "benches",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="What `bench --json` wrote: instructions as they were measured, layer by layer; may be repeated.",
)
@click.option("--build", is_flag=True, help="Build the firmware, and read RAM and flash from it.")
@click.option(
    "--report",
    "reports",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Draw what eats the memory: .html, .svg, or .md for a pull request; may be repeated.",
)
def budget(
    terminal: "Terminal",
    *,
    model: Path,
    targets: "Targets",
    demands: "Demands",
    samples: "SampleSource | None",
    benches: tuple[Path, ...],
    build: bool,
    reports: tuple[Path, ...],
) -> Outcome:
    """Say what a model takes of boards, before there is one; fail where that is too much.

    Limits, boards and the engine may stand in tinydeploy.toml, or in [tool.tinydeploy] of pyproject.toml. Without
    boards, all are shown, and none has to fit.
    """
    from tinydeploy import pipeline
    from tinydeploy.report.budget import budget_json, budget_text
    from tinydeploy.report.budget_files import require_report, write_report

    for path in reports:
        require_report(path)
    report = pipeline.budget(
        model,
        targets,
        benches=benches,
        demands=demands,
        build=build,
        advise=bool(reports),
        samples=samples,
        progress=terminal,
    )
    for path in reports:
        write_report(report, path)
    exit_code = 0 if report.ok else VerificationError.exit_code if not report.within_limits else FitError.exit_code
    return Outcome(text=budget_text(report), json=budget_json(report), exit_code=exit_code)


@verb
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", required=True, help="The .tflite.")
@with_samples
@with_quantization
@with_gates
@click.option(
    "--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the quality by layer: .png or .svg."
)
def convert(
    terminal: "Terminal",
    *,
    source: Path,
    output: Path,
    samples: "SampleSource | None",
    settings: "QuantizationSettings",
    gates: "Gates",
    picture: Path | None,
) -> Outcome:
    """Make a full int8 .tflite of a model, and measure what that costs.

    SOURCE is a float .tflite, a Keras .keras or .h5 file, a SavedModel folder, an ONNX file, or a PyTorch program
    (torch.export.save, .pt2). A fifth of the samples is held out to measure with.
    """
    from tinydeploy import pipeline
    from tinydeploy.files import require_place
    from tinydeploy.report.conversion import converted_json, converted_text
    from tinydeploy.report.quality_picture import require_picture, write_picture

    require_place(output)
    if picture is not None:
        require_picture(picture)
    conversion = pipeline.convert(
        source,
        output,
        samples=samples,
        settings=settings,
        gates=gates,
        progress=terminal,
    )
    if picture is not None and conversion.quality is not None:
        write_picture(conversion.quality, picture)
    return Outcome(
        text=converted_text(conversion, output, picture=picture),
        json=converted_json(conversion, source, output),
        exit_code=1 if conversion.missed else 0,
    )


@verb
@MODEL
@on_target
@with_samples
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    required=True,
    help="A new folder, or an earlier project's.",
)
def generate(
    terminal: "Terminal", *, model: Path, target: "Target", samples: "SampleSource | None", output: Path
) -> Outcome:
    """Write the firmware as a PlatformIO project that builds anywhere."""
    from tinydeploy import pipeline
    from tinydeploy.report.plan import inspection_json

    plan, _ = pipeline.generate(model, target, output, samples=samples, progress=terminal)
    place = visible(shlex.quote(str(output)))
    text = f"written to {place}; build it with: pio run -d {place}"
    return Outcome(text=text, json=inspection_json(model, (plan,)))


@verb
@MODEL
@on_target
@with_samples
def build(terminal: "Terminal", *, model: Path, target: "Target", samples: "SampleSource | None") -> Outcome:
    """Build the firmware with PlatformIO."""
    from tinydeploy import pipeline
    from tinydeploy.report.deployment import build_json, build_text

    built = pipeline.build(model, target, samples=samples, progress=terminal)
    return Outcome(text=build_text(built), json=build_json(built))


@verb
def doctor(_terminal: "Terminal") -> Outcome:
    """Check for every tool; name the packages that are missing."""
    from tinydeploy import pipeline
    from tinydeploy.report.doctor import doctor_json, doctor_table

    checks = pipeline.doctor()
    missing = not all(check.ok or not check.required for check in checks)
    return Outcome(text=doctor_table(checks), json=doctor_json(checks), exit_code=5 if missing else 0)
