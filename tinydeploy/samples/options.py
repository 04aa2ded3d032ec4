"""How files become samples, where the model's inputs do not say it."""

import math
from dataclasses import dataclass

from tinydeploy.errors import UsageError

CHANNELS = (1, 3, 4)
"""How many channels an image can have: grey, colour, colour with alpha."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What a user may say about samples; the defaults are what most models expect.

    ``limit`` is how many samples are used at most, evenly spread over all that there are: over their order in a file,
    over the sorted names in a folder. Only images are concerned by the rest. ``image_range`` has the values of pixels 0
    and 255, in this order, so that (1, 0) inverts. ``image_size`` (height, width) and ``image_channels`` are the
    model's unless given; a flat input needs the size. ``image_mean`` and ``image_std`` have one number, or one per
    channel: behind the range, a value becomes (value - mean) / std.

    Raises:
        UsageError: An option makes no sense.
    """

    limit: int | None = None
    image_range: tuple[float, float] = (0.0, 1.0)
    image_size: tuple[int, int] | None = None
    image_channels: int | None = None
    image_mean: tuple[float, ...] = (0.0,)
    image_std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"{self.limit} samples are none", hint="--max-samples 1 or more")
        low, high = self.image_range
        if not (math.isfinite(low) and math.isfinite(high) and low != high):
            hint = "the values of black and of white, such as: --image-range -1 1"
            raise UsageError(f"an image range from {low:g} to {high:g} is none", hint=hint)
        if self.image_size is not None and min(self.image_size) < 1:
            height, width = self.image_size
            raise UsageError(f"an image of {height}x{width} pixels is none", hint="--image-size HEIGHT WIDTH")
        if self.image_channels is not None and self.image_channels not in CHANNELS:
            hint = "--image-channels 1 (grey), 3 (colour) or 4 (colour and alpha)"
            raise UsageError(f"images do not come with {self.image_channels} channels", hint=hint)
        if not all(map(math.isfinite, self.image_mean + self.image_std)) or min(self.image_std, default=1) <= 0:
            raise UsageError("the mean and the deviation of images have to be numbers, the deviation above 0")
