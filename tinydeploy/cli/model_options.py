"""The options about samples, and about how a model becomes integer."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from tinydeploy.cli.options import Outcome
from tinydeploy.errors import UsageError

_RANDOM = "random"


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
