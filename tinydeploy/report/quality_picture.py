"""The SQNR of every layer as a picture."""

import importlib.util
import io
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from tinydeploy.convert.quality import LayerQuality, Quality
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.files import require_place, write_file
from tinydeploy.model.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg")
_WORST = 5
_GUILTY_PART = 3
"""At most one in three layers is marked: in a small model nothing else would be left."""
# Inches. 2,000 layers are within the 65,536 pixels that Agg can do.
_WIDTH, _ROW, _AROUND, _HIGHEST = 9.0, 0.24, 1.75, 500.0
_DPI = 120
_USUAL, _GUILTY, _ALONE, _OUTPUT = "#9db8d2", "#d9691e", "#1d3557", "#2a7f62"
# Nothing of the user's own style, no mathematics in untrusted names, and the same bytes every time.
_STYLE = {"text.parse_math": False, "svg.hashsalt": "tinydeploy", "font.size": 9.0, "axes.axisbelow": True}


def require_picture(path: Path) -> None:
    """Tells beforehand that `write_picture` would fail.

    Raises:
        UsageError: The suffix is neither .png nor .svg, or the place cannot be written to.
        BuildError: matplotlib is not installed; names the extra.
    """
    if path.suffix.lower() not in _SUFFIXES:
        hint = f"name it {path.with_suffix('.png').name} or {path.with_suffix('.svg').name}"
        raise UsageError(f"cannot draw {path}: a picture is .png or .svg", hint=hint)
    if importlib.util.find_spec("matplotlib") is None:
        raise BuildError("drawing needs matplotlib, which is not installed", hint="pip install 'tinydeploy[plot]'")
    require_place(path)


def write_picture(quality: Quality, path: Path) -> None:
    """Draws every layer that was compared: a bar for the SQNR up to it, a dot for that of the layer alone.

    The worst, five at most, have another colour, and a line marks the worst output. Equal qualities give equal bytes
    with the same matplotlib. Needs no display.

    Raises:
        UsageError, BuildError: As `require_picture`.
    """
    require_picture(path)
    write_file(path, _drawn(quality, path.suffix.lower().removeprefix(".")))


def _drawn(quality: Quality, kind: str) -> bytes:
    # Where there is no home to keep its fonts' cache in, matplotlib does without, but says so each time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        height = min(_AROUND + _ROW * max(len(quality.layers), 3), _HIGHEST)
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        FigureCanvasAgg(figure)
        _draw(quality, figure)
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return stream.getvalue()


def _draw(quality: Quality, figure: "Figure") -> None:
    axes = figure.add_subplot()
    lowest, highest = _limits(quality)
    worst = {layer.op for layer in quality.worst(min(_WORST, max(1, len(quality.layers) // _GUILTY_PART)))}
    rows = range(len(quality.layers))
    bars = [_within(layer.closeness.sqnr_db, lowest, highest) for layer in quality.layers]
    colours = [_GUILTY if layer.op in worst else _USUAL for layer in quality.layers]
    axes.barh(rows, [bar - lowest for bar in bars], left=lowest, height=0.72, color=colours)
    alone = [_within(layer.own_sqnr_db, lowest, highest) for layer in quality.layers]
    axes.scatter(alone, rows, s=14, color=_ALONE, zorder=3, clip_on=False)
    for row, layer in enumerate(quality.layers):
        axes.annotate(
            _figure(layer.closeness.sqnr_db), (lowest, row), (4, 0), textcoords="offset points", va="center", fontsize=7
        )
    axes.set_yticks(rows, [_label(layer) for layer in quality.layers])
    for layer, label in zip(quality.layers, axes.get_yticklabels(), strict=True):
        label.set_color(_GUILTY if layer.op in worst else "black")
    axes.set_ylim(len(quality.layers) - 0.4, -0.6)
    axes.set_xlim(lowest, highest)
    _decorate(quality, axes)


def _decorate(quality: Quality, axes: "Axes") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        Patch(color=_USUAL, label="up to the layer"),
        Patch(color=_GUILTY, label="the most error of their own"),
        Line2D([], [], color=_ALONE, marker="o", markersize=4, linestyle="", label="the layer alone"),
    ]
    if quality.min_sqnr_db is not None and math.isfinite(quality.min_sqnr_db):
        axes.axvline(quality.min_sqnr_db, color=_OUTPUT, linestyle="--", linewidth=1.4)
        label = f"output: {quality.min_sqnr_db:.1f} dB"
        marks.append(Line2D([], [], color=_OUTPUT, linestyle="--", linewidth=1.4, label=label))
    axes.set_xlabel("signal to quantisation noise ratio in dB; more is better")
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = f"{len(quality.layers)} of {quality.ops} layers against the float model, {quality.layer_samples:,} samples"
    place = {"loc": "outside upper center", "ncols": len(marks), "frameon": False}
    axes.figure.legend(handles=marks, title=title, title_fontsize=11, fontsize=8, **place)


def _limits(quality: Quality) -> tuple[float, float]:
    """The ends of the axis, in whole tens: from 0, or less where a figure is, to more than all figures."""
    figures = [figure for layer in quality.layers for figure in (layer.closeness.sqnr_db, layer.own_sqnr_db)]
    known = [figure for figure in (*figures, quality.min_sqnr_db or 0.0, 0.0, 40.0) if math.isfinite(figure)]
    return math.floor(min(known) / 10) * 10, math.ceil(max(known) / 10 + 0.2) * 10


def _within(figure: float, lowest: float, highest: float) -> float:
    """What has no error at all, or no signal, is at the end of the axis."""
    return min(max(figure, lowest), highest)


def _label(layer: LayerQuality) -> str:
    return f"{printable(layer.kind, limit=32)}  {layer.op}"


def _figure(decibels: float) -> str:
    if math.isfinite(decibels):
        return f"{decibels:.1f}"
    return "exact" if decibels > 0 else "no signal"
