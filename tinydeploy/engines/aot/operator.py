"""What the engine needs to know of an op kind: when it can be compiled, and to which calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinydeploy.engines.aot.program import Call, Layer, Operand, Parameter
from tinydeploy.engines.constraint import Constraint
from tinydeploy.model.graph import Graph, Op, Tensor


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An op kind that the engine compiles. ``lower`` is called only where every constraint holds."""

    kind: str
    constraints: tuple[Constraint, ...]
    lower: Callable[[Graph, Op], Layer]


def tensor_at(graph: Graph, op: Op, position: int) -> Tensor:
    """The tensor at an input position that is known to be there."""
    tensor = graph.input_of(op, position)
    assert tensor is not None, f"{op} has no input {position}"
    return tensor


def one_call(op: Op, kernel: str, parameters: Mapping[str, Parameter], *, in_place: bool = False) -> Layer:
    """The layer of an op that is one call of a kernel with its first input and its only output."""
    call = Call(
        kernel=kernel,
        parameters=parameters,
        inputs=(Operand(tensor=op.inputs[0]),),
        output=Operand(tensor=op.outputs[0]),
        in_place={0: 0} if in_place else {},
    )
    return Layer(op=op.index, calls=(call,))
