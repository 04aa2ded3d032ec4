"""Pointwise convolutions as matrix products on DSP cores: firmware/kernels/dsp/td_pointwise.h."""

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.dsp.product import (
    PIXELS,
    Grid,
    Product,
    expansion_instructions,
    product_parameters,
    tile_instructions,
    tiles_across_rows,
)
from tinydeploy.engines.aot.program import Parameter


def pointwise_parameters(
    product: Product, source: Grid, target: Grid, *, backwards: bool = False
) -> dict[str, Parameter]:
    """The fields of ``struct td_pointwise``."""
    if source.is_one_row and target.is_one_row:
        source, target = source.flat(), target.flat()
    return {
        "gemm": product_parameters(product, target),
        "input_channels": product.weights.shape[1],
        "plane_bytes": source.channel_step,
        "input_row_step": source.row_step,
        "input_pixel_step": source.pixel_step,
        "input_origin": source.origin,
        "backwards": int(backwards),
    }


def pointwise_instructions(product: Product, source: Grid, target: Grid) -> float:
    """Of one call of ``td_pointwise``; measured on a Cortex-M4."""
    depth = product.weights.shape[1]
    groups, rest = depth // 4, depth % 4
    if source.is_one_row and target.is_one_row:
        source, target = source.flat(), target.flat()
    tiles, across = -(-target.pixels // PIXELS), tiles_across_rows(target)
    if source.channel_step == 1:
        expansion = tiles * expansion_instructions(1, groups)
    else:
        scattered = across if source.pixel_step == 1 else tiles
        expansion = tiles * 20 + groups * ((tiles - scattered) * 32 + scattered * 47)
    return 60 + expansion + tiles * (57 + (14 + 34 * rest if rest else 0) + tile_instructions(product)) + across * 70


def may_run_in_place(source: Grid, target: Grid, channels: tuple[int, int]) -> tuple[bool, bool]:
    """Whether a pointwise product may start to write where its input starts, and whether it then has to go backwards.

    ``channels`` are those of the input and the output. No pixel may be written over one that is still to be read.
    """
    if source.channel_step == target.channel_step == 1:
        return source.is_one_row and target.is_one_row, channels[1] > channels[0]
    reads, writes = _places(source), _places(target)
    same_planes = source.channel_step == target.channel_step and source.pixel_step == target.pixel_step == 1
    return same_planes and bool(np.all(writes >= reads) or np.all(writes <= reads)), bool(np.any(writes > reads))


def _places(grid: Grid) -> npt.NDArray[np.int64]:
    """Of every pixel within its plane, [pixels]."""
    rows, columns = np.ogrid[: grid.rows, : grid.columns]
    return np.asarray(grid.origin + rows * grid.row_step + columns * grid.pixel_step).reshape(-1)
