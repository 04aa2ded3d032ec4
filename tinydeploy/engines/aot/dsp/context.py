"""What the proposals for single ops have in common: how tensors may be stored, and how accumulators become outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinydeploy.engines.aot.dsp.planes import planes_on_offer
from tinydeploy.engines.aot.fixed_point import activation_range
from tinydeploy.engines.aot.ops.convolution import WEIGHTED, activation_of, multipliers
from tinydeploy.engines.aot.passes import accumulator_ranges
from tinydeploy.engines.aot.requantization import Fit, General, Requantization, fit_layers, general_form
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import Graph, Op


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """Facts about a graph that all its ops have been looked at for.

    ``planes`` has the planes that tensors may be stored in, by tensor. Of every op with weights, by its index,
    ``requantization`` has what becomes of its accumulators, ``fits`` the fitted form where it is proven for all its
    channels, and ``general`` the general form where there is one.
    """

    graph: Graph
    planes: Mapping[int, tuple[Planes, ...]]
    requantization: Mapping[int, Requantization]
    fits: Mapping[int, Fit]
    general: Mapping[int, General]


def look_at(graph: Graph) -> Context:
    """Proves the fitted forms, with few different shifts in the whole model, and collects what is on offer."""
    layers = {op.index: _requantization(graph, op) for op in graph.ops if op.kind in WEIGHTED}
    fits = zip(layers, fit_layers(list(layers.values())), strict=True)
    generals = {index: general_form(layer) for index, layer in layers.items()}
    return Context(
        graph=graph,
        planes=planes_on_offer(graph),
        requantization=layers,
        fits={index: fit for index, fit in fits if fit is not None},
        general={index: form for index, form in generals.items() if form is not None},
    )


def _requantization(graph: Graph, op: Op) -> Requantization:
    output = graph.output_of(op)
    assert output.quantization is not None
    lo, hi = accumulator_ranges(graph, op)
    factors = multipliers(graph, op)
    factors *= len(lo) // len(factors)
    low, high = activation_range(activation_of(op), output)
    return Requantization(
        mantissa=np.array([factor.mantissa for factor in factors], np.int64),
        shift=np.array([factor.shift for factor in factors], np.int64),
        lo=lo,
        hi=hi,
        zero_point=output.quantization.zero_point,
        low=low,
        high=high,
    )
