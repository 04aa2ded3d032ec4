"""The way of a model to a board and back. Read this first.

    .tflite → Graph → Plan → FirmwareProject → Image → running device → Comparison and Latency → Deployment

Every function here is a verb of the command line and does one stretch of that way. Data goes one way: each stage gets
what the one before it made, and nothing is decided after the Plan.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from tinydeploy.bench import measure_latency, measure_streaming
from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.build import build_project
from tinydeploy.contact import make_contact
from tinydeploy.deployment import Build, Deployment, Target
from tinydeploy.devices.emulator import VirtualBoard, run_virtual_board
from tinydeploy.devices.ports import PortInfo, find_port
from tinydeploy.devices.upload import upload
from tinydeploy.doctor import Check, check_tools
from tinydeploy.engines import ENGINES, default_engine
from tinydeploy.engines.interface import EnginePlan, EngineSettings
from tinydeploy.errors import UsageError
from tinydeploy.files import cache_dir
from tinydeploy.link.session import Session
from tinydeploy.model.graph import Graph
from tinydeploy.model.integer import require_integer
from tinydeploy.model.reader import read_model
from tinydeploy.plan import Plan, Replan, make_plan, require_fit
from tinydeploy.progress import SILENT, Progress, Stopwatch
from tinydeploy.project import FirmwareProject, render_project, write_project
from tinydeploy.verify.compare import compare, lsb_sizes
from tinydeploy.verify.oracle import reference_outputs
from tinydeploy.verify.samples import FIRST_NOISE, Samples, default_samples, join_samples, load_samples
from tinydeploy.verify.wire import pack_sample, unpack_outputs


def boards() -> tuple[Board, ...]:
    """The boards that come with the project."""
    return load_boards()


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
    """Plans for the boards, or for all there are. Whether they fit is part of the answer, not an error."""
    wanted = [find_board(board) for board in boards] or load_boards()
    plan_for = _planner(_read(model), buffers=buffers, settings=settings)
    return tuple(plan_for(board, engine or default_engine(board)) for board in wanted)


def generate(model: Path, target: Target, output: Path, *, progress: Progress = SILENT) -> tuple[Plan, FirmwareProject]:
    """Writes the firmware project to the folder ``output``, which has to be new, empty or an earlier project's."""
    plan, project = _generate(model, target, Stopwatch(progress))
    write_project(project, output)
    return plan, project


def build(model: Path, target: Target, *, progress: Progress = SILENT) -> Build:
    """Builds the firmware; a build of the same project is used again."""
    watch = Stopwatch(progress)
    plan, project = _generate(model, target, watch)
    return _build(model, plan, project, watch)


def flash(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: Path | None = None,
    keep: bool = False,
    progress: Progress = SILENT,
) -> Deployment:
    """Builds the firmware, starts it on the board and compares what it computes with the oracle.

    A real board is written to through ``port``, or through the only port that is known to be its. With ``keep``, a
    virtual board goes on running afterwards.
    """
    watch = Stopwatch(progress)
    plan, project = _generate(model, target, watch)
    inputs = _samples(plan.graph, samples)
    built = _build(model, plan, project, watch)
    with ExitStack() as stack:
        with watch.stage("flash"):
            device, session = stack.enter_context(_running(built, watch, port=port, keep=keep))
        deployment = _verify(model, plan, session, inputs, watch)
    return replace(deployment, image=built.image, kept=device if keep else None)


def verify(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: Path | None = None,
    progress: Progress = SILENT,
) -> Deployment:
    """Compares what a device that was flashed before computes with the oracle.

    Without ``port``, a virtual board is started with the firmware anew, and a real one is looked for.
    """
    if port is None and find_board(target.board).is_virtual:
        return flash(model, target, samples=samples, progress=progress)
    watch = Stopwatch(progress)
    plan, project = _generate(model, target, watch)
    inputs = _samples(plan.graph, samples)
    with ExitStack() as stack:
        with watch.stage("connect"):
            session = stack.enter_context(_session(plan, project, find_port(plan.board, port)))
        return _verify(model, plan, session, inputs, watch)


def bench(
    model: Path,
    target: Target,
    *,
    port: str | None = None,
    samples: Path | None = None,
    inferences: int = 20,
    progress: Progress = SILENT,
) -> Deployment:
    """Does what `flash` does, then streams inputs through the board as fast as it takes them, in real time."""
    watch = Stopwatch(progress)
    plan, project = _generate(model, target, watch)
    inputs = _samples(plan.graph, samples)
    built = _build(model, plan, project, watch)
    with ExitStack() as stack:
        with watch.stage("flash"):
            _, session = stack.enter_context(_running(built, watch, port=port))
        deployment = _verify(model, plan, session, inputs, watch)
    with watch.stage("stream"), _in_real_time(built, port) as session:
        packed = [pack_sample(inputs[index], session.hello) for index in range(inputs.count)]
        streaming = measure_streaming(session, packed, inferences, on_result=watch.step)
    return replace(deployment, image=built.image, streaming=streaming, seconds=watch.seconds)


def _planner(graph: Graph, *, buffers: int, settings: EngineSettings) -> Replan:
    """Plans a graph for any board and engine; what depends on neither is done once."""

    @cache
    def planner(engine: str) -> Callable[[Board], EnginePlan]:
        if engine not in ENGINES:
            raise UsageError(f"unknown engine {engine!r}", hint=f"one of: {', '.join(ENGINES)}")
        return ENGINES[engine].planner(graph, settings)

    return lambda board, engine: make_plan(planner(engine)(board), board, buffers=buffers)


def _read(model: Path) -> Graph:
    graph = read_model(model)
    require_integer(graph)
    return graph


def _generate(model: Path, target: Target, watch: Stopwatch) -> tuple[Plan, FirmwareProject]:
    board = find_board(target.board)
    with watch.stage("plan"):
        plan_for = _planner(_read(model), buffers=target.buffers, settings=target.settings)
        plan = plan_for(board, target.engine or default_engine(board))
        require_fit(plan, plan_for)
    watch.planned(plan)
    with watch.stage("generate"):
        project = render_project(
            code=plan.engine.generate(),
            board=plan.board,
            buffers=plan.buffers,
            model_name=plan.graph.name,
            model_sha256=plan.graph.sha256,
            engine=plan.engine.engine,
        )
    return plan, project


def _build(model: Path, plan: Plan, project: FirmwareProject, watch: Stopwatch) -> Build:
    with watch.stage("build"):
        image = build_project(project, _folder(project), on_line=watch.line)
    return Build(model=model, plan=plan, project=project, image=image, seconds=watch.seconds)


def _folder(project: FirmwareProject) -> Path:
    return cache_dir("projects") / project.folder_name


def _samples(graph: Graph, path: Path | None) -> Samples:
    """The default samples, and behind them the user's."""
    samples = default_samples(graph)
    return samples if path is None else join_samples(samples, load_samples(path, graph))


@contextmanager
def _running(
    built: Build, watch: Stopwatch, *, port: str | None, keep: bool = False
) -> Iterator[tuple[VirtualBoard | None, Session]]:
    """A board that runs what was built, and a session with it, while the block lasts. A real board is written to."""
    board, project = built.plan.board, built.project
    if board.is_virtual:
        with _emulated(built, port, counted=True, keep=keep) as running:
            yield running
        return
    there = find_port(board, port)
    upload(project, _folder(project), there, on_line=watch.line)
    with _session(built.plan, project, there, flashed=True) as session:
        yield None, session


@contextmanager
def _in_real_time(built: Build, port: str | None) -> Iterator[Session]:
    """A session with a board whose time is not that of counted instructions: a real one runs the firmware already."""
    if built.plan.board.is_virtual:
        with _emulated(built, port, counted=False) as (_, session):
            yield session
        return
    with _session(built.plan, built.project, find_port(built.plan.board, port)) as session:
        yield session


@contextmanager
def _emulated(
    built: Build, port: str | None, *, counted: bool, keep: bool = False
) -> Iterator[tuple[VirtualBoard, Session]]:
    board = built.plan.board
    if port is not None:
        raise UsageError(
            f"{board.id} is a virtual board, which is started anew and has no port before",
            hint="leave out --port; one that runs already is verified with: tinydeploy verify",
        )
    with (
        run_virtual_board(board, built.image.elf, count_instructions=counted, keep=keep) as device,
        _session(built.plan, built.project, PortInfo(name=device.port)) as session,
    ):
        yield device, session


@contextmanager
def _session(plan: Plan, project: FirmwareProject, port: PortInfo, *, flashed: bool = False) -> Iterator[Session]:
    """A session with exactly this firmware."""
    with make_contact(plan.board, port, flashed=flashed) as session:
        session.expect(project.build_id, plan.graph.sha256)
        yield session


def _verify(model: Path, plan: Plan, session: Session, samples: Samples, watch: Stopwatch) -> Deployment:
    with watch.stage("verify"):
        reference = reference_outputs(plan.graph.source, samples)
        packed = (pack_sample(samples[index], session.hello) for index in range(samples.count))
        results = []
        for result in session.run(packed):
            results.append(result.output)
            watch.step(len(results), samples.count)
        comparison = compare(
            unpack_outputs(results, session.hello), reference, lsb_sizes=lsb_sizes(plan.graph), labels=samples.labels
        )
        latency = measure_latency(session, plan.board, pack_sample(samples[FIRST_NOISE], session.hello))
    return Deployment(
        model=model,
        plan=plan,
        image=None,
        comparison=comparison,
        latency=latency,
        streaming=None,
        arena=session.hello.arena,
        stack_bytes=session.stats().stack_bytes,
        kept=None,
        notes=samples.notes,
        seconds=watch.seconds,
    )
