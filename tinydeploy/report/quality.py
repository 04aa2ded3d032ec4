"""How far an integer model is from its float one, as text for people and as values for JSON."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.convert.quality import Correct, LayerQuality, Quality
from tinydeploy.convert.quality_figures import Closeness, RangeUse
from tinydeploy.model.text import printable
from tinydeploy.report.values import Json

_WORST = 5
_BAR_CHARACTERS = 24


def quality_text(quality: Quality, advice: Sequence[str] = ()) -> RenderableType:
    """Outputs, classes, the worst layers, and what would help."""
    parts: list[RenderableType] = [
        Text.assemble(("quality", "bold"), f" (against the float model, {_count(quality.samples)})"),
        _outputs(quality),
    ]
    if quality.top1_agreement is not None:
        agreeing = round(quality.top1_agreement * quality.samples)
        parts.append(f"  same class  {_share(agreeing, quality.samples)}")
    if quality.correct is not None:
        parts.append(_accuracy(quality.correct))
    if quality.worst(_WORST):
        parts += ["", _worst_title(quality), _worst(quality)]
    if advice:
        parts.append(Text.assemble(("\nwhat would help", "bold yellow"), *(f"\n  {sentence}" for sentence in advice)))
    return Group(*parts)


def quality_json(quality: Quality, advice: Sequence[str] = ()) -> dict[str, Json]:
    """The same as values, and all layers. A ratio without any error is null, and ``exact`` true."""
    correct = quality.correct
    return {
        "samples": quality.samples,
        "layer_samples": quality.layer_samples,
        "oracle": quality.oracle,
        "inputs": [
            {"name": one.name, **_closeness_json(one.closeness), **_range_json(one.range_use)} for one in quality.inputs
        ],
        "outputs": [
            {"name": output.name, **_closeness_json(output.closeness), "weights_sqnr_db": _db(output.weights_sqnr_db)}
            for output in quality.outputs
        ],
        "top1_agreement": None if quality.top1_agreement is None else round(quality.top1_agreement, 5),
        "accuracy": None
        if correct is None
        else {
            "samples": correct.samples,
            "float_correct": correct.float_model,
            "integer_correct": correct.integer_model,
        },
        "ops": quality.ops,
        "layers": [_layer_json(layer) for layer in quality.layers],
        "worst_layers": [layer.op for layer in quality.worst(_WORST)],
        "advice": list(advice),
    }


def _outputs(quality: Quality) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("  output", "SQNR", "cosine", "largest error", "weights alone"):
        table.add_column(heading, justify="left" if heading == "  output" else "right")
    for output in quality.outputs:
        close = output.closeness
        figures = ["indices", "", "", ""]
        if close is not None:
            figures = [_decibels(close.sqnr_db), f"{close.cosine:.5f}", f"{close.max_abs_error:.4g}"]
            figures.append("" if output.weights_sqnr_db is None else _decibels(output.weights_sqnr_db))
        table.add_row(f"  {output.name}", *figures)
    return table


def _accuracy(correct: Correct) -> str:
    return (
        f"  accuracy    float {_share(correct.float_model, correct.samples)}, "
        f"integer {_share(correct.integer_model, correct.samples)}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part:,}/{whole:,} ({part / whole:.1%})"


def _worst_title(quality: Quality) -> Text:
    compared = f"{len(quality.layers)} of {quality.ops} compared"
    if quality.layer_samples < quality.samples:
        compared += f", on {_count(quality.layer_samples)}"
    return Text.assemble(("worst layers", "bold"), f" by the error of their own ({compared})")


def _count(samples: int) -> str:
    return f"{samples:,} sample{'' if samples == 1 else 's'}"


def _worst(quality: Quality) -> Table:
    """A row a layer. They are sorted by ``alone``; ``up to it`` has the errors of all layers before as well.

    ``steps allow`` is the most that the scale of its output lets through; ``share`` is that of the error which all
    layers add by themselves, relative to their signal.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("  layer")
    for heading in ("alone", "up to it", "steps allow", "range used", "share"):
        table.add_column(heading, justify="right")
    table.add_column("")
    total = sum(_noise(layer) for layer in quality.layers)
    for layer in quality.worst(_WORST):
        share = _noise(layer) / total
        table.add_row(
            f"  {layer.op:>3} {printable(layer.kind)}",
            _decibels(layer.own_sqnr_db),
            _decibels(layer.closeness.sqnr_db),
            _decibels(layer.range_use.limit_db),
            f"{layer.range_use.used:.0%}",
            f"{share:.0%}",
            Text(_bar(share), "yellow"),
        )
    return table


def _noise(layer: LayerQuality) -> float:
    """The error that a layer adds by itself, in parts of its signal; that without any signal counts as one part."""
    return 10 ** (-max(layer.own_sqnr_db, 0.0) / 10)


def _bar(share: float) -> str:
    """Eighths of a character."""
    eighths = round(share * _BAR_CHARACTERS * 8)
    return "█" * (eighths // 8) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]


def _decibels(value: float) -> str:
    if math.isfinite(value):
        return f"{value:.1f} dB"
    return "exact" if value > 0 else "no signal"


def _layer_json(layer: LayerQuality) -> dict[str, Json]:
    return {
        "layer": layer.op,
        "op": printable(layer.kind),
        "name": layer.name,
        **_closeness_json(layer.closeness),
        "own_sqnr_db": _db(layer.own_sqnr_db),
        **_range_json(layer.range_use),
    }


def _closeness_json(closeness: Closeness | None) -> dict[str, Json]:
    if closeness is None:
        return {"sqnr_db": None, "exact": None, "cosine": None, "max_abs_error": None}
    return {
        "sqnr_db": _db(closeness.sqnr_db),
        "exact": closeness.sqnr_db == math.inf,
        "cosine": round(closeness.cosine, 7),
        "max_abs_error": closeness.max_abs_error,
    }


def _range_json(use: RangeUse) -> dict[str, Json]:
    return {
        "saturated": round(use.saturated, 6),
        "range_used": round(use.used, 4),
        "steps_sqnr_db": _db(use.limit_db),
    }


def _db(value: float | None) -> float | None:
    """JSON has no infinity."""
    return round(value, 2) if value is not None and math.isfinite(value) else None
