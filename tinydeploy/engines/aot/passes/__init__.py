"""Exact compile-time passes: small functions from graph to graph that leave every output as it was, bit for bit.

Each proves for the model at hand what it relies on, and leaves an op as it is where the proof does not hold. The
graph's inputs and outputs keep their tensors, shapes and meaning; ops keep the ``index`` that they have in the model,
which is no longer their position once others are gone.
"""

from collections.abc import Callable

from tinydeploy.engines.aot.passes.drop_identities import drop_identities
from tinydeploy.engines.aot.passes.fold_constants import fold_constants
from tinydeploy.engines.aot.passes.fold_padding import fold_padding
from tinydeploy.engines.aot.passes.fuse_activations import fuse_activations
from tinydeploy.engines.aot.passes.ranges import accumulator_ranges, value_ranges
from tinydeploy.engines.aot.passes.remove_channels import remove_channels
from tinydeploy.model.graph import Graph

__all__ = ["PASSES", "accumulator_ranges", "run_passes", "value_ranges"]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_constants,
    drop_identities,
    fuse_activations,
    fold_padding,
    remove_channels,
)
"""In their order. Each returns the very graph that it was given where it finds nothing to do."""


def run_passes(graph: Graph) -> Graph:
    """The graph after all passes, repeated until none finds anything to do.

    That comes to an end: each change leaves fewer ops, fewer channels, fewer weights other than 0, or a reshape with
    fewer reshapes before it.
    """
    before = None
    while graph is not before:
        before = graph
        for exact_pass in PASSES:
            graph = exact_pass(graph)
    return graph
