"""Instructions per multiply-accumulate by layer, this engine beside TFLM with CMSIS-NN, against the core's limit."""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinydeploy.benchmark.figures import BenchModel, Cost, Results
from tinydeploy.benchmark.layers import LayerFigures, layer_figures
from tinydeploy.benchmark.variants import OURS, THEIRS, VARIANTS, Limit, core_title, limit_of
from tinydeploy.boards import Board, find_board
from tinydeploy.files import write_file
from tinydeploy.report.quality_picture import require_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches; a panel's title and axis take as much as three layers.
_WIDTH, _ROW, _AROUND, _PANEL_ROWS = 11.0, 0.27, 1.1, 3
_DPI = 110
_SPAN, _WHOLE = 9.0, 0.8
"""The axis ends at so many times the limit, or where so large a share of the bars end, whichever is more. Longer bars
are cut there, and their figures stand in them."""
_FULL = 0.9
"""Of the axis: there is no room for a figure behind a bar that is longer."""
_DIFFERENT = 1.02
"""Executed and given multiply-accumulates are told apart from here on."""
_OURS, _THEIRS, _EXECUTED, _LIMIT = "#d9691e", "#9db8d2", "#1d3557", "#2a7f62"
# Nothing of the user's own style, no mathematics in names, text as text, and the same bytes every time.
_STYLE = {
    "text.parse_math": False,
    "svg.hashsalt": "tinydeploy",
    "svg.fonttype": "none",
    "font.size": 8.0,
    "axes.axisbelow": True,
}


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One model: its layers that multiply, and what the whole of it takes."""

    model: BenchModel
    layers: tuple[LayerFigures, ...]
    ours: Cost
    theirs: Cost | None

    @property
    def rows(self) -> int:
        """Its height, in layers."""
        return len(self.layers) + _PANEL_ROWS


def write_picture(results: Results, board: str, path: Path) -> bool:
    """Draws a panel for each model that has figures on the board; False, and no file, where there is none.

    Equal results give equal bytes with the same matplotlib. Needs no display.

    Raises:
        UsageError: The suffix is neither .png nor .svg, or the place cannot be written to.
        BuildError: matplotlib is not installed; names the extra.
    """
    require_picture(path)
    panels = [panel for model in results.models if (panel := _panel(results, model, board))]
    if panels:
        write_file(path, _drawn(panels, find_board(board), path.suffix.lower().removeprefix(".")))
    return bool(panels)


def _panel(results: Results, model: BenchModel, board: str) -> _Panel | None:
    layers = tuple(layer for layer in layer_figures(results, model, board) if layer.macs)
    ours = results.cost(model.name, board, OURS)
    if ours is None or not layers:
        return None
    return _Panel(model=model, layers=layers, ours=ours, theirs=results.cost(model.name, board, THEIRS))


def _drawn(panels: Sequence[_Panel], board: Board, kind: str) -> bytes:
    # Where there is no home to keep its fonts' cache in, matplotlib does without, but says so each time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        columns = _columns(panels)
        height = _AROUND + _ROW * max(sum(panel.rows for panel in column) for column in columns)
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06, hspace=0.0, wspace=0.02)
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout=layout)
        FigureCanvasAgg(figure)
        _draw(columns, board, figure)
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return stream.getvalue()


def _columns(panels: Sequence[_Panel]) -> tuple[list[_Panel], ...]:
    """The panels in two columns of nearly the same height; one where there is only one panel."""
    columns: tuple[list[_Panel], list[_Panel]] = ([], [])
    for panel in sorted(panels, key=lambda panel: -panel.rows):
        min(columns, key=lambda column: sum(other.rows for other in column)).append(panel)
    return tuple(sorted(column, key=panels.index) for column in columns if column)


def _draw(columns: Sequence[list[_Panel]], board: Board, figure: "Figure") -> None:
    limit = limit_of(board.core)
    end = _end([panel for column in columns for panel in column], limit)
    rows = max(sum(panel.rows for panel in column) for column in columns)
    grid = figure.add_gridspec(1, len(columns))
    for place, column in zip(grid, columns, strict=True):  # type: ignore[call-overload,unused-ignore]
        spare = rows - sum(panel.rows for panel in column)
        ratios = [*(panel.rows for panel in column), *([spare] if spare else [])]
        for cell, panel in zip(place.subgridspec(len(ratios), 1, height_ratios=ratios), column, strict=False):
            _draw_panel(panel, limit, end, figure.add_subplot(cell))
    _legend(limit, board, figure)


def _end(panels: Sequence[_Panel], limit: Limit) -> float:
    """Where all axes end, in instructions per multiply-accumulate."""
    layers = [layer for panel in panels for layer in panel.layers]
    bars = sorted(bar for layer in layers for bar in (layer.ours_per_mac, layer.theirs_per_mac) if bar is not None)
    return max(_SPAN * limit.per_mac, bars[int(_WHOLE * (len(bars) - 1))] / _FULL)


def _draw_panel(panel: _Panel, limit: Limit, end: float, axes: "Axes") -> None:
    for row, layer in enumerate(panel.layers):
        if layer.theirs_per_mac is not None:
            _bar(axes, row - 0.2, layer.theirs_per_mac, end, _THEIRS)
        executed = layer.ours_per_executed or 0
        _bar(axes, row + 0.2, layer.ours_per_mac, end, _OURS, executed)
    axes.axvline(limit.per_mac, color=_LIMIT, linestyle="--", linewidth=1.2)
    axes.set_yticks(range(len(panel.layers)), [f"{layer.label}  {layer.number}" for layer in panel.layers], fontsize=7)
    axes.set_ylim(len(panel.layers) - 0.4, -0.6)
    axes.set_xlim(0, end)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.tick_params(axis="both", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(_title(panel), fontsize=8.5, loc="left")


def _bar(axes: "Axes", place: float, value: float, end: float, colour: str, executed: float = 0) -> None:
    """A bar and its figure: behind it, or in it where the axis ends. A dot at ``executed`` where that is more."""
    axes.barh([place], [min(value, end)], height=0.38, color=colour)
    figures, last = [value], value
    if executed > _DIFFERENT * value:
        figures, last = [value, executed], executed
        axes.plot([min(value, end), min(last, end)], [place, place], color=_EXECUTED, linewidth=0.5, zorder=2)
        axes.scatter([min(last, end)], [place], s=9, color=_EXECUTED, zorder=3, clip_on=False)
    is_cut = last > _FULL * end
    axes.annotate(
        " / ".join(map(_short, figures)),
        (min(last, end), place),
        (-4 if is_cut else 5, 0),
        textcoords="offset points",
        ha="right" if is_cut else "left",
        va="center",
        fontsize=5.5,
        bbox={"facecolor": "white" if value < last or not is_cut else "none", "edgecolor": "none", "pad": 0.6},
    )


def _short(value: float) -> str:
    """Three digits at most."""
    if value < 0.1:
        return f"{value:.3f}"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _title(panel: _Panel) -> str:
    macs = panel.model.macs
    title = (
        f"{panel.model.name}: {panel.ours.instructions:,} instructions, {panel.ours.instructions / macs:.2f} per MAC"
    )
    if panel.theirs is None:
        return title
    return f"{title}\n{VARIANTS[THEIRS].title}: {panel.theirs.instructions:,}, {panel.theirs.instructions / macs:.2f}"


def _legend(limit: Limit, board: Board, figure: "Figure") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    limits = f"limit {limit.text}: {limit.reason}"
    marks = [
        Patch(color=_THEIRS, label=VARIANTS[THEIRS].title),
        Patch(color=_OURS, label="tinydeploy aot"),
        Line2D([], [], color=_EXECUTED, marker="o", markersize=3, linestyle="", label="per MAC really executed"),
        Line2D([], [], color=_LIMIT, linestyle="--", linewidth=1.2, label=limits),
    ]
    title = f"Instructions per multiply-accumulate of the model, by layer, on {core_title(board)} (emulated)"
    place = {"loc": "outside upper center", "ncols": len(marks), "frameon": False}
    figure.legend(handles=marks, title=title, title_fontsize=11, fontsize=8, **place)
