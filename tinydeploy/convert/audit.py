"""Whether a converted model is integer throughout and runs in TensorFlow Lite Micro; what is in the way of it."""

from tinydeploy.engines.refusal import Unsupported
from tinydeploy.engines.tflm.supported import replacement, unsupported
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import DType, Graph, Op
from tinydeploy.model.text import printable, tensor_label

# What a quantiser puts around an op that it leaves in float.
_CASTS = {"QUANTIZE", "DEQUANTIZE"}


def audit(graph: Graph) -> tuple[Unsupported, ...]:
    """What keeps a graph from being an integer model for microcontrollers: empty where nothing does.

    It is one where every op's inputs and outputs are integers or booleans, those of the graph too, and TensorFlow Lite
    Micro has a kernel for every op with these types. Where an op stays in float, the casts around it are not told of.
    """
    in_float = [op for op in graph.ops if _computes_in_float(graph, op)]
    to_blame = [op for op in in_float if op.kind not in _CASTS] or in_float
    places = {_place(op) for op in in_float}
    return (
        *(_stays_in_float(graph, op) for op in to_blame),
        *(finding for finding in unsupported(graph) if finding.place not in places),
    )


def require_integer_model(graph: Graph) -> None:
    """Nothing, where `audit` finds nothing.

    Raises:
        ModelError: Lists everything that it found.
    """
    findings = audit(graph)
    if not findings:
        return
    raise ModelError(
        f"{printable(graph.name)} cannot be made an integer model for microcontrollers: "
        f"{len(findings)} of its {len(graph.ops)} ops and ends stand against it",
        where={"layers": "\n".join(map(str, findings))},
        hint="change these layers in the model and train it again, then convert it",
    )


def _computes_in_float(graph: Graph, op: Op) -> bool:
    return any(index >= 0 and graph.tensors[index].dtype is DType.FLOAT32 for index in (*op.inputs, *op.outputs))


def _stays_in_float(graph: Graph, op: Op) -> Unsupported:
    return Unsupported(
        place=_place(op),
        reason=f"stays in float, {tensor_label(graph.output_of(op))}: the quantiser has no integer form of it",
        advice=replacement(op.kind),
    )


def _place(op: Op) -> str:
    return f"op {op.index} {printable(op.kind)}"
