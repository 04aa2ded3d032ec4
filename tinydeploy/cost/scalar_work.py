"""The work of firmware/kernels/scalar's convolutions: tiles of three positions, or one at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from tinydeploy.cost.windows import Side
from tinydeploy.engines.aot.fixed_point import activation_range
from tinydeploy.model.graph import Conv2DOptions, Graph, Op

_TILE = 3
"""Positions computed at once: firmware/kernels/scalar/td_tile.h, TD_TILE_POSITIONS."""


_STRIP_BYTES = 512
"""Of one channel's rows that are copied at once: depthwise_conv_2d.c."""


_FOURS_AT_ONCE = 4
"""Groups of four channels that are scaled at once: GROUP of fully_connected.c."""


@dataclass(frozen=True, kw_only=True)
class _Line:
    """Positions that see the input alike: how many there are, and the taps in rows and columns that are inside."""

    positions: int
    lines: int
    rows: int
    columns: int


def scalar_conv_amounts(down: Side, across: Side, inputs: int, outputs: int, *, has_tiles: bool) -> Mapping[str, float]:
    """Amounts of a convolution of so many channels; without tiles where the core has too few registers for them."""
    amounts = dict.fromkeys(_AMOUNTS, 0.0)
    for line in _lines(down, across):
        tiles, singles = _cut(line.positions, has_tiles=has_tiles)
        depth = line.columns * inputs
        outside = (down.taps * across.taps - line.rows * line.columns) * inputs
        for name, count, channels in (
            ("tile", tiles, -(-outputs // 2)),
            ("four", singles, outputs // 4),
            ("one", singles, outputs % 4),
        ):
            amounts[f"{name}s"] += line.lines * count
            amounts[f"{name} channels"] += line.lines * count * channels
            amounts[f"{name} runs"] += line.lines * count * channels * line.rows
            amounts[f"{name} products"] += line.lines * count * channels * line.rows * depth
            amounts[f"{name} products past a multiple of 4"] += line.lines * count * channels * line.rows * (depth % 4)
        computed = line.lines * (tiles + singles) * outputs
        amounts["sums outside"] += computed * (outside > 0)
        amounts["weights outside"] += computed * outside
        amounts["lines"] += line.lines
        amounts["outputs"] += line.lines * line.positions * outputs
    return {"calls": 1, **amounts}


_AMOUNTS = (
    *(
        f"{name}{what}"
        for name in ("tile", "four", "one")
        for what in ("s", " channels", " runs", " products", " products past a multiple of 4")
    ),
    *("sums outside", "weights outside", "lines", "outputs"),
)


def _lines(down: Side, across: Side) -> Iterator[_Line]:
    """The rectangles of positions that see the input alike, each cut into lines along its longer side."""
    if down.taps == across.taps == down.stride == across.stride == 1 and down.whole * across.whole == (
        down.outputs * across.outputs
    ):
        yield _Line(positions=down.outputs * across.outputs, lines=1, rows=1, columns=1)
        return
    for height, rows in down.alike:
        for width, columns in across.alike:
            is_down = width < _TILE <= height
            yield _Line(
                positions=height if is_down else width,
                lines=width if is_down else height,
                rows=rows * (columns if across.dilation > 1 else columns > 0),  # dilated, each tap is a run
                columns=columns if across.dilation == 1 else 1,
            )


def _cut(positions: int, *, has_tiles: bool) -> tuple[int, int]:
    """A line's tiles, of which the last may lie over the one before, and its single positions."""
    if not has_tiles or positions < _TILE:
        return 0, positions
    whole, left = divmod(positions, _TILE)
    return whole + (left == 2), int(left == 1)


def scalar_fully_connected_amounts(rows: int, units: int, depth: int) -> Mapping[str, float]:
    """Amounts of a fully connected layer: four channels share the inputs that are loaded, the last go one by one."""
    fours, ones = units // 4, units % 4
    return {
        "calls": 1,
        "rows": rows,
        "groups": rows * -(-fours // _FOURS_AT_ONCE),
        "four channels": rows * fours,
        "four products": rows * fours * depth,
        "four products past a multiple of 4": rows * fours * (depth % 4),
        "one channels": rows * ones,
        "one products": rows * ones * depth,
        "one products past a multiple of 4": rows * ones * (depth % 4),
        "outputs": rows * units,
    }


def scalar_output_amounts(graph: Graph, op: Op) -> Mapping[str, float]:
    """What becomes of the sums of a layer with weights, by td_scale.h: dearer with a factor for each channel."""
    output, weights = graph.output_of(op), graph.tensors[op.inputs[1]]
    options = cast("Conv2DOptions", op.options)
    is_alike = weights.quantization is not None and not weights.quantization.per_channel
    is_bounded = activation_range(options.activation, output) != (-128, 127)
    return {"outputs of one factor": is_alike * output.elements, "bounded outputs": is_bounded * output.elements}


def scalar_depthwise_amounts(down: Side, across: Side, inputs: int, outputs: int) -> Mapping[str, float]:
    """Amounts of a depthwise convolution: in strips of rows, or in place where a strip has no room for them."""
    span = (down.taps - 1) * down.dilation + 1
    width = (across.outputs - 1) * across.stride + across.taps
    room = (_STRIP_BYTES - (_TILE - 1) * across.stride) // width
    if room < span or across.dilation > 1:
        return _in_place_amounts(down, across, outputs)
    rows = min((room - span) // down.stride + 1, down.outputs)
    height = (rows - 1) * down.stride + span
    tops = [row * down.stride - down.before for row in range(0, down.outputs, rows)]
    filled = sum(max(0, min(top + height, down.inputs) - max(top, 0)) for top in tops) * inputs
    columns = max(0, min(width - across.before, across.inputs))
    dots = down.outputs * -(-across.outputs // _TILE) * outputs
    fast = dots if across.taps == 3 and across.stride <= 2 else 0
    return {
        "calls": 1,
        "strips": len(tops),
        "filled strips": len(tops) * inputs,
        "filled rows": filled,
        "filled values": filled * columns,
        "channel strips": len(tops) * outputs,
        "rows": down.outputs * outputs,
        "outputs": down.outputs * across.outputs * outputs,
        "fast dots": fast,
        "fast dot rows": fast * down.taps,
        "fast dot rows, wide strides": fast * down.taps * (across.stride == 2),
        "dots": dots - fast,
        "dot rows": (dots - fast) * down.taps,
        "dot products": (dots - fast) * down.taps * across.taps,
    }


def _in_place_amounts(down: Side, across: Side, outputs: int) -> Mapping[str, float]:
    pixels = down.outputs * across.outputs
    inside = down.inside * across.inside
    return {
        "calls": 1,
        "outputs in place": pixels * outputs,
        "rows in place": down.inside * across.outputs * outputs,
        "products in place": inside * outputs,
        "weights outside": (pixels * down.taps * across.taps - inside) * outputs,
        "outputs at edges": (pixels - down.whole * across.whole) * outputs,
    }
