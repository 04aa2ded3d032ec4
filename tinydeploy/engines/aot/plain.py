"""The plain way to compute an op, which every op has: dense tensors, and kernels that all sets have in common."""

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.aot.program import Layer, arrays_of
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.macs import op_macs

PLAIN = "plain"
"""The name of the plain way."""

_PER_MAC: dict[KernelSet, float] = {"reference": 4.3, "scalar": 2.5, "dsp": 2.5, "mve": 0.3}
"""Instructions for a multiply-accumulate: near, for comparing ways; `bench` measures."""

_DEPTHWISE_FACTOR = 3.0
"""How much more one takes in depthwise convolutions."""

_PER_VALUE = {
    "ADD": 60.0,
    "SUB": 60.0,
    "MUL": 30.0,
    "SOFTMAX": 100.0,
    "CONV_2D": 140.0,
    "DEPTHWISE_CONV_2D": 30.0,
    "MEAN": 30.0,
    "AVERAGE_POOL_2D": 30.0,
}
"""Instructions for an output value of some ops; of others about `_PER_OTHER_VALUE`."""

_PER_OTHER_VALUE = 8.0

_PER_CALL = 150.0
"""Instructions around a kernel's loops."""

_PER_READ = {"MEAN": 8.0, "AVERAGE_POOL_2D": 2.0, "MAX_POOL_2D": 2.0}
"""Instructions for an input value of ops that have more of them than output values."""


def plain_way(graph: Graph, op: Op, kernels: KernelSet) -> Candidate:
    """The op's calls as `ops` lowers them."""
    layer = OPERATORS[op.kind].lower(graph, op)
    return Candidate(
        name=PLAIN,
        cost=Cost(
            instructions=_instructions(graph, op, layer, kernels) if layer.calls else 0.0,
            constant_bytes=sum(array.nbytes for call in layer.calls for _, array in arrays_of(call.parameters)),
            scratch_bytes=max((call.scratch_bytes for call in layer.calls), default=0),
        ),
        lower=lambda: layer,
    )


def _instructions(graph: Graph, op: Op, layer: Layer, kernels: KernelSet) -> float:
    written = sum(graph.tensors[index].elements for index in op.outputs)
    read = graph.tensors[op.inputs[0]].elements
    per_value = _PER_VALUE.get(op.kind, _PER_OTHER_VALUE)
    is_depthwise = layer.calls[0].kernel == "depthwise_conv_2d"
    per_mac = _PER_MAC[kernels] * (_DEPTHWISE_FACTOR if is_depthwise else 1.0)
    return _PER_CALL + per_mac * op_macs(graph, op) + per_value * written + _PER_READ.get(op.kind, 0.0) * read
