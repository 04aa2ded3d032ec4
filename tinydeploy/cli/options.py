"""The options of the command line, and how several of them become one value that a verb gets."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinydeploy.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tinydeploy.budget.project_file import ProjectFile
    from tinydeploy.deployment import Target
    from tinydeploy.engines.interface import EngineSettings, Kernels, Objective
    from tinydeploy.report.values import Json


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command has to say: to a person, to a program, and to the shell."""

    text: "RenderableType"
    json: "dict[str, Json]"
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """The lock file, and what becomes of figures that differ from it."""

    path: Path
    update: bool
    required: bool


MODEL = click.argument("model", type=click.Path(path_type=Path))
BOARD = click.option("--board", required=True, metavar="ID", help="The board, or the path of its .toml file.")
ENGINE = click.option(
    "--engine",
    type=click.Choice(["aot", "tflm"]),
    help="What runs the model: compiled C, or TensorFlow Lite Micro. Default: aot on virtual boards, else tflm.",
)
ANY_ENGINE = click.option(
    "--engine",
    type=click.Choice(["aot", "tflm", "both"]),
    help="What runs the model. Default: aot on virtual boards, else tflm.",
)
BUFFERS = click.option(
    "--buffers",
    type=click.IntRange(1, 2),
    default=2,
    metavar="N",
    show_default=True,
    help="Input buffers; with 2, the next input arrives while one is computed.",
)
KERNELS = click.option(
    "--kernels",
    type=click.Choice(["reference", "optimized"]),
    help="The engine's plain kernels, or those made for the core (CMSIS-NN, ESP-NN). Default: the best there are.",
)
OPTIMIZE = click.option(
    "--optimize",
    type=click.Choice(["speed", "size", "ram"]),
    help="What the aot engine gives up the rest for. Default: speed, with constants of the weights' own size.",
)
TFLM_LIBRARY = click.option(
    "--tflm-lib",
    "tflm_library",
    metavar="SPEC",
    help="TensorFlow Lite Micro instead of the board's own: a folder, a Git URL, or owner/name@version.",
)
ARENA = click.option(
    "--arena-bytes",
    type=click.IntRange(16, 1 << 30),
    metavar="N",
    help="Reserve an arena of this size, whatever the plan says (tflm).",
)
PROBE = click.option(
    "--probe-arena", is_flag=True, help="Have the board look for the smallest arena with which the model starts (tflm)."
)


PORT = click.option(
    "--port", metavar="PORT", help="The board's serial port; without it, the only one that is known to be the board's."
)


def with_lock(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb that deploys the lock file to compare with, as ``lock``; its target knows of it, too."""

    @click.option(
        "--lock",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("tinydeploy.lock"),
        show_default=True,
        metavar="FILE",
        help="What boards reported: new figures are kept there, others compared with it.",
    )
    @click.option("--update-lock", "update", is_flag=True, help="Replace figures that moved.")
    @click.option("--locked", "required", is_flag=True, help="Fail where figures moved or are missing; write nothing.")
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        target: "Target",
        path: Path,
        update: bool,
        required: bool,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.files import require_place

        if update and required:
            raise UsageError("--locked and --update-lock exclude each other", hint="leave out one of them")
        if required and target.settings.probe_arena:
            raise UsageError(
                "--locked and --probe-arena exclude each other: a firmware that probes is not the one that is deployed",
                hint="leave out one of them",
            )
        if not required:
            require_place(path)
        lock = LockOptions(path=path, update=update, required=required)
        return function(*args, target=replace(target, lock=path), lock=lock, **options)

    return command


def with_settings(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the options about an engine, as ``settings``."""

    @KERNELS
    @OPTIMIZE
    @TFLM_LIBRARY
    @ARENA
    @PROBE
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        kernels: "Kernels | None",
        optimize: "Objective | None",
        tflm_library: str | None,
        arena_bytes: int | None,
        probe_arena: bool,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.engines.interface import EngineSettings

        settings = EngineSettings(
            kernels=kernels,
            optimize=optimize,
            tflm_library=tflm_library,
            arena_bytes=arena_bytes,
            probe_arena=probe_arena,
        )
        return function(*args, settings=settings, **options)

    return command


def on_targets(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the options about many boards, as ``targets``; what they leave out is in the project's file.

    That file's limits come as ``project``.
    """

    @click.option("--board", "boards", multiple=True, metavar="ID", help="A board, or its .toml file; may be repeated.")
    @ANY_ENGINE
    @BUFFERS
    @with_settings
    @click.option(
        "--lock",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("tinydeploy.lock"),
        show_default=True,
        metavar="FILE",
        help="What boards reported before.",
    )
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        boards: tuple[str, ...],
        engine: str | None,
        buffers: int,
        settings: "EngineSettings",
        lock: Path,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.budget.project_file import read_project_file
        from tinydeploy.planning import Targets

        project = read_project_file(Path.cwd())
        targets = Targets(
            boards=boards or project.boards,
            engine=engine or project.engine,
            buffers=buffers,
            settings=settings,
            lock=lock,
        )
        return function(*args, targets=targets, project=project, **options)

    return command


def with_demands(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb what a budget has to keep, as ``demands``: the options, and behind them the project's file."""

    @click.option("--max-arena", metavar="SIZE", help="Fail where the arena is larger, such as 64K (K is 1024).")
    @click.option("--max-ram", metavar="SIZE", help="Fail where all RAM together is more.")
    @click.option("--max-flash", metavar="SIZE", help="Fail where constants and code are more.")
    @click.option("--max-instructions", metavar="N", help="Fail where an inference takes more, such as 10M.")
    @click.option(
        "--against",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="An earlier budget's JSON: show what changed, and fail where a figure grew.",
    )
    @click.option("--max-growth", metavar="SHARE", help="By how much a figure may grow, such as 2%.  [default: 0%]")
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        project: "ProjectFile",
        against: Path | None,
        max_growth: str | None,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.budget.baseline import read_baseline
        from tinydeploy.budget.figures import QUANTITIES
        from tinydeploy.budget.limits import Limits, parse_limit
        from tinydeploy.budget.project_file import parse_share
        from tinydeploy.budget.report import Demands

        texts = {quantity: options.pop(f"max_{quantity}") for quantity in QUANTITIES}
        if max_growth is not None and against is None:
            raise UsageError("--max-growth is of an earlier budget", hint="add --against FILE")
        limits = Limits(most={quantity: parse_limit(quantity, text) for quantity, text in texts.items() if text})
        demands = Demands(
            limits=limits.before(project.limits),
            against=None if against is None else read_baseline(against),
            growth=(project.growth or 0.0) if max_growth is None else parse_share(max_growth),
        )
        return function(*args, demands=demands, **options)

    return command


def with_watching(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb what there is to watch and for how long, as ``watching``."""

    @click.option(
        "--labels", type=click.Path(path_type=Path), metavar="FILE", help="The names of the classes, one in each line."
    )
    @click.option(
        "--top", type=click.IntRange(0, 20), default=3, metavar="N", show_default=True, help="Classes to show."
    )
    @click.option("--seconds", type=click.FloatRange(min=0), metavar="N", help="End after so many seconds.")
    @click.option("--inferences", type=click.IntRange(1), metavar="N", help="End after so many inferences.")
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        labels: Path | None,
        top: int,
        seconds: float | None,
        inferences: int | None,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.monitor.watch import Watching, read_labels

        names = None if labels is None else read_labels(labels)
        watching = Watching(seconds=seconds, inferences=inferences, labels=names, top=top)
        return function(*args, watching=watching, **options)

    return command


def on_target(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the options that say what to deploy to, as ``target``."""

    @BOARD
    @ENGINE
    @BUFFERS
    @with_settings
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        board: str,
        engine: str | None,
        buffers: int,
        settings: "EngineSettings",
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.deployment import Target

        target = Target(board=board, engine=engine, buffers=buffers, settings=settings)
        return function(*args, target=target, **options)

    return command
