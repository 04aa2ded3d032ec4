"""The command line: one short command per verb, which parses, calls the function of that name and shows the result."""

import functools
import io
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tinydeploy import __version__
from tinydeploy.cli_options import (
    ANY_ENGINE,
    BUFFERS,
    ENGINE,
    MODEL,
    PORT,
    LockOptions,
    Outcome,
    on_target,
    on_targets,
    with_demands,
    with_gates,
    with_lock,
    with_quantization,
    with_samples,
    with_settings,
    with_watching,
)
from tinydeploy.errors import (
    FitError,
    InternalError,
    InterruptedRunError,
    TinydeployError,
    UsageError,
    VerificationError,
    failure_of,
    visible,
)

if TYPE_CHECKING:
    from tinydeploy.budget.report import Demands
    from tinydeploy.convert.gates import Gates
    from tinydeploy.convert.quantize import QuantizationSettings
    from tinydeploy.deployment import Deployment, Target
    from tinydeploy.engines.interface import EngineSettings
    from tinydeploy.monitor.snapshot import Snapshot
    from tinydeploy.monitor.watch import Watching
    from tinydeploy.planning import Targets
    from tinydeploy.report.terminal import Terminal
    from tinydeploy.samples.source import SampleSource

# What a command needs is imported when it runs, so that `tinydeploy --help` answers at once.

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READER_GONE = 141
"""The exit code on a broken pipe, as shells have it."""

EXIT_CODES = """\b
Exit codes:
  0  done and verified           5  tool missing, or build failed
  1  not as expected             6  flashing failed
  2  usage                       7  no device, or it does not answer
  3  model not usable            8  the link broke
  4  does not fit                9  a different firmware answers
 70  a bug in tinydeploy

\b
Builds are kept in the user's cache folder, or in TINYDEPLOY_CACHE_DIR.
"""


def main() -> NoReturn:
    """Runs the command line and exits; every failure is printed as facts, place and next step."""
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the user's locale cannot show is no reason to fail
    try:
        code = _run()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = InterruptedRunError.exit_code
    except (BrokenPipeError, SystemExit) as error:
        # Rich, and click before 8.5, make the latter of a broken pipe.
        if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
            raise
        code = READER_GONE
        for stream in (sys.stdout, sys.stderr):  # what is still to be flushed goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _run() -> int:
    """Runs the command line; returns its exit code when every failure has been told."""
    try:
        return int(tinydeploy.main(prog_name="tinydeploy", standalone_mode=False))
    except click.UsageError as error:
        hint = f"{error.ctx.command_path if error.ctx else 'tinydeploy'} --help"
        message = error.format_message().rstrip(".")
        failure: TinydeployError = UsageError(f"{message[:1].lower()}{message[1:]}", hint=hint)
    except (BrokenPipeError, click.Abort):
        raise
    except Exception as error:
        failure = failure_of(error)
    click.echo(f"error: {failure}", err=True)
    return failure.exit_code


def _end(_signal: int, _frame: object) -> NoReturn:
    """Ends through every ``finally``, so that no emulator stays behind; further signals do not disturb that."""
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda _signal, _frame: None)
    raise KeyboardInterrupt


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def tinydeploy(context: click.Context) -> int:
    """Deploy neural networks to microcontrollers as int8 and verify them there, bit for bit.

    Start with:  tinydeploy flash MODEL.tflite --board qemu-cortex-m4
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
    return UsageError.exit_code


def verb(function: Callable[..., Outcome]) -> click.Command:
    """Makes a command of a function, which gets the terminal and its options and returns what there is to say."""

    @tinydeploy.command(function.__name__)
    @click.option("--json", "json_path", metavar="PATH", help="Also write the result as JSON; - is standard output.")
    @click.option("-v", "--verbose", is_flag=True, help="Show what the tools print.")
    @functools.wraps(function)
    def command(json_path: str | None, *, verbose: bool, **options: Any) -> int:  # noqa: ANN401 - click's
        from tinydeploy.report.terminal import Terminal

        with Terminal(json_path=json_path, verbose=verbose) as terminal:
            try:
                outcome = function(terminal, **options)
                terminal.write(outcome.text, outcome.json)
            except BrokenPipeError:
                raise
            except (Exception, KeyboardInterrupt) as error:
                _tell_programs(terminal, error)
                raise
        return outcome.exit_code

    command.params.sort(key=lambda option: option.name in ("json_path", "verbose", "help"))  # behind the verb's own
    return command


def _tell_programs(terminal: "Terminal", error: BaseException) -> None:
    """Writes a failure as JSON, so that the result of an earlier run is never taken for that of this one."""
    failure = failure_of(error)
    if isinstance(failure, InternalError):
        for line in traceback.format_exception(error):
            terminal.line(line.rstrip())  # which shows it with -v
    with suppress(TinydeployError, OSError):  # that this cannot be written is no reason to tell another failure
        terminal.write_error(failure)


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
@MODEL
@on_target
@PORT
@with_samples
@with_lock
@click.option("--keep", is_flag=True, help="Leave a virtual board running, for: verify --port.")
def flash(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    keep: bool,
) -> Outcome:
    """Build, start on the board, and verify every output there.

    The reference is TensorFlow Lite Micro's own interpreter. Inputs are zeros, both extremes and noise; --samples adds
    yours.
    """
    from tinydeploy import pipeline

    return _outcome(pipeline.flash(model, target, port=port, samples=samples, keep=keep, progress=terminal), lock)


@verb
@MODEL
@on_target
@PORT
@with_samples
@with_lock
@click.option("--localize", is_flag=True, help="Where outputs differ, find the first layer that is wrong, and why.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --localize: write the input that shows it, and what the layer gave, as .npz.",
)
def verify(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    localize: bool,
    evidence: Path | None,
) -> Outcome:
    """Verify a board that was flashed before.

    The options must be those that it was flashed with: --buffers makes another firmware, and so do other --samples of a
    model that is converted on the way. Without --port, a virtual board is started anew. --localize flashes a real board
    with a firmware that stops between its layers, and in the end with its own again.
    """
    from rich.console import Group

    from tinydeploy import pipeline
    from tinydeploy.files import require_place
    from tinydeploy.report.localization import require_evidence, write_evidence

    if evidence is not None:
        if not localize:
            raise UsageError("--evidence is of a layer that is looked for", hint="add --localize")
        require_evidence(evidence)
        require_place(evidence)
    deployment = pipeline.verify(model, target, samples=samples, port=port, localize=localize, progress=terminal)
    outcome = _outcome(deployment, lock)
    if evidence is None or deployment.localization is None or deployment.localization.difference is None:
        return outcome
    write_evidence(deployment.localization, evidence)
    return replace(outcome, text=Group(outcome.text, f"evidence written to {visible(str(evidence))}"))


@verb
@MODEL
@on_target
@PORT
@with_samples
@with_lock
@click.option(
    "--inferences",
    type=click.IntRange(2, 100_000),
    default=20,
    metavar="N",
    show_default=True,
    help="Inputs to stream in real time.",
)
def bench(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    inferences: int,
) -> Outcome:
    """Measure each layer, and how transfer and computing overlap."""
    from tinydeploy import pipeline

    return _outcome(
        pipeline.bench(model, target, port=port, samples=samples, inferences=inferences, progress=terminal), lock
    )


@verb
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--board", metavar="ID", help="The board; without --port, its port is looked for.")
@click.option("--port", metavar="PORT", help="Where a board runs; without --board at 115,200 baud.")
@click.option("--samples", metavar="DATA", help="Inputs, as for `flash`; without, zeros, both extremes and noise.")
@with_watching
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FILE", help="Write each result there, a line of JSON each."
)
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="FILE", help="An earlier record: fail where outputs differ."
)
def monitor(
    terminal: "Terminal",
    *,
    model: Path | None,
    board: str | None,
    port: str | None,
    samples: str | None,
    watching: "Watching",
    record: Path | None,
    against: Path | None,
) -> Outcome:
    """Watch a board that runs: speed, latencies, what is lost, and the best classes.

    It goes on until Ctrl-C, or as --seconds or --inferences say. Without MODEL it talks to whatever firmware of
    tinydeploy answers; with MODEL it has to be that, and a virtual board is started with it.
    """
    from tinydeploy import pipeline
    from tinydeploy.files import require_place
    from tinydeploy.report.monitor import monitor_line, monitor_view, monitored_json, monitored_text

    def show(now: "Snapshot") -> None:
        terminal.watched(lambda: monitor_view(now, terminal.width), lambda: monitor_line(now))

    if record is not None:
        require_place(record)
    monitored = pipeline.monitor(
        model,
        board=board,
        port=port,
        watching=replace(watching, on_snapshot=show),
        samples=samples,
        record=record,
        against=against,
        progress=terminal,
    )
    text = monitored_text(monitored, terminal.width)
    return Outcome(
        text=text, json=monitored_json(monitored), exit_code=0 if monitored.ok else VerificationError.exit_code
    )


@verb
def doctor(_terminal: "Terminal") -> Outcome:
    """Check for every tool; name the packages that are missing."""
    from tinydeploy import pipeline
    from tinydeploy.report.doctor import doctor_json, doctor_table

    checks = pipeline.doctor()
    missing = not all(check.ok or not check.required for check in checks)
    return Outcome(text=doctor_table(checks), json=doctor_json(checks), exit_code=5 if missing else 0)


def _outcome(deployment: "Deployment", lock: LockOptions) -> Outcome:
    """The deployment beside the lock file. A firmware that looks for its smallest arena is none that is deployed."""
    from tinydeploy.lock.check import check_lock
    from tinydeploy.report.deployment import deployment_json, deployment_text

    check = None
    if not deployment.target.settings.probe_arena:
        check = check_lock(lock.path, deployment, update=lock.update, required=lock.required)
    return Outcome(
        text=deployment_text(deployment, check),
        json=deployment_json(deployment, check),
        exit_code=0 if deployment.ok and (check is None or check.ok) else 1,
    )
