"""An integer model and a Target → Plan → FirmwareProject → Image: the stretch of the way that needs no board.

But for one case: `settled` asks a board for the size of an arena that can only be estimated.
"""

from dataclasses import replace
from pathlib import Path

from tinydeploy.boards import find_board
from tinydeploy.build import build_project
from tinydeploy.deployment import Build, Target
from tinydeploy.engines import default_engine
from tinydeploy.engines.interface import ArenaSizes
from tinydeploy.files import cache_dir
from tinydeploy.image import Image
from tinydeploy.integer_model import IntegerModel
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.plan import Plan, require_fit
from tinydeploy.planning import planner, with_measured
from tinydeploy.progress import Stopwatch
from tinydeploy.project import FirmwareProject, render_project
from tinydeploy.running import running


def planned_project(source: IntegerModel, target: Target, watch: Stopwatch) -> tuple[Plan, FirmwareProject]:
    """Plans and renders.

    Raises:
        FitError: It does not fit.
        ModelError, UsageError: The engine cannot run the model, or not with these settings.
    """
    graph, board = source.graph, find_board(target.board)
    with watch.stage("plan"):
        settings = with_measured(target.settings, graph, target.lock)
        plan_for = planner(graph, buffers=target.buffers, settings=settings)
        plan = plan_for(board, target.engine or default_engine(board))
        require_fit(plan, plan_for)
    watch.planned(plan)
    return plan, rendered(plan, watch)


def rendered(plan: Plan, watch: Stopwatch) -> FirmwareProject:
    """The firmware's files."""
    with watch.stage("generate"):
        return render_project(
            code=plan.engine.generate(),
            board=plan.board,
            buffers=plan.buffers,
            model_name=plan.graph.name,
            model_sha256=plan.graph.sha256,
            engine=plan.engine.engine,
        )


def built_firmware(source: IntegerModel, target: Target, watch: Stopwatch) -> Build:
    """Plans, renders and builds.

    Raises:
        TinydeployError: What `planned_project` and `build_project` raise.
    """
    plan, project = planned_project(source, target, watch)
    folder, image = built_image(project, watch)
    return Build(
        model=source.path,
        conversion=source.conversion,
        plan=plan,
        project=project,
        folder=folder,
        image=image,
        seconds=watch.seconds,
    )


def built_image(project: FirmwareProject, watch: Stopwatch) -> tuple[Path, Image]:
    """Builds in the user's cache; the folder and what came out."""
    folder = cache_dir("projects") / project.folder_name
    with watch.stage("build"):
        return folder, build_project(project, folder, on_line=watch.line)


def settled(
    source: IntegerModel, target: Target, watch: Stopwatch, *, port: str | None, log: FrameLog | None = None
) -> Build:
    """Builds. Where the arena's size is only estimated, the board is asked for it, and all is built again with that."""
    built = built_firmware(source, target, watch)
    engine = built.plan.engine
    if engine.arena_estimated is None or target.settings.probe_arena:
        return built
    with watch.stage("measure"), running(built, watch, port=port, log=log) as (_, session):
        arena = session.hello.arena
    if arena.smallest_bytes is None:
        raise ValueError(f"{built.plan.board.id} runs a firmware that has not looked for its smallest arena")
    sizes = ArenaSizes(used_bytes=arena.used_bytes, needed_bytes=arena.smallest_bytes)
    key = (built.plan.board.id, engine.library_identity, engine.kernels)
    settings = replace(target.settings, measured={**target.settings.measured, key: sizes})
    return built_firmware(source, replace(target, settings=settings), watch)
