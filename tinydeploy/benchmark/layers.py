"""Results → what each layer of a model takes on a board, with this engine and with TFLM's fast kernels."""

from collections.abc import Iterator
from dataclasses import dataclass

from tinydeploy.benchmark.figures import BenchModel, Cost, Results
from tinydeploy.benchmark.markdown import NOTHING, figure, ratio, table
from tinydeploy.benchmark.variants import OURS, THEIRS, VARIANTS, limit_of
from tinydeploy.boards import Board


@dataclass(frozen=True, kw_only=True)
class LayerFigures:
    """One op: its number and label, the MACs in the model and those executed by aot, and instructions of both."""

    number: int
    label: str
    macs: int
    executed: int
    ours: int
    theirs: int | None

    @property
    def ours_per_mac(self) -> float:
        """Instructions of this engine for each of the model's MACs, of which there are some."""
        return self.ours / self.macs

    @property
    def ours_per_executed(self) -> float | None:
        """The same for each MAC that is really executed; None where none is left."""
        return self.ours / self.executed if self.executed else None

    @property
    def theirs_per_mac(self) -> float | None:
        """Instructions of TFLM for each MAC; None where it was not run."""
        return None if self.theirs is None else self.theirs / self.macs


def layer_figures(results: Results, model: BenchModel, board: str) -> tuple[LayerFigures, ...]:
    """All ops of a model, in its order; none where this engine has no figures."""
    ours, theirs = results.cost(model.name, board, OURS), results.cost(model.name, board, THEIRS)
    return tuple(_figures(model, ours, theirs)) if ours else ()


def layers_tables(results: Results, board: Board) -> str:
    """A folded table for each model that has figures on the board."""
    found = ((model, layer_figures(results, model, board.id)) for model in results.models)
    tables = [_table(model, layers) for model, layers in found if layers]
    if not tables:
        return ""
    limit = limit_of(board.core)
    words = f"Layer by layer; no kernel takes less than {limit.text} instructions per executed MAC ({limit.reason})"
    return f"<details><summary>{words}</summary>\n\n" + "\n".join(tables) + "\n</details>\n"


def _figures(model: BenchModel, ours: Cost, theirs: Cost | None) -> Iterator[LayerFigures]:
    for number, layer in enumerate(model.layers):
        yield LayerFigures(
            number=number,
            label=layer.label,
            macs=layer.macs,
            executed=ours.layer_macs[number],
            ours=ours.layers[number],
            theirs=theirs.layers[number] if theirs else None,
        )


def _table(model: BenchModel, layers: tuple[LayerFigures, ...]) -> str:
    theirs = VARIANTS[THEIRS].title
    headings = (model.name, "MACs", "executed", theirs, "per MAC", VARIANTS[OURS].title, "per MAC", "per executed MAC")
    rows = [
        (
            f"{layer.number} {layer.label}",
            figure(layer.macs),
            figure(layer.executed),
            NOTHING if layer.theirs is None else figure(layer.theirs),
            NOTHING if layer.theirs is None else ratio(layer.theirs, layer.macs),
            figure(layer.ours),
            ratio(layer.ours, layer.macs),
            ratio(layer.ours, layer.executed),
        )
        for layer in layers
    ]
    return table(headings, rows, numbers_from=1)
