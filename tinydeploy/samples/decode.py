"""Pixels out of image files, which anyone may have written."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tinydeploy.errors import UsageError
from tinydeploy.samples.pixels import PixelLayout
from tinydeploy.samples.problems import bad_member, unreadable

# Only these decoders are let near the files: others of Pillow's start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Pillow's own limit, from which on it warns: a quarter of 1 GiB, at 3 bytes a pixel.
_MAX_PIXELS = (1 << 30) // 4 // 3


def pixels_of(path: Path, layout: PixelLayout) -> npt.NDArray[np.uint8]:
    """The pixels of one image, of shape (height, width, channels), converted and resized.

    Raises:
        UsageError: It is damaged, of a kind that is not known, or too large to be decoded.
    """
    hint = "replace the image, or take it out"
    try:
        # Pillow also warns of images that it reads well enough.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as image:
            _require_size(path, image)
            fitted = _eight_bits(path, image).convert(_MODES[layout.channels])
            if fitted.size != (layout.width, layout.height):
                fitted = fitted.resize((layout.width, layout.height), Image.Resampling.BILINEAR)
            return np.asarray(fitted, np.uint8).reshape(layout.height, layout.width, layout.channels)
    except UsageError:
        raise
    except Image.DecompressionBombError as error:
        told = f"the image has more than {2 * _MAX_PIXELS:,} pixels"
        raise bad_member(path, told, hint="make it smaller, or take it out") from error
    except PermissionError as error:
        raise unreadable(path, error) from error
    except UnidentifiedImageError as error:
        raise bad_member(path, "it is not an image, or of a kind that is not known", hint=hint) from error
    except Exception as error:  # There is no list of what Pillow raises on damaged files.
        raise bad_member(path, "the image is damaged or truncated", hint=hint) from error


def _require_size(path: Path, image: Image.Image) -> None:
    if image.width * image.height > _MAX_PIXELS:
        told = f"the image has {image.width:,}x{image.height:,} pixels, at most {_MAX_PIXELS:,} in all"
        raise bad_member(path, told, hint="make it smaller, or take it out")


def _eight_bits(path: Path, image: Image.Image) -> Image.Image:
    """The image, where a pixel's 16 bits of grey, which Pillow would cut to 255 rather than scale, are 8."""
    is_wide = image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PNG", "PPM"})
    if is_wide:
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise bad_member(path, "the image has 32 bits of grey in a pixel, at most 16", hint="save such data as .npy")
    return image
