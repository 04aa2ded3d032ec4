"""Graph + Targets → Plans: one for every board and engine that is asked for, and who refuses."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tinydeploy.boards import Board, find_board, load_boards
from tinydeploy.engines import BOTH, ENGINES, default_engine
from tinydeploy.engines.interface import EnginePlan, EngineSettings
from tinydeploy.errors import TinydeployError, UsageError
from tinydeploy.lock.entry import measured_arenas
from tinydeploy.lock.file import read_lock
from tinydeploy.model.graph import Graph
from tinydeploy.plan import Plan, Replan, make_plan


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What a model may be deployed to: boards by id or file, an engine and its settings, the number of input buffers.

    Without ``boards``, it is all that come with the project. ``engine`` may be ``both``; without one, it is the default
    of each board. ``lock`` is the file with what boards reported before, if that is to count.
    """

    boards: tuple[str, ...] = ()
    engine: str | None = None
    buffers: int = 2
    settings: EngineSettings = field(default_factory=EngineSettings)
    lock: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A board and an engine that cannot run the model at all, and why."""

    board: str
    engine: str
    reason: str


def planner(graph: Graph, *, buffers: int, settings: EngineSettings, shared: bool = False) -> Replan:
    """Plans a graph for any board and engine; what depends on neither is done once.

    ``shared`` settings are for all engines: each takes those that it knows.
    """

    @cache
    def engine_planner(engine: str) -> Callable[[Board], EnginePlan]:
        if engine not in ENGINES:
            raise UsageError(f"unknown engine {engine!r}", hint=f"one of: {', '.join(ENGINES)}")
        return ENGINES[engine].planner(graph, settings.of_engine(engine) if shared else settings)

    return lambda board, engine: make_plan(engine_planner(engine)(board), board, buffers=buffers)


def plan_all(graph: Graph, targets: Targets) -> tuple[tuple[Plan, ...], tuple[Refusal, ...]]:
    """Plans for all targets, and the engines that cannot run the model there.

    Raises:
        TinydeployError: No engine can, on one of the boards that are named, or on any.
    """
    is_both = targets.engine == BOTH
    settings = with_measured(targets.settings, graph, targets.lock)
    plan_for = planner(graph, buffers=targets.buffers, settings=settings, shared=is_both)
    plans, refusals, errors = [], [], []
    for board in map(find_board, targets.boards) if targets.boards else load_boards():
        failed, engines = [], tuple(ENGINES) if is_both else (targets.engine or default_engine(board),)
        for engine in engines:
            try:
                plans.append(plan_for(board, engine))
            except TinydeployError as error:
                failed.append(error)
                refusals.append(Refusal(board=board.id, engine=engine, reason=error.summary))
        if targets.boards and len(failed) == len(engines):
            raise failed[0]
        errors += failed
    if not plans:
        raise errors[0]
    return tuple(plans), tuple(refusals)


def with_measured(settings: EngineSettings, graph: Graph, lock: Path | None) -> EngineSettings:
    """The settings, with what the lock file tells of the model's arena.

    Raises:
        UsageError: The file is damaged.
    """
    if lock is None:
        return settings
    told = measured_arenas(read_lock(lock), graph.sha256)
    return replace(settings, measured={**told, **settings.measured})
