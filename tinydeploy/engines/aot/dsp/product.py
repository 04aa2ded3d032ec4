"""Matrix products on DSP cores: constants, parameters and costs of firmware/kernels/dsp/td_gemm.h.

A product is [pixels, depth] x [depth, channels]: of a convolution, each pixel's window and the weights. What the
kernels take for granted is checked here: that two channels of weights fit into a halfword, and that sums times 256 stay
within int32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.program import Array, Parameter
from tinydeploy.engines.aot.requantization import Fit, General, Requantization, may_lead_a_pair
from tinydeploy.engines.aot.storage import Planes

Int8Array = npt.NDArray[np.int8]
Int64Array = npt.NDArray[np.int64]
Uint32Array = npt.NDArray[np.uint32]

PIXELS = 4
"""Pixels that are computed at a time."""

_TAIL_BYTES = 32
"""TD_GEMM_TAIL_BYTES: behind the buffer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """The constants of a product: ``weights`` [channels, depth], ``bias`` [channels] with the input's zero point in it.

    ``is_wide``: two bytes a weight, which takes fewer instructions.
    """

    weights: Int8Array
    bias: Int64Array
    form: Fit | General
    is_wide: bool

    @property
    def channels(self) -> int:
        """Output channels."""
        return len(self.weights)

    @property
    def depth(self) -> int:
        """Of the windows as the kernels take it: a multiple of 4, at least 8."""
        return padded_depth(self.weights.shape[1])

    @property
    def constant_bytes(self) -> int:
        """Bytes in flash."""
        halves, ends = self.depth * (2 if self.is_wide else 1), 4 if isinstance(self.form, Fit) else 6
        return -(-self.channels // 2) * (8 + 2 * halves + 4 * ends)

    @property
    def buffer_bytes(self) -> int:
        """Scratch memory for the windows of 4 pixels and what is behind them."""
        return 8 * self.depth + _TAIL_BYTES


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where pixels lie: (row, column) at ``origin + row * row_step + column * pixel_step``.

    Their channels are ``channel_step`` apart. All in bytes.
    """

    rows: int
    columns: int
    row_step: int
    pixel_step: int
    channel_step: int
    origin: int = 0

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    @property
    def is_one_row(self) -> bool:
        """Whether the rows follow each other like the pixels of a row."""
        return self.rows == 1 or self.row_step == self.columns * self.pixel_step

    def flat(self) -> "Grid":
        """The same pixels as one row."""
        return replace(self, rows=1, columns=self.pixels, row_step=self.pixels * self.pixel_step)


def dense_grid(height: int, width: int, channels: int) -> Grid:
    """An NHWC tensor's pixels."""
    return Grid(rows=height, columns=width, row_step=width * channels, pixel_step=channels, channel_step=1)


def planes_grid(planes: Planes) -> Grid:
    """The pixels of channel planes."""
    return Grid(
        rows=planes.height,
        columns=planes.width,
        row_step=planes.pitch,
        pixel_step=1,
        channel_step=planes.plane_bytes,
        origin=planes.origin,
    )


def padded_depth(depth: int) -> int:
    """What the tile functions can take: groups of 4, at least 2."""
    return max(-(-depth // 4) * 4, 8)


def can_be_packed(weights: Int8Array, form: Fit | General, layer: Requantization) -> bool:
    """Whether two channels at a time can be summed by single multiplications, ``256 * a + b``.

    Each such weight must fit into a halfword, and 256 times the accumulators of all channels that lead a pair into
    int32. An odd last channel is paired with itself.
    """
    first, second = _pairs(len(weights))
    words = 256 * weights[first].astype(np.int64) + weights[second]
    if np.any(words < -(2**15)):
        return False
    if isinstance(form, Fit):
        return bool(may_lead_a_pair(form, layer)[first].all())
    reach = np.maximum(abs(layer.lo), abs(layer.hi))
    return bool(np.all((reach < 2**23)[first] | (form.multiplier == 0)[first]))


def product_parameters(product: Product, output: Grid) -> dict[str, Parameter]:
    """The fields of ``struct td_gemm``."""
    even = product.channels // 2 * 2
    streams = _streams(product)
    is_odd = product.channels > even
    return {
        "tile": tile_function(product),
        "pairs": _channels(product, streams[: even // 2], output.channel_step) if even else _alone(product, streams),
        "last": _alone(product, streams[even // 2 :]) if even and is_odd else {"stream": "NULL"},
        "last_offset": even * output.channel_step,
        "rows": output.rows,
        "columns": output.columns,
        "row_step": output.row_step,
        "pixel_step": output.pixel_step,
        "origin": output.origin,
    }


def tile_function(product: Product) -> str:
    """The instance of the tile that computes the product."""
    wide = "wide_" if product.is_wide else ""
    form = f"shift_{product.form.shift}" if isinstance(product.form, Fit) else "general"
    return f"td_gemm_4x2_{wide}{form}"


def _alone(product: Product, streams: Uint32Array) -> Mapping[str, Parameter]:
    """An odd channel, computed twice to the same place."""
    return _channels(product, streams, 0)


def _channels(product: Product, streams: Uint32Array, channel_step: int) -> Mapping[str, Parameter]:
    return {
        "channel_step": channel_step,
        "words": streams.size,
        "depth": product.depth,
        "stream": Array(values=streams),
    }


def _pairs(channels: int) -> tuple[Int64Array, Int64Array]:
    """The channels of each pair, [pairs] each; an odd last one stands for both."""
    first = np.arange(0, channels, 2)
    return first, np.minimum(first + 1, channels - 1)


def _streams(product: Product) -> Uint32Array:
    """The constants of each pair of channels in the order in which the tile reads them, [pairs, words]."""
    first, second = _pairs(product.channels)
    weights = np.zeros((product.channels, product.depth), np.int64)
    weights[:, : product.weights.shape[1]] = product.weights
    bias = product.bias + (product.form.bias_shift if isinstance(product.form, Fit) else 0)
    if product.is_wide:
        starts = np.stack([bias[first], bias[second]], axis=1)
        words = np.stack([_halfword_pairs(weights[first]), _halfword_pairs(weights[second])], axis=2)
    else:
        starts = np.stack([256 * bias[first] + bias[second], bias[second]], axis=1)
        words = _halfword_pairs(256 * weights[first] + weights[second])
    ends = np.hstack([_ends(product, first, leads=True), _ends(product, second, leads=False)])
    stream = np.hstack([starts, words.reshape(len(first), -1), ends])
    return (stream & 0xFFFFFFFF).astype(np.uint32)


def _halfword_pairs(values: Int64Array) -> Int64Array:
    """Words of the depths (k, k + 2), then (k + 1, k + 3), for every 4 values: [pairs, depth] to [pairs, depth / 2]."""
    low, high = np.moveaxis(values.reshape(len(values), -1, 2, 2), 2, 0) & 0xFFFF
    return np.asarray(low | high << 16).reshape(len(values), -1)


def _ends(product: Product, channels: Int64Array, *, leads: bool) -> Int64Array:
    """What becomes of the sums of each pair's first (``leads``) or second channel."""
    form = product.form
    if isinstance(form, General):
        return np.stack([form.multiplier[channels], form.offset[channels], form.shift[channels]], axis=1)
    factor = 256 if leads and not product.is_wide else 1
    return np.stack([form.multiplier[channels], factor * form.offset[channels]], axis=1)


def tile_instructions(product: Product) -> float:
    """Of all channels of one tile of 4 pixels, whose windows are in the buffer."""
    wide, general = product.is_wide, isinstance(product.form, General)
    steps = (11 if wide else 12) * product.depth // 2 + 1 + 3 * -(-(product.depth // 4 - 1) // 8)
    around = (34 if wide else 38) + (25 if general else 0)
    calls = 2 if product.channels > 2 and product.channels % 2 else 1
    return 20 * calls + -(-product.channels // 2) * (steps + around)


def expansion_instructions(rows: int, groups: int) -> float:
    """Of ``td_gemm_expand``."""
    return 16 + rows * (4 + 13 * groups + 2 * -(-groups // 4)) + 8 * (rows - 1) if groups else 0


def tiles_across_rows(grid: Grid) -> int:
    """How many tiles of 4 pixels do not lie in one row."""
    begins = np.arange(0, grid.pixels, PIXELS) % grid.columns
    return int(np.count_nonzero(begins + PIXELS > grid.columns))
