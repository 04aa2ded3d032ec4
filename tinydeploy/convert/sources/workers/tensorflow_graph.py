"""A function of TensorFlow, for one shape of each input, to a float .tflite."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .shared import Array, Port, Refusal, loop_refusal, reason, require_plain_ops, stage, suspect, unknown_ops

UNROLL = (
    "build the recurrent layers with unroll=True, such as LSTM(8, unroll=True), and copy the weights: "
    "new.set_weights(old.get_weights())\n"
    "or build the model with tf-keras (pip install tf-keras), whose LSTM becomes one fused op"
)
_NO_OPS = (re.compile(r"(?:Custom|Flex) ops: ([^\n]+)"), re.compile(r"'tf\.(\w+)' op is neither a custom op nor"))
_LOOP = re.compile(
    r"tensor ?list|TensorList|WhileRegion|'tf\.While'|_experimental_lower_tensor_list_ops", re.IGNORECASE
)
_LOOPS = {"While", "StatelessWhile", "If", "StatelessIf"}
_ERROR = re.compile(r"error: (.+)")


def convert(
    function: Callable[[list[Any]], Sequence[Any]], inputs: Sequence[Port], keep: object, suspects: Sequence[str] = ()
) -> tuple[bytes, int]:
    """The .tflite, whose signature has the keys of ``inputs``, and ``output_0`` and so on; and how many outputs.

    Args:
        function: From a list of tensors to a list of tensors.
        inputs: With the shapes to convert for.
        keep: What holds the function's variables.
        suspects: Layers that the converter may not survive; where there are none, those that make loops in the graph.

    Raises:
        Refusal: The converter does not accept it; names ops and layers.
    """
    import tensorflow as tf

    stage("tracing the model")
    specs = [tf.TensorSpec(port.shape, port.dtype, name=port.key) for port in inputs]

    def traced(*tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow's
        # An output that is an input would be no output of its own.
        return {f"output_{i}": tf.identity(value) for i, value in enumerate(function(list(tensors)))}

    holder = tf.Module()
    holder.kept = keep
    holder.function = tf.function(traced, autograph=False)
    concrete = holder.function.get_concrete_function(*specs)
    graph = concrete.graph.as_graph_def()
    suspects = suspects or sorted(set(_layers(graph, _LOOPS)))
    suspect(suspects)
    stage("converting to TensorFlow Lite")
    try:
        data = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder).convert()
    except Exception as error:
        raise _refusal(error, graph, suspects) from error
    require_plain_ops(data, suspects, hint=UNROLL)
    return bytes(data), len(concrete.structured_outputs)


def _refusal(error: Exception, graph: Any, suspects: Sequence[str]) -> Refusal:  # noqa: ANN401 - a GraphDef
    text = str(error)
    ops = sorted({name.strip() for pattern in _NO_OPS for found in pattern.findall(text) for name in found.split(",")})
    if any("TensorList" in op for op in ops) or _LOOP.search(text) or "AssignVariableOp" in text:
        return loop_refusal("(TensorFlow's converter refuses it)", suspects, hint=UNROLL)
    if ops:
        kinds = {op.removeprefix("Flex") for op in ops}
        return unknown_ops(sorted(kinds), sorted(set(_layers(graph, kinds))))
    told = _ERROR.search(text)
    return Refusal(
        "TensorFlow's converter does not accept the model",
        where={"says": told.group(1)[:300] if told else reason(error)},
        hint="replace what it names in the model",
    )


def _layers(graph: Any, kinds: Iterable[str]) -> Iterator[str]:  # noqa: ANN401 - a GraphDef
    """The names of the layers that have an op of these kinds: Keras puts them into the names of nodes."""
    wanted = set(kinds)
    functions = [node for function in graph.library.function for node in function.node_def]
    for node in (*graph.node, *functions):
        if node.op in wanted:
            scopes = node.name.split("/")[-3:-1]
            if scopes:
                yield "/".join(scopes)


def numpy_of(values: Iterable[Any]) -> list[Array]:
    """TensorFlow's tensors as arrays."""
    return [value.numpy() for value in values]
