"""Exact compile-time passes: small functions from graph to graph that leave every output as it was, bit for bit."""

from tinydeploy.model.graph import Graph


def run_passes(graph: Graph) -> Graph:
    """The graph after all passes."""
    return graph
