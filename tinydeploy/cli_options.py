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

    from tinydeploy.deployment import Target
    from tinydeploy.engines.interface import EngineSettings, Kernels
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
BUFFERS = click.option(
    "--buffers",
    type=click.IntRange(1, 2),
    default=2,
    metavar="N",
    show_default=True,
    help="Input buffers; with 2, the next input arrives while one is computed.",
)
SAMPLES = click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Further inputs, .npy or .npz; there, an array `labels` has the classes.",
)


KERNELS = click.option(
    "--kernels",
    type=click.Choice(["reference", "optimized"]),
    help="The engine's plain kernels, or those made for the core (CMSIS-NN, ESP-NN). Default: the best there are.",
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
    @TFLM_LIBRARY
    @ARENA
    @PROBE
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        kernels: "Kernels | None",
        tflm_library: str | None,
        arena_bytes: int | None,
        probe_arena: bool,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.engines.interface import EngineSettings

        settings = EngineSettings(
            kernels=kernels, tflm_library=tflm_library, arena_bytes=arena_bytes, probe_arena=probe_arena
        )
        return function(*args, settings=settings, **options)

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
