"""The plain way to compute an op, which every op has: dense tensors, and kernels that all sets have in common."""

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.program import arrays_of
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.macs import op_macs

PLAIN = "plain"
"""The name of the plain way."""

_PER_MAC: dict[KernelSet, float] = {"reference": 4.3, "scalar": 2.5, "dsp": 2.5, "mve": 0.3}
"""Instructions for a multiply-accumulate in convolutions: near, for comparing ways; `bench` measures."""

_PER_VALUE: dict[KernelSet, float] = {"reference": 40.0, "scalar": 25.0, "dsp": 25.0, "mve": 4.0}
"""Instructions for an output value, all else."""


def plain_way(graph: Graph, op: Op, kernels: KernelSet) -> Candidate:
    """The op's calls as `ops` lowers them."""
    layer = OPERATORS[op.kind].lower(graph, op)
    values = sum(graph.tensors[index].elements for index in op.outputs) if layer.calls else 0
    return Candidate(
        name=PLAIN,
        cost=Cost(
            instructions=_PER_MAC[kernels] * op_macs(graph, op) + _PER_VALUE[kernels] * values,
            constant_bytes=sum(array.nbytes for call in layer.calls for _, array in arrays_of(call.parameters)),
            scratch_bytes=max((call.scratch_bytes for call in layer.calls), default=0),
        ),
        lower=lambda: layer,
    )
