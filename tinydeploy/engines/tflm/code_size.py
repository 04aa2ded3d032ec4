"""How much flash a firmware with TensorFlow Lite Micro takes beside the model: an estimate from above, for plans."""

from tinydeploy.model.graph import Graph

INTERPRETER_CODE_BYTES = 26_000
"""Link, runner, port, adapter, interpreter and C library."""

KERNEL_CODE_BYTES = 6_000
"""A kernel, where its own size is not known."""


def code_bytes(graph: Graph, kernel_set: str | None) -> int:
    """What a firmware with this graph's kernels has in flash beside the model, in bytes."""
    del kernel_set
    return INTERPRETER_CODE_BYTES + KERNEL_CODE_BYTES * len({op.kind for op in graph.ops})
