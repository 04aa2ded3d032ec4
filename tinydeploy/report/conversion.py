"""What became of a model that was converted, as text for people and as values for JSON."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from tinydeploy.convert.conversion import Calibration, Conversion
from tinydeploy.errors import visible
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.text import printable, shape_text
from tinydeploy.report.quality import quality_json, quality_text
from tinydeploy.report.values import Json
from tinydeploy.samples.ranges import InputRange


def converted_text(conversion: Conversion, output: Path, *, picture: Path | None) -> RenderableType:
    """The result of the command: what became of the model, and where it is, or why it was not written."""
    drawn: list[RenderableType] = []
    if picture is not None:
        place = "drawn in " + visible(str(picture))
        drawn = [Text(place if conversion.quality else "no picture: nothing was quantised, so there is no quality")]
    if not conversion.missed:
        last = Text.assemble("written to ", visible(str(output)))
    else:
        reasons = [f"\n  {reason}" for reason in conversion.missed]
        last = Text.assemble(("not good enough: nothing is written", "bold red"), *reasons)
    return Group(conversion_text(conversion), *drawn, last)


def converted_json(conversion: Conversion, source: Path, output: Path) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": not conversion.missed,
        "path": str(source),
        "output": None if conversion.missed else str(output),
        "missed": list(conversion.missed),
        **conversion_json(conversion),
    }


def conversion_text(conversion: Conversion) -> RenderableType:
    """Source and result, samples and their ranges, then the quality."""
    parts: list[RenderableType] = [Text("\n").join([Text("converted", "bold"), *_facts(conversion)])]
    calibration = conversion.calibration
    if calibration is not None:
        # Of noise there is a note that says so; it is the most important thing to know about the result.
        label = "warning" if calibration.is_random else "note   "
        parts += [Text(f"  {label}  {note}", "yellow" if calibration.is_random else "") for note in calibration.notes]
        parts += [Text(f"  warning  {warning}", "yellow") for warning in calibration.warnings]
    if conversion.quality is not None:
        parts.append(quality_text(conversion.quality, conversion.advice))
    return Group(*parts)


def conversion_json(conversion: Conversion) -> dict[str, Json]:
    """The same as values; what was not quantised here has no ``calibration`` and no ``quality``."""
    graph, quality = conversion.graph, conversion.quality
    return {
        "source": conversion.source,
        "agreement_db": None if conversion.agreement_db is None else round(conversion.agreement_db, 1),
        "sha256": graph.sha256,
        "bytes": len(conversion.data),
        "inputs": [_end_json(graph.tensors[index]) for index in graph.inputs],
        "outputs": [_end_json(graph.tensors[index]) for index in graph.outputs],
        "calibration": None if conversion.calibration is None else _calibration_json(conversion.calibration),
        "quality": None if quality is None else quality_json(quality, conversion.advice),
    }


def _facts(conversion: Conversion) -> Iterator[Text]:
    graph, calibration = conversion.graph, conversion.calibration
    agreement = ""
    if conversion.agreement_db is not None:
        agreement = f", in float within {conversion.agreement_db:.0f} dB of it"
    yield Text(f"  from     {conversion.source}{agreement}")
    yield Text(f"  to       {_kind(graph, calibration)}, {len(conversion.data):,} bytes, {len(graph.ops)} ops")
    for side, indices in (("input", graph.inputs), ("output", graph.outputs)):
        for index in indices:
            yield Text(f"  {side:<7}  {_end_text(graph.tensors[index])}")
    if calibration is not None:
        used = f"{calibration.used:,} to calibrate, {calibration.held_out.count:,} to measure"
        yield Text(f"  samples  {used}")
        for spread in calibration.ranges:
            yield Text(f"  range    {_range_text(spread)}")


def _kind(graph: Graph, calibration: Calibration | None) -> str:
    if calibration is None:
        return f"{graph.tensors[graph.inputs[0]].dtype.value.lower()} ends, nothing else touched"
    settings = calibration.settings
    weights = "" if settings.per_channel else ", weights per tensor"
    return f"full int8{weights}" if settings.target == "int8" else "int8 weights, int16 activations"


def _end_text(tensor: Tensor) -> str:
    text = f"{printable(tensor.name)}  {shape_text(tensor.shape)} {tensor.dtype.value.lower()}"
    if tensor.quantization is not None:
        text += f", scale {tensor.quantization.scale:.6g}, zero point {tensor.quantization.zero_point}"
    return text


def _range_text(spread: InputRange) -> str:
    return f"{spread.name}  {spread.low:.4g} to {spread.high:.4g}, mean {spread.mean:.4g}, deviation {spread.std:.4g}"


def _end_json(tensor: Tensor) -> dict[str, Json]:
    quantization = tensor.quantization
    return {
        "name": printable(tensor.name),
        "shape": list(tensor.shape),
        "type": tensor.dtype.value.lower(),
        "scale": None if quantization is None else quantization.scale,
        "zero_point": None if quantization is None else quantization.zero_point,
    }


def _calibration_json(calibration: Calibration) -> dict[str, Json]:
    return {
        "target": calibration.settings.target,
        "per_channel": calibration.settings.per_channel,
        "samples": calibration.used,
        "held_out": calibration.held_out.count,
        "random": calibration.is_random,
        "ranges": [
            {"name": spread.name, "low": spread.low, "high": spread.high, "mean": spread.mean, "std": spread.std}
            for spread in calibration.ranges
        ],
        "notes": list(calibration.notes),
        "warnings": list(calibration.warnings),
    }
