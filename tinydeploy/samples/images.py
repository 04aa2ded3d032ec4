"""Samples of image files."""

import numpy as np

from tinydeploy.model.graph import Tensor
from tinydeploy.samples.choice import evenly, require_room, told
from tinydeploy.samples.collected import Collected
from tinydeploy.samples.fit import quantised_note, require_reals
from tinydeploy.samples.folders import FileSet, class_labels
from tinydeploy.samples.options import SampleOptions
from tinydeploy.samples.pixels import PixelLayout, layout_of, pixel_values

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)


def read_images(files: FileSet, tensor: Tensor, classes: int | None, options: SampleOptions) -> Collected:
    """One sample per image, made what the input takes; its folder is its label, see `class_labels`.

    Colours are converted as Pillow does it: grey is 0.299 red + 0.587 green + 0.114 blue, what is transparent is shown
    in its colour, 16 bits of grey become 8. Then the image is resized to the input's height and width, whatever its
    proportions, by Pillow's bilinear filter, which averages where it shrinks. A moving image is its first frame, and a
    note on which side is up (EXIF) is not looked at: all as torchvision and Keras have it.

    Raises:
        UsageError: An image cannot be read, or the input does not take images.
    """
    from tinydeploy.samples.decode import pixels_of

    require_reals(files.root, tensor, "images")
    layout = layout_of(files.root, tensor, options)
    table = pixel_values(files.root, tensor, layout.channels, options)
    item = evenly(len(files.files), options.limit)
    require_room(files.root, len(item), [tensor])
    values = np.empty((len(item), *tensor.shape), tensor.dtype.numpy)
    saturated = 0
    channels = np.arange(layout.channels)
    for place, index in enumerate(item):
        pixels = pixels_of(files.files[index], layout)
        image = table.values[channels, pixels]
        saturated += int(np.count_nonzero(table.clipped[channels, pixels]))
        values[place] = (image.transpose(2, 0, 1) if layout.channels_first else image).reshape(tensor.shape)
    labels, of_labels = class_labels(files, classes)
    notes = [_summary(len(item), len(files.files), layout, options), *of_labels]
    quantised = quantised_note(tensor, saturated, values.size)
    return Collected(
        inputs=(values,),
        saturated=(saturated,),
        notes=tuple(notes if quantised is None else [*notes, quantised]),
        items=len(files.files),
        item=item,
        labels=labels,
    )


def _summary(used: int, there: int, layout: PixelLayout, options: SampleOptions) -> str:
    low, high = options.image_range
    summary = f"{told(used, there, 'image')} made {layout}, pixels 0 to 255 as {low:g} to {high:g}"
    given = (options.image_mean, options.image_std)
    if given == (SampleOptions.image_mean, SampleOptions.image_std):
        return summary
    mean, deviation = (", ".join(f"{number:g}" for number in numbers) for numbers in given)
    return f"{summary}, less {mean}, divided by {deviation}"
