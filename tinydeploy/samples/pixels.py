"""How an image lies in a model's input, and which value each pixel gets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.model.graph import Tensor
from tinydeploy.model.text import shape_text
from tinydeploy.samples.options import CHANNELS, SampleOptions
from tinydeploy.samples.problems import input_name, misfit
from tinydeploy.samples.quantize import to_tensor_type
from tinydeploy.samples.samples import Array


@dataclass(frozen=True, kw_only=True)
class PixelLayout:
    """The size of an image as the model takes it, and the order: channels last unless they are first."""

    height: int
    width: int
    channels: int
    channels_first: bool = False

    def __str__(self) -> str:
        return f"{self.height}x{self.width} with {self.channels} channel{'s' if self.channels > 1 else ''}"


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelValues:
    """``values`` in the input's element type and ``clipped``, both of shape (channels, 256), by the pixel's value."""

    values: Array
    clipped: npt.NDArray[np.bool_]


def layout_of(path: Path, tensor: Tensor, options: SampleOptions) -> PixelLayout:
    """What the input's shape says: height x width x channels, else channels x height x width, else height x width.

    An input of one dimension has the size and the channels (1 unless given) of the options, channels last.

    Raises:
        UsageError: It is not the shape of an image, or not of one with the given size and channels.
    """
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    for layout in _candidates(shape, options):
        fits_size = options.image_size in (None, (layout.height, layout.width))
        if fits_size and options.image_channels in (None, layout.channels):
            return layout
    asked = [f"of {options.image_size[0]}x{options.image_size[1]}"] if options.image_size else []
    asked += [f"with {options.image_channels} channels"] if options.image_channels else []
    told = f"{input_name(tensor)} has shape {shape_text(tensor.shape)}, not that of an image {' '.join(asked)}".rstrip()
    if len(shape) == 1:
        hint = "say how an image lies in it: --image-size HEIGHT WIDTH, and --image-channels for colour"
    else:
        hint = "images are height x width x channels, with 1, 3 or 4 channels; save anything else as .npy"
    raise misfit(path, told, hint=hint)


def pixel_values(path: Path, tensor: Tensor, channels: int, options: SampleOptions) -> PixelValues:
    """The value of every pixel, as `SampleOptions` describes it, computed in double precision.

    Raises:
        UsageError: Mean or deviation are for another number of channels.
    """
    mean, deviation = _per_channel(options.image_mean, channels), _per_channel(options.image_std, channels)
    if mean is None or deviation is None:
        given = max(len(options.image_mean), len(options.image_std))
        hint = "give one number, or one per channel"
        raise misfit(path, f"{given} means or deviations for images of {channels} channels", hint=hint)
    low, high = options.image_range
    scaled = low + (high - low) * (np.arange(256) / 255)
    reals = (scaled - mean) / deviation
    flat = reals.reshape(-1)
    converted = to_tensor_type(flat, tensor)
    if converted.bad is not None:
        raise misfit(path, "the image range, mean and deviation lead beyond float32", hint="give smaller ones")
    clipped = [to_tensor_type(flat[place : place + 1], tensor).saturated > 0 for place in range(flat.size)]
    return PixelValues(values=converted.values.reshape(reals.shape), clipped=np.array(clipped).reshape(reals.shape))


def _per_channel(numbers: tuple[float, ...], channels: int) -> npt.NDArray[np.float64] | None:
    """As a column; None where they are neither one nor one per channel."""
    if len(numbers) not in {1, channels}:
        return None
    return np.broadcast_to(np.array(numbers), (channels,)).reshape(channels, 1)


def _candidates(shape: tuple[int, ...], options: SampleOptions) -> Iterator[PixelLayout]:
    if len(shape) == 3:
        if shape[2] in CHANNELS:
            yield PixelLayout(height=shape[0], width=shape[1], channels=shape[2])
        if shape[0] in CHANNELS:
            yield PixelLayout(height=shape[1], width=shape[2], channels=shape[0], channels_first=True)
    elif len(shape) == 2:
        yield PixelLayout(height=shape[0], width=shape[1], channels=1)
    elif len(shape) == 1 and options.image_size is not None:
        height, width = options.image_size
        channels = options.image_channels or 1
        if height * width * channels == shape[0]:
            yield PixelLayout(height=height, width=width, channels=channels)
