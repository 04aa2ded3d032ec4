"""The way of a model to a board and back. Read this first.

    model → Conversion → Graph → Plan → FirmwareProject → Image → running device → Comparison and Latency → Deployment

Every function here is a verb of the command line and does one stretch of that way. Data goes one way: each stage gets
what the one before it made, and nothing is decided after the Plan.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tinydeploy.bench import measure_streaming
from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.budget.account import account
from tinydeploy.budget.advice import adviser
from tinydeploy.budget.earlier import read_earlier
from tinydeploy.budget.report import BudgetReport, Demands, budget_report
from tinydeploy.building import built_firmware, built_image, planned_project, rendered, settled
from tinydeploy.contact import make_contact
from tinydeploy.convert.gates import Gates
from tinydeploy.convert.quantize import QuantizationSettings
from tinydeploy.convert.sources import save_live
from tinydeploy.deployment import Build, Deployment, Target
from tinydeploy.devices.ports import find_port
from tinydeploy.doctor import Check, check_tools
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.errors import UsageError
from tinydeploy.files import growing_file, write_file
from tinydeploy.integer_model import IntegerModel, integer_model, read_integer_model, verification_samples
from tinydeploy.link.session import Session
from tinydeploy.monitor.inputs import inputs_of
from tinydeploy.monitor.record import Comparison, header_of, read_record
from tinydeploy.monitor.snapshot import Monitored
from tinydeploy.monitor.watch import Watch, Watching, board_that_answers, require_model, unit_of
from tinydeploy.plan import Plan
from tinydeploy.planning import Targets, plan_all
from tinydeploy.progress import SILENT, Progress, Stopwatch
from tinydeploy.project import FirmwareProject, write_project
from tinydeploy.running import running, running_in_real_time, session_with
from tinydeploy.samples.source import AnySamples, sample_source
from tinydeploy.verify.wire import pack_sample
from tinydeploy.verifying import flashed, localized, verified

if TYPE_CHECKING:
    from tinydeploy.convert.conversion import Conversion

_ANY_BOARD = "qemu-cortex-m4"
"""Whose serial line is taken where only a port is given: 115,200 baud, and no control line is touched."""


def boards(
    *, fits: Path | None = None, engine: str | None = None, min_ram_bytes: int = 0, min_flash_bytes: int = 0
) -> tuple[Board, ...]:
    """The boards that come with the project, and have so much memory.

    With ``fits``, only those on which this model fits with the engine (``both``: with one of them; none: the board's
    own), the smallest first.
    """
    known = [board for board in load_boards() if board.ram_bytes >= min_ram_bytes]
    known = [board for board in known if board.flash_bytes >= min_flash_bytes]
    if fits is None:
        return tuple(known)
    plans, _ = plan_all(read_integer_model(fits), Targets(engine=engine))
    fitting = {plan.board.id for plan in plans if plan.fits}
    by_size = sorted(known, key=lambda board: (board.ram_bytes, board.flash_bytes))
    return tuple(board for board in by_size if board.id in fitting)


def doctor() -> tuple[Check, ...]:
    """What this machine has of the tools that the other verbs need."""
    return check_tools()


def inspect(
    model: Path,
    boards: Sequence[str] = (),
    *,
    engine: str | None = None,
    buffers: int = 2,
    settings: EngineSettings = EngineSettings(),  # noqa: B008 - it is frozen
) -> tuple[Plan, ...]:
    """Plans for the boards. Whether they fit is part of the answer, not an error.

    Without ``boards``, it is all that the model can run on, with that engine or the default one of each board.
    """
    targets = Targets(boards=tuple(boards), engine=engine, buffers=buffers, settings=settings)
    return plan_all(read_integer_model(model), targets)[0]


def budget(
    model: Path,
    targets: Targets = Targets(),  # noqa: B008 - it is frozen
    *,
    benches: Sequence[Path] = (),
    demands: Demands = Demands(),  # noqa: B008 - it is frozen
    build: bool = False,
    advise: bool = False,
    samples: AnySamples | None = None,
    progress: Progress = SILENT,
) -> BudgetReport:
    """What the model takes of the boards, each figure with where it is from. A limit that is not kept is no error.

    ``benches`` are files that `bench` wrote. With ``build``, RAM and flash are read from the firmware's ELF. With
    ``advise``, it is told what would save RAM, which takes a second or two more.
    """
    if build and not targets.boards:
        raise UsageError("nothing says what to build for", hint="--board ID, once for each board")
    watch = Stopwatch(progress)
    source = integer_model(model, samples, watch)
    earlier = read_earlier(targets.lock, benches)
    with watch.stage("plan"):
        plans, refusals = plan_all(source.graph, targets)
    budgets = []
    for plan in plans:
        image = built_image(rendered(plan, watch), watch)[1] if build and plan.fits else None
        budgets.append(account(plan, earlier, image))
    advice_of = adviser(source.graph, targets) if advise else None
    return budget_report(source, budgets, refusals, demands, must_fit=bool(targets.boards), advise=advice_of)


def convert(
    source: object,
    output: Path | None = None,
    *,
    samples: AnySamples | None = None,
    settings: QuantizationSettings = QuantizationSettings(),  # noqa: B008 - it is frozen
    gates: Gates = Gates(),  # noqa: B008 - it is frozen
    example_inputs: Sequence[object] | None = None,
    progress: Progress = SILENT,
) -> "Conversion":
    """Makes a full int8 .tflite of a model, measures what that costs, and writes it to ``output``.

    ``source`` is the path of a .tflite, .keras, .h5, .onnx or .pt2 file or of a SavedModel folder, or a live Keras or
    PyTorch model; the latter needs ``example_inputs`` to be exported with. What misses a gate is not written, and
    has its reasons in ``missed``.
    """
    from tinydeploy.convert.conversion import convert_source, require_target

    with ExitStack() as stack:
        if isinstance(source, str | Path):
            path = Path(source)
        else:
            folder = stack.enter_context(TemporaryDirectory())
            path = save_live(source, Path(folder), example_inputs=example_inputs)
        if output is not None and output.exists() and path.exists() and output.samefile(path):
            raise UsageError(f"{output} is the model itself", hint="give another name: the source is kept")
        conversion = convert_source(path, sample_source(samples), settings, Stopwatch(progress), gates=gates)
    if conversion.calibration is None:
        require_target(conversion, settings)
    if output is not None and not conversion.missed:
        write_file(output, conversion.data)
    return conversion


def generate(
    model: Path,
    target: Target,
    output: Path,
    *,
    samples: AnySamples | None = None,
    progress: Progress = SILENT,
) -> tuple[Plan, FirmwareProject]:
    """Writes the firmware project to the folder ``output``, which has to be new, empty or an earlier project's.

    ``samples`` are for a model that is not integer yet, here and below.
    """
    watch = Stopwatch(progress)
    plan, project = planned_project(integer_model(model, samples, watch), target, watch)
    write_project(project, output)
    return plan, project


def build(model: Path, target: Target, *, samples: AnySamples | None = None, progress: Progress = SILENT) -> Build:
    """Builds the firmware; a build of the same project is used again."""
    watch = Stopwatch(progress)
    return built_firmware(integer_model(model, samples, watch), target, watch)


def flash(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: AnySamples | None = None,
    keep: bool = False,
    progress: Progress = SILENT,
) -> Deployment:
    """Builds the firmware, starts it on the board and compares what it computes with the oracle.

    A real board is written to through ``port``, or through the only port that is known to be its. With ``keep``, a
    virtual board goes on running afterwards.
    """
    watch = Stopwatch(progress)
    source = integer_model(model, samples, watch)
    return flashed(source, target, verification_samples(source, samples), watch, port=port, keep=keep)


def verify(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: AnySamples | None = None,
    localize: bool = False,
    progress: Progress = SILENT,
) -> Deployment:
    """Compares what a device that was flashed before computes with the oracle.

    Without ``port``, a virtual board is started with the firmware anew, and a real one is looked for. With
    ``localize``, where outputs differ, the first layer that is wrong is looked for: on a virtual board that is started
    for it, or on the real one, which is flashed for it and gets its firmware back afterwards.
    """
    watch = Stopwatch(progress)
    source = integer_model(model, samples, watch)
    inputs = verification_samples(source, samples)
    if port is None and find_board(target.board).is_virtual:
        deployment = flashed(source, target, inputs, watch)
    else:
        plan, project = planned_project(source, target, watch)
        with ExitStack() as stack:
            with watch.stage("connect"):
                session = stack.enter_context(session_with(plan, project, find_port(plan.board, port)))
                if source.graph.is_stateful:
                    session.reset()  # what it has computed before is not what it starts with
            deployment = verified(source, target, plan, session, inputs, watch)
    if localize and not deployment.ok:
        return localized(source, deployment, inputs, watch, port=port)
    return deployment


def bench(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: AnySamples | None = None,
    inferences: int = 20,
    progress: Progress = SILENT,
) -> Deployment:
    """Does what `flash` does, then streams inputs through the board as fast as it takes them, in real time."""
    watch = Stopwatch(progress)
    source = integer_model(model, samples, watch)
    inputs = verification_samples(source, samples)
    built = settled(source, target, watch, port=port)
    with ExitStack() as stack:
        with watch.stage("flash"):
            _, session = stack.enter_context(running(built, watch, port=port))
        deployment = verified(source, target, built.plan, session, inputs, watch)
    with watch.stage("stream"), running_in_real_time(built, port=port) as session:
        packed = [pack_sample(inputs[index], session.hello) for index in range(inputs.count)]
        streaming = measure_streaming(session, packed, inferences, on_result=watch.step)
    return replace(deployment, image=built.image, streaming=streaming, seconds=watch.seconds)


def monitor(
    model: Path | None = None,
    *,
    board: str | None = None,
    port: str | None = None,
    watching: Watching = Watching(),  # noqa: B008 - it is frozen
    samples: AnySamples | None = None,
    record: Path | None = None,
    against: Path | None = None,
    progress: Progress = SILENT,
) -> Monitored:
    """Keeps a board busy and watches it, until it is enough or Ctrl-C ends it.

    It talks to whatever firmware of ours answers at ``port``, or at the only port that is known to be the board's.
    With a model, it has to be that one, and a virtual board without a port is started with it. ``record`` is written as
    results come, ``against`` is an earlier record to compare with. Then a board that may have a state starts anew.
    """
    watch = Stopwatch(progress)
    earlier = None if against is None else read_record(against)
    source = None if model is None else integer_model(model, samples, watch)
    wanted = find_board(board or _ANY_BOARD)
    if board is None and port is None:
        raise UsageError("nothing says which board to watch", hint="--port PORT, or --board ID")
    with ExitStack() as stack:
        with watch.stage("connect"):
            session = stack.enter_context(_watched(source, wanted, port, watch))
        there = board_that_answers(session.hello, wanted if board else None)
        inputs = inputs_of(session.hello, source.graph if source else None, samples)
        if (record or earlier) and ((there and there.is_virtual) or (source and source.graph.is_stateful)):
            session.reset()
        comparison = None
        if earlier is not None:
            comparison = Comparison(earlier, header_of(session.hello, inputs, unit_of(there)))
        write = stack.enter_context(growing_file(record)) if record else None
        last = Watch(session, replace(watching, samples=inputs, write=write), there, comparison).run()
    return Monitored(model=model, last=last, record=record)


@contextmanager
def _watched(source: IntegerModel | None, board: Board, port: str | None, watch: Stopwatch) -> Iterator[Session]:
    """A session with what runs on the board; a virtual one is started where a model says with what."""
    if port is None and board.is_virtual:
        if source is None:
            raise UsageError(
                f"{board.id} is a virtual board, and nothing says what it is to run",
                hint="give a MODEL, or the --port of one that runs: tinydeploy flash --keep",
            )
        built = settled(source, Target(board=board.argument), watch, port=None)
        with running(built, watch, port=None) as (_, session):
            yield session
        return
    with make_contact(board, find_port(board, port)) as session:
        if source is not None:
            require_model(session.hello, source.graph.sha256)
        yield session
