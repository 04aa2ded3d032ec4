"""How a tensor lies in memory. Most are dense: their elements in the graph's order (NHWC), without gaps.

The other way is channel planes: each channel's values are an image of their own, which suits kernels that slide a
window over one channel at a time. A border of the zero point around each plane spares them all tests for padding.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

_SLACK_BYTES = 4
"""Kernels load whole words: they may read this far behind the last value, and the bytes mean nothing to them."""


@dataclass(frozen=True, kw_only=True)
class Planes:
    """Channel planes: value (c, y, x) of an int8 tensor is at byte ``c * plane_bytes + origin + y * pitch + x``.

    ``border`` says how many rows and columns around the values hold the tensor's zero point: top, left, bottom, right.
    It is zeros where what lies around is undefined.
    """

    channels: int
    height: int
    width: int
    pitch: int
    plane_bytes: int
    origin: int = 0
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def nbytes(self) -> int:
        """Bytes of all planes, with what kernels may read behind the last."""
        return self.channels * self.plane_bytes + _SLACK_BYTES

    def values(self, data: bytes) -> npt.NDArray[np.int8]:
        """The values among the bytes, of shape (height, width, channels)."""
        if len(data) < self.nbytes:
            raise ValueError(f"{len(data)} bytes, where the planes take {self.nbytes}")
        at_origin = np.frombuffer(data, np.int8)[self.origin :]
        shape, strides = (self.height, self.width, self.channels), (self.pitch, 1, self.plane_bytes)
        return np.lib.stride_tricks.as_strided(at_origin, shape, strides, writeable=False).copy()

    @classmethod
    def bordered(cls, channels: int, height: int, width: int, border: tuple[int, int, int, int]) -> Self:
        """Planes with a border; each starts at a multiple of 4 bytes."""
        top, left, bottom, right = border
        pitch = left + width + right
        return cls(
            channels=channels,
            height=height,
            width=width,
            pitch=pitch,
            plane_bytes=-(-(top + height + bottom) * pitch // 4) * 4,
            origin=top * pitch + left,
            border=border,
        )

    @classmethod
    def compact(cls, channels: int, height: int, width: int) -> Self:
        """Planes without anything between their values and themselves."""
        return cls(channels=channels, height=height, width=width, pitch=width, plane_bytes=height * width)

    def at_corner(self, height: int, width: int) -> "Planes":
        """Planes of the same pitch and size with their values, ``height`` x ``width``, at the top left of each."""
        return replace(self, height=height, width=width, origin=0, border=(0, 0, 0, 0))


Storage = Planes | None
"""How a tensor is stored; None: dense."""
