"""Plan + Latency → what each layer costs per multiply-accumulate, and which layers cost far more than is usual."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinydeploy.bench import Latency
from tinydeploy.cost.usual import CostUnit, usual_per_mac
from tinydeploy.model.graph import Conv2DOptions, DepthwiseConv2DOptions, Graph, Op
from tinydeploy.model.macs import op_macs
from tinydeploy.plan import Plan

_TOO_SLOW = 3.0
"""Times the usual figure above which a layer is told."""

_FEW_MACS = 4_000
"""Below this, a layer's cost is mostly that of calling it and of its outputs, and says nothing about the kernel."""

_CHANNELS = {"cmsis_nn": 4, "esp_nn": 8}
"""What the number of channels has to be a multiple of, for the fastest kernels: CMSIS-NN's loops take four at a time;
of ESP-NN include/esp_nn_esp32s3.h says so."""


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """What one layer costs: ``cost`` in the latency's unit, ``per_mac`` in ``unit`` per multiply-accumulate.

    ``per_mac`` is None of a layer without any, ``usual_per_mac`` where nothing comparable is known. ``warning`` is a
    sentence about a layer whose kernel is suspiciously slow.
    """

    op: Op
    macs: int
    cost: int
    unit: CostUnit
    per_mac: float | None
    usual_per_mac: float | None
    warning: str | None = None

    @property
    def times_usual(self) -> float | None:
        """How many times the usual figure it takes; None where that is not known or says nothing."""
        if self.per_mac is None or self.usual_per_mac is None or self.macs < _FEW_MACS:
            return None
        return self.per_mac / self.usual_per_mac


def layer_costs(plan: Plan, latency: Latency) -> tuple[LayerCost, ...]:
    """The cost of each layer of the graph, in its order.

    What is usual is known of TensorFlow Lite Micro with the kernels for a core, and is there to show that a vendor's
    kernel has silently fallen back to a slow one. So only the tflm engine is compared, and only its optimised kernels
    are warned of: to be slower is what its reference kernels are for. The aot engine is not: its kernels are this
    project's own, compiled from source each time, and no library can put another in their place.
    """
    costs = latency.layers if latency.layer_cycles is None else latency.layer_cycles
    unit: CostUnit = "instructions" if latency.layer_cycles is None else "cycles"
    is_compared = plan.engine.engine == "tflm"
    layers = []
    for op, cost, in_latency_unit in zip(plan.graph.ops, costs, latency.layers, strict=True):
        macs = op_macs(plan.graph, op)
        layer = LayerCost(
            op=op,
            macs=macs,
            cost=in_latency_unit,
            unit=unit,
            per_mac=cost / macs if macs else None,
            usual_per_mac=usual_per_mac(plan.board.core, plan.graph, op, unit) if is_compared else None,
        )
        layers.append(replace(layer, warning=_warning(plan, layer)))
    return tuple(layers)


def _warning(plan: Plan, layer: LayerCost) -> str | None:
    if plan.engine.kernels == "reference" or layer.times_usual is None or layer.times_usual <= _TOO_SLOW:
        return None
    causes = tuple(_causes(plan.graph, layer.op, _CHANNELS.get(plan.board.tflm.kernels or "", 4)))
    return (
        f"{layer.per_mac:.2f} {layer.unit} per MAC, {layer.times_usual:.1f} times the usual {layer.usual_per_mac:.2f}"
        + (f"; {', '.join(causes)}" if causes else "")
    )


def _causes(graph: Graph, op: Op, multiple: int) -> Iterator[str]:
    """What about a layer may keep a vendor's fast kernel from taking it."""
    weights, options = graph.tensors[op.inputs[1]], op.options
    if isinstance(options, Conv2DOptions) and (options.dilation_h, options.dilation_w) != (1, 1):
        yield f"dilated by {options.dilation_h}x{options.dilation_w}"
    if isinstance(options, DepthwiseConv2DOptions) and options.depth_multiplier != 1:
        yield f"{options.depth_multiplier} output channels of each input channel"
    inputs, outputs = weights.shape[-1], graph.output_of(op).shape[-1]
    for count, what in ((inputs, "input"), (outputs, "output")):
        if count % multiple:
            yield f"{count} {what} channels are no multiple of {multiple}"
