"""The options of the command line, and how several of them become one value that a verb gets."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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


_RANDOM = "random"

PORT = click.option(
    "--port", metavar="PORT", help="The board's serial port; without it, the only one that is known to be the board's."
)


def _numbers(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Numbers with commas between them."""
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} are no numbers with commas between them") from error


def with_samples(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the options about samples, as ``samples``; None where there are none."""

    @click.option(
        "--samples",
        metavar="DATA",
        help="Inputs: an .npy, .npz or .csv file, or a folder of images or .wav files. They calibrate a model that is "
        "not int8 yet, and are verified on the board. `random`: noise, to try a conversion.",
    )
    @click.option(
        "--labels",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The samples' classes, .npy, .csv or .txt. An array `labels` in an .npz, a column of a table and folders "
        "named by class are known without.",
    )
    @click.option("--max-samples", type=click.IntRange(1), metavar="N", help="Take so many of them, evenly spread.")
    @click.option(
        "--image-range",
        type=(float, float),
        default=(0.0, 1.0),
        metavar="LOW HIGH",
        show_default=True,
        help="What black and white are to the model.",
    )
    @click.option(
        "--image-mean",
        callback=_numbers,
        metavar="NUMBERS",
        help="Subtract it then: a number, or one for each channel with commas between them.",
    )
    @click.option(
        "--image-std", callback=_numbers, metavar="NUMBERS", help="Divide by it at last, as torchvision does."
    )
    @click.option("--image-size", type=(int, int), metavar="H W", help="Of images, where the model does not tell.")
    @click.option("--image-channels", type=int, metavar="N", help="1: grey, 3: colour, 4: with alpha.")
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        samples: str | None,
        labels: Path | None,
        max_samples: int | None,
        image_range: tuple[float, float],
        image_mean: tuple[float, ...] | None,
        image_std: tuple[float, ...] | None,
        image_size: tuple[int, int] | None,
        image_channels: int | None,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.samples.options import SampleOptions
        from tinydeploy.samples.source import SampleSource

        if samples is None:
            if labels is not None:
                raise UsageError("--labels are of samples, of which there are none", hint="add --samples DATA")
            return function(*args, samples=None, **options)
        how = SampleOptions(
            limit=max_samples,
            image_range=image_range,
            image_size=image_size,
            image_channels=image_channels,
            image_mean=image_mean or (0.0,),
            image_std=image_std or (1.0,),
        )
        path = None if samples == _RANDOM else Path(samples)
        return function(*args, samples=SampleSource(path=path, labels=labels, options=how), **options)

    return command


def with_quantization(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the options about how to quantise, as ``settings``."""

    @click.option(
        "--target",
        type=click.Choice(["int8", "int16x8"]),
        default="int8",
        show_default=True,
        help="Activations of 8 bits, or of 16, which is slower and more exact; weights are int8.",
    )
    @click.option(
        "--weights",
        type=click.Choice(["per-channel", "per-tensor"]),
        default="per-channel",
        show_default=True,
        help="One scale for each output channel of a layer, or one for each layer.",
    )
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        target: Literal["int8", "int16x8"],
        weights: str,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.convert.quantize import QuantizationSettings

        settings = QuantizationSettings(target=target, per_channel=weights == "per-channel")
        return function(*args, settings=settings, **options)

    return command


def with_gates(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the limits on quality, as ``gates``."""

    @click.option("--min-sqnr", type=float, metavar="DB", help="Fail where an output is further from the float model.")
    @click.option(
        "--min-accuracy",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="Fail where fewer samples are right: 0 to 1.",
    )
    @functools.wraps(function)
    def command(
        *args: Any,  # noqa: ANN401 - click's
        min_sqnr: float | None,
        min_accuracy: float | None,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Outcome:
        from tinydeploy.convert.gates import Gates

        return function(*args, gates=Gates(min_sqnr_db=min_sqnr, min_accuracy=min_accuracy), **options)

    return command


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
