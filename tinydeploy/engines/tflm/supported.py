"""Whether TensorFlow Lite Micro runs a graph, known before anything is built."""

from collections.abc import Iterator

from tinydeploy.engines.refusal import Unsupported, unsupported_ends
from tinydeploy.engines.tflm.op_table import FLOAT_ONLY, KERNELS
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import DType, Graph, Op
from tinydeploy.model.text import printable

_TO_INT8 = "convert the model to full int8, with a representative data set"
_AGAIN = "convert the model again"
_AUDIO = "leave the audio front end to the program around the model"
_WITHOUT_CUSTOM = "convert without custom ops, or compute it outside of the model"

# What to take instead of kinds that people miss.
_INSTEAD = {
    "GELU": "use RELU, HARD_SWISH or x * LOGISTIC(1.702 x) instead",
    "COS": "feed it as an input, or look it up: GATHER in a constant table",
    "ELU": "use RELU or LEAKY_RELU",
    "EXP": "leave it out, the order stays; for probabilities use SOFTMAX or LOGISTIC",
    "LSTM": "convert with a UNIDIRECTIONAL_SEQUENCE_LSTM: tf.keras.layers.LSTM, not unrolled, in tf-keras",
    "NEG": "multiply by -1, or subtract where it is added",
    "POW": "multiply x by itself",
    "RELU_0_TO_1": "use RELU6",
    "RELU_N1_TO_1": "use RELU6, or TANH",
    "RNN": "use an LSTM, or unroll it",
    "SELECT": "convert with SELECT_V2 (tf.where)",
    "SIN": "feed it as an input, or look it up: GATHER in a constant table",
    "SQUARE": "multiply x by itself",
    "TILE": "use CONCATENATION or BROADCAST_TO",
    "TOPK_V2": "use ARG_MAX for the first, or sort the outputs outside of the model",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "use an LSTM, or unroll it",
    "WHERE": "use SELECT_V2 with both branches",
}


def check_ops(graph: Graph, library_ops: frozenset[str] | None = None, *, kernels: str = "reference") -> None:
    """Nothing, where TensorFlow Lite Micro runs every op of the graph as it is.

    Args:
        graph: The model.
        library_ops: The ``Add…`` methods of the MicroMutableOpResolver that the firmware is going to be built with;
            None where they are not known.
        kernels: ``reference``, ``cmsis_nn`` or ``esp_nn``: whose kernels the library is built with.

    Raises:
        ModelError: It does not; everything that is missing is listed with its place, the reason and what to do.
    """
    refused = unsupported(graph, library_ops, kernels=kernels)
    if refused:
        raise ModelError(
            f"TensorFlow Lite Micro does not run {printable(graph.name)}: {len(refused)} of its ops, inputs and "
            "outputs are not supported",
            where={"reasons": "\n".join(map(str, refused))},
            hint="change these in the model; docs/supported-ops.md lists what is supported",
        )


def unsupported(
    graph: Graph, library_ops: frozenset[str] | None = None, *, kernels: str = "reference"
) -> tuple[Unsupported, ...]:
    """What of the graph TensorFlow Lite Micro does not run: ops in their order, then ends; see `check_ops`."""
    refused = [*_unsupported_ops(graph, library_ops, kernels), *unsupported_ends(graph)]
    if graph.subgraphs > 1:
        reason, advice = f"it has {graph.subgraphs} graphs", "convert it with one signature and without control flow"
        refused.append(Unsupported(place="model", reason=reason, advice=advice))
    return tuple(refused)


def replacement(kind: str) -> str:
    """What to take in a model instead of an op that TensorFlow Lite Micro does not compute with integers."""
    return _INSTEAD.get(kind, "replace it in the model, or compute it outside of the model")


def _unsupported_ops(graph: Graph, library_ops: frozenset[str] | None, kernels: str) -> Iterator[Unsupported]:
    for op in graph.ops:
        reason, advice = _against(graph, op, kernels) or _against_with_library(op, library_ops) or ("", "")
        if reason:
            yield Unsupported(place=f"op {op.index} {printable(op.kind)}", reason=reason, advice=advice)


def _against(graph: Graph, op: Op, kernels: str) -> tuple[str, str] | None:
    """Why TensorFlow Lite Micro cannot run an op, and what to do; None where it can."""
    if op.is_custom:
        return "a custom op", _AUDIO if op.kind.startswith("Signal") else _WITHOUT_CUSTOM
    kernel = KERNELS.get(op.kind)
    if kernel is None:
        reason = "computes with floats only" if op.kind in FLOAT_ONLY else "not in TensorFlow Lite Micro"
        return reason, replacement(op.kind)
    constraints = (*kernel.constraints, *(kernel.cmsis_nn if kernels == "cmsis_nn" else ()))
    broken = next((constraint for constraint in constraints if not constraint.holds(graph, op)), None)
    if broken is None:
        sized = any(graph.tensors[index].elements for index in op.intermediates)
        return ("its intermediate tensors are not empty", _AGAIN) if sized else None
    if _is_hybrid(graph, op):
        return "int8 weights with float activations: hybrid models are not supported", _TO_INT8
    if DType.FLOAT32 in _types(graph, op):
        return "computes with floats", _TO_INT8
    whose = "" if broken in kernel.constraints else " by CMSIS-NN's kernels"
    return f"supported{whose} only where {broken.sentence}", ""


def _against_with_library(op: Op, library_ops: frozenset[str] | None) -> tuple[str, str] | None:
    """Why a library cannot run an op that TensorFlow Lite Micro can; None where it can."""
    add = KERNELS[op.kind].add if op.kind in KERNELS else ""
    if library_ops is None or add in library_ops:
        return None
    return f"the library's MicroMutableOpResolver has no {add}()", "use a newer library"


def _types(graph: Graph, op: Op) -> set[DType]:
    return {graph.tensors[index].dtype for index in (*op.inputs, *op.outputs) if index >= 0}


def _is_hybrid(graph: Graph, op: Op) -> bool:
    constants = [graph.tensors[index] for index in op.inputs if index >= 0 and graph.tensors[index].is_constant]
    has_integers = any(tensor.dtype is DType.INT8 and tensor.quantization for tensor in constants)
    return has_integers and graph.output_of(op).dtype is DType.FLOAT32
