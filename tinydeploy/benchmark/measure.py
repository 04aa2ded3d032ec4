"""Models, boards and variants → Runs: every model is deployed to every board with every variant, and verified there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from time import monotonic

from tinydeploy import __version__, pipeline
from tinydeploy.benchmark.figures import BenchModel, Cost, ModelLayer, Origin, Run
from tinydeploy.benchmark.variants import VARIANTS
from tinydeploy.boards import Board, load_boards
from tinydeploy.deployment import Deployment, Target
from tinydeploy.errors import FitError, LinkError, ModelError
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.macs import op_macs
from tinydeploy.model.reader import read_model
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan

_BUFFERS = (2, 1)
"""Input buffers: none of the figures depends on their number, but a model may fit with one only."""

_ATTEMPTS = 3
"""Of a run whose link broke: on a machine that is busy, an emulator can be too slow for the line's timeouts."""

_WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The names, with versions, of the compiler and the emulator that are on this machine."""

    compiler: str
    emulator: str


def usual_boards() -> tuple[Board, ...]:
    """A virtual board for each core, the one with the most RAM; the smallest cores first."""
    roomiest: dict[str, Board] = {}
    for board in sorted((board for board in load_boards() if board.is_virtual), key=lambda board: board.ram_bytes):
        roomiest[board.core] = board
    return tuple(roomiest[core] for core in sorted(roomiest, key=_core_number))


def bench_model(path: Path) -> BenchModel:
    """What a .tflite file is called here, and its layers.

    Raises:
        ModelError: The file is not a usable model.
    """
    graph = read_model(path)
    layers = tuple(ModelLayer(label=_label(graph, op), macs=op_macs(graph, op)) for op in graph.ops)
    return BenchModel(name=printable(path.stem.removesuffix("_int8")), sha256=graph.sha256, layers=layers)


def measured(
    models: Sequence[Path],
    boards: Sequence[str],
    variants: Sequence[str],
    *,
    tflm_library: str | None,
    tools: Tools,
    on_line: Callable[[str], None],
) -> Iterator[tuple[BenchModel, Run]]:
    """Runs all combinations, one after the other; ``on_line`` is told what comes of each.

    What does not fit, is not supported or is not bit-identical is a run without figures. A run whose link broke is none
    at all, and the others go on.

    Raises:
        LinkError: After all others, where the link of a run broke each time that it was tried.
        TinydeployError: A run failed otherwise: a tool is missing, or a board did not answer.
    """
    broken: LinkError | None = None
    for path, board, variant in product(models, boards, variants):
        model, begin = bench_model(path), monotonic()
        try:
            run = _run(path, model, board, variant, tflm_library, tools)
        except LinkError as error:
            on_line(f"{model.name} on {board} with {variant}: {error.summary}")
            broken = error
            continue
        on_line(f"{_outcome(run)}, {monotonic() - begin:.1f} s")
        yield model, run
    if broken:
        raise broken


def cost_of(deployment: Deployment) -> Cost | None:
    """What a deployment took; None where an inference is longer than the board's timer."""
    engine, image = deployment.plan.engine, deployment.image
    assert image is not None
    assert image.model_bytes is not None, "virtual boards are linked with our own script"
    assert image.code_bytes is not None
    if deployment.latency.per_inference is None:
        return None
    return Cost(
        instructions=deployment.latency.per_inference,
        layers=deployment.latency.layers,
        macs=engine.macs,
        layer_macs=executed_macs(deployment.plan),
        arena_bytes=engine.arena_reserved_bytes,
        state_bytes=engine.state_bytes,
        stack_bytes=deployment.stack_bytes,
        constant_bytes=image.model_bytes,
        code_bytes=image.code_bytes,
    )


def executed_macs(plan: Plan) -> tuple[int, ...]:
    """The multiply-accumulates of each op that are executed: fewer than the model's where exact passes apply.

    Their sum is the plan's ``macs``.
    """
    executed = plan.engine.executed
    left = {op.index: op_macs(executed, op) for op in executed.ops}
    return tuple(left.get(op.index, 0) for op in plan.graph.ops)


def _run(path: Path, model: BenchModel, board: str, name: str, tflm_library: str | None, tools: Tools) -> Run:
    variant = VARIANTS[name]
    target = Target(board=board, engine=variant.engine, settings=variant.settings(tflm_library))
    origin = Origin(
        date=datetime.now(UTC).date().isoformat(),
        tinydeploy=__version__,
        compiler=tools.compiler,
        emulator=tools.emulator,
    )
    run = Run(model=model.name, board=board, engine=name, origin=origin)
    try:
        deployment = _deployed(path, target)
    except FitError:
        return replace(run, problem="does not fit")
    except ModelError as error:
        return replace(run, problem=error.summary)
    run = replace(run, library=deployment.plan.engine.library, oracle=deployment.comparison.oracle)
    if not deployment.comparison.exact:
        return replace(run, problem="outputs differ")
    cost = cost_of(deployment)
    return replace(run, cost=cost, problem="" if cost else "longer than the board's timer")


def _deployed(path: Path, target: Target) -> Deployment:
    """The deployment, with as many input buffers as fit.

    Raises:
        FitError: It does not fit with a single one either.
        LinkError: The link broke each time.
    """
    *others, fewest = (replace(target, buffers=buffers) for buffers in _BUFFERS)
    for attempt in others:
        with suppress(FitError):
            return _flashed(path, attempt)
    return _flashed(path, fewest)


def _flashed(path: Path, target: Target) -> Deployment:
    for _ in range(_ATTEMPTS - 1):
        with suppress(LinkError):
            return pipeline.flash(path, target)
    return pipeline.flash(path, target)


def _outcome(run: Run) -> str:
    what = f"{run.cost.instructions:,} instructions" if run.cost else run.problem
    return f"{run.model} on {run.board} with {run.engine}: {what}"


def _label(graph: Graph, op: Op) -> str:
    """An op's kind, and its window where it has one."""
    kind = printable(op.kind, limit=32)
    if op.is_custom or op.kind not in _WINDOWED:
        return kind
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    return f"{kind} {height}x{width}"


def _core_number(core: str) -> tuple[int, str]:
    digits = "".join(char for char in core if char.isdigit())
    return int(digits or 0), core
