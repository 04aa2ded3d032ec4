"""What each layer costs, as a table with warnings and as values for JSON."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.bench import Latency
from tinydeploy.cost.layers import LayerCost, layer_costs
from tinydeploy.model.text import printable, shape_text
from tinydeploy.plan import Plan
from tinydeploy.report.values import Json

_LIBRARY_FAULTS = {
    "cmsis_nn": "CMSIS-NN has the fast ones only where it is compiled for this core (-mcpu)",
    "esp_nn": "esp-tflite-micro before 1.3.7 misses the fast ones without saying so: update it",
}


def layers_text(plan: Plan, latency: Latency) -> RenderableType:
    """A row for each layer; below, the layers that are suspiciously slow, why that may be, and what to try."""
    layers = layer_costs(plan, latency)
    notes = [_warnings(plan, layers), _price_of_reference(plan, layers)]
    return Group(_table(plan, latency, layers), *(note for note in notes if note))


def layers_json(plan: Plan, latency: Latency) -> list[Json]:
    """The value of ``layers``."""
    return [
        {
            "layer": layer.op.index,
            "op": printable(layer.op.kind),
            latency.unit: layer.cost,
            "macs": layer.macs,
            "per_mac": _rounded(layer.per_mac),
            "per_mac_unit": layer.unit,
            "usual_per_mac": _rounded(layer.usual_per_mac),
            "warning": layer.warning,
        }
        for layer in layer_costs(plan, latency)
    ]


def _table(plan: Plan, latency: Latency, layers: Sequence[LayerCost]) -> Table:
    """A row for each layer; the usual figure has a column where one is known of any."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    is_compared = any(layer.usual_per_mac for layer in layers)
    in_cycles = latency.layer_cycles is not None
    unit = "µs" if latency.unit == "us" else latency.unit
    headings = ["output", "MACs", unit, "cycles per MAC" if in_cycles else "per MAC"]
    for heading in (*headings, *(["usual"] if is_compared else []), "share"):
        table.add_column(heading, justify="right")
    total = sum(latency.layers) or 1
    for layer in layers:
        usual = [f"{layer.usual_per_mac:.2f}" if layer.usual_per_mac else ""] if is_compared else []
        table.add_row(
            f"{layer.op.index:>3} {printable(layer.op.kind)}",
            " + ".join(shape_text(plan.graph.tensors[index].shape) for index in layer.op.outputs),
            f"{layer.macs:,}",
            f"{layer.cost:,}",
            f"{layer.per_mac:.2f}" if layer.per_mac is not None else "",
            *usual,
            f"{layer.cost / total:.1%}",
            style="yellow" if layer.warning else "",
        )
    return table


def _warnings(plan: Plan, layers: Sequence[LayerCost]) -> Text | None:
    slow = [layer for layer in layers if layer.warning]
    if not slow:
        return None
    text = Text.assemble(("\nslow layers", "bold yellow"), f" for optimized kernels on {plan.board.core}")
    for layer in slow:
        text.append(f"\n  op {layer.op.index} {printable(layer.op.kind)}: {layer.warning}")
    if plan.engine.ways:
        return text.append(
            "\n  why  tinydeploy inspect --plan shows in which way each layer is computed, and what else there was"
        )
    text.append("\n  why  a plain kernel may have run: the fast one does not take the shape, or is not in the library")
    fault = _LIBRARY_FAULTS.get(plan.board.tflm.kernels or "")
    text.append(f"\n       {fault}" if fault else "")
    return text.append("\n  try  --kernels reference: a layer that is as fast with it was not run by the fast kernel")


def _price_of_reference(plan: Plan, layers: Sequence[LayerCost]) -> Text | None:
    """What reference kernels cost, in all layers together of which the usual figure is known."""
    known = [layer for layer in layers if layer.per_mac is not None and layer.usual_per_mac is not None]
    macs = sum(layer.macs for layer in known)
    if plan.engine.kernels != "reference" or not macs:
        return None
    now = sum(layer.macs * (layer.per_mac or 0) for layer in known) / macs
    usual = sum(layer.macs * (layer.usual_per_mac or 0) for layer in known) / macs
    return Text(
        f"\nreference kernels: {now:.2f} {known[0].unit} per MAC, {now / usual:.1f} times the {usual:.2f} that are "
        "usual with optimized ones"
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)
