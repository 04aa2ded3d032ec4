"""The work of the kernels in firmware/kernels/mve: vectors of sixteen, tiles of three positions and four channels."""

from collections.abc import Mapping

from tinydeploy.cost.windows import Side

_LANES = 16

_WINDOWS_BYTES = 1792
"""Of windows that are gathered: conv_2d.c, BUFFER."""

_STRETCH_BYTES = 1536
"""Of weights and rows: depthwise_conv_2d.c, BUFFER."""


def mve_matrix_amounts(vectors: int, channels: int, depth: int) -> Mapping[str, float]:
    """Of td_mve_multiply_matrix(): so many vectors with the weights of all channels, in tiles of three."""
    tiles = vectors // 3 if channels >= 4 else 0
    return {"calls": 1, **_products(tiles, vectors - 3 * tiles, channels, (1, depth), depth)}


def mve_conv_amounts(down: Side, across: Side, inputs: int, outputs: int) -> Mapping[str, float]:
    """Of a convolution that is none with 1x1 windows: gathered first where windows are small."""
    positions = down.outputs * across.outputs
    depth = down.taps * across.taps * inputs
    whole = down.whole * across.whole if across.dilation == 1 else 0
    run = across.taps * inputs
    if 3 * depth <= _WINDOWS_BYTES:
        tiles = positions // 3 if outputs >= 4 else 0
        products = _products(tiles, positions - 3 * tiles, outputs, (1, depth), depth)
        gathered, at_edges = whole, positions - whole
    else:
        tiles = down.whole * (across.whole // 3) if outputs >= 4 and whole else 0
        products = _products(tiles, positions - 3 * tiles, outputs, (down.taps, run), depth)
        gathered, at_edges = 0, positions - 3 * tiles
    return {
        "calls": 1,
        "rows": down.outputs,
        "gathered windows": gathered,
        "gathered rows": gathered * down.taps,
        "gathered steps": gathered * down.taps * -(-run // _LANES),
        "windows at edges": at_edges,
        "rows at edges": at_edges * down.taps,
        "taps at edges": at_edges * down.taps * across.taps * (across.dilation > 1),
        "steps at edges": at_edges * down.taps * -(-run // _LANES),
        **products,
    }


def _products(tiles: int, singles: int, channels: int, runs: tuple[int, int], depth: int) -> dict[str, float]:
    groups = -(-channels // 4)
    count, length = runs
    return {
        "tiles": tiles,
        "tile groups": tiles * groups,
        "tile remainders": tiles * (channels % 4 > 0),
        "tile runs": tiles * groups * (count - 1),
        "tile steps": tiles * groups * count * -(-length // _LANES),
        "singles": singles,
        "single groups": singles * groups,
        "single steps": singles * groups * -(-depth // _LANES),
        "channels": channels,
    }


def mve_depthwise_amounts(down: Side, across: Side, inputs: int, outputs: int) -> Mapping[str, float]:
    """Of a depthwise convolution: rows are copied to a buffer, sixteen channels at a time, in stretches of columns."""
    taps = down.taps * across.taps
    columns = (_STRETCH_BYTES // _LANES - taps - 1) // down.taps
    spare = columns - 1 - (across.taps - 1) * across.dilation
    if spare < 0:
        return _plain_amounts(down, across, outputs)
    stretch = min(spare // across.stride + 1, across.outputs)
    is_dense = outputs == inputs and across.stride == 1 and _LANES % outputs == 0
    at_once = outputs if is_dense else _LANES
    groups, full = -(-outputs // at_once), outputs // at_once
    stretches = -(-across.outputs // stretch)
    amounts = _vectors(down, across, (groups, full), (stretch, _LANES // at_once))
    kept = max(down.taps - down.stride, 0) if down.dilation == 1 else 0
    rows = groups * stretches * (down.taps + (down.outputs - 1) * (down.taps - kept))
    wide = rows * ((across.outputs - 1) * across.stride + (across.taps - 1) * across.dilation + 1) / stretches
    return {
        "calls": 1,
        "groups": groups,
        "weights": groups * taps,
        "stretches": groups * stretches,
        "rows": groups * stretches * down.outputs,
        "loaded rows": rows,
        "loaded columns": wide if at_once == _LANES and outputs == inputs else 0,
        "packed columns": wide if at_once < _LANES else 0,
        "packed rows": rows if at_once < _LANES else 0,
        "shared columns": wide if outputs != inputs else 0,
        "shared rows": rows if outputs != inputs else 0,
        **amounts,
    }


def _plain_amounts(down: Side, across: Side, channels: int) -> Mapping[str, float]:
    windows, inside = down.outputs * across.outputs, down.inside * across.inside
    return {
        "calls": 1,
        "channels": channels,
        "plain outputs": windows * channels,
        "plain products": windows * down.taps * across.taps * channels,
        "plain products inside": inside * channels,
    }


def _vectors(down: Side, across: Side, groups: tuple[int, int], steps: tuple[int, int]) -> dict[str, float]:
    """Vectors of full groups with 3x3 windows are fast; those that are not full, and of other windows, are not."""
    stretch, positions = steps
    every, full = groups
    is_3x3 = down.taps == across.taps == 3 and across.dilation == 1
    widths = [min(stretch, across.outputs - begin) for begin in range(0, across.outputs, stretch)]
    whole = sum(width // positions for width in widths)
    partly = sum(-(-width // positions) for width in widths) - whole
    fast = down.outputs * whole * full if is_3x3 else 0
    slow = down.outputs * (whole + partly) * every - fast
    taps = down.taps * across.taps
    return {
        "fast vectors": fast,
        "slow vectors": slow,
        "slow products": slow * taps,
        "slow rows": slow * down.taps,
        "slow pairs": slow * down.taps * (across.taps // 2),
    }
