"""An ONNX file: its inputs with batch 1, and the names of its ends made fit for a converter that reads names."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .shared import Port, Refusal, fixed_shape, reason

_EXPORT = "export it with fixed sizes"
# The ops whose input has its channels first.
_SPATIAL = {"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "InstanceNormalization", "MaxPool"}
_SPATIAL |= {"GlobalAveragePool", "GlobalMaxPool"}
_RECURRENT = {"GRU", "LSTM", "RNN"}
_LOOPS = {"If", "Loop", "Scan"}


def load(source: Path) -> Any:  # noqa: ANN401 - onnx's
    """The model, checked by ONNX's own checker.

    Raises:
        Refusal: It is damaged, or breaks the format's rules.
    """
    import onnx

    try:
        model = onnx.load(source)
        onnx.checker.check_model(model)
    except Exception as error:
        raise Refusal(
            "the ONNX file is not valid",
            where={"says": reason(error)},
            hint="export it again; data in files of their own have to be beside it",
        ) from error
    return model


def inputs_of(model: Any) -> list[Port]:  # noqa: ANN401 - onnx's
    """The inputs that are no constants, in their order, with batch 1 and the layout that the .tflite is to have.

    Raises:
        Refusal: An input has a dimension, besides the batch, that is open.
    """
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    ports: list[Port] = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        kind = value.type.tensor_type
        if not kind.HasField("shape"):
            raise Refusal(f"input {value.name} has no shape", hint=_EXPORT)
        sizes = [size.dim_value if size.dim_value > 0 else None for size in kind.shape.dim]
        shape = fixed_shape(value.name, sizes, export=_EXPORT)
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        if dtype == "object":
            raise Refusal(f"input {value.name} takes text", hint="export the model without what prepares its inputs")
        permutation = _channels_last(model, value.name, len(shape))
        key = f"input_{len(ports)}"
        ports.append(Port(key=key, name=value.name, shape=shape, dtype=dtype, permutation=permutation))
    if not ports:
        raise Refusal("the ONNX model has no inputs", hint=_EXPORT)
    return ports


def _channels_last(model: Any, name: str, rank: int) -> tuple[int, ...] | None:  # noqa: ANN401 - onnx's
    """The permutation of an image; of 3 dimensions only where it is known to be no plain sequence.

    What is transposed first has its channels last already: exporters from TensorFlow do so.
    """
    readers = {node.op_type for node in model.graph.node if name in node.input}
    if (rank == 4 and readers != {"Transpose"}) or (rank in {3, 5} and readers & _SPATIAL):
        return (0, *range(2, rank), 1)
    return None


def loops_of(model: Any) -> list[str]:  # noqa: ANN401 - onnx's
    """The nodes that are loops, as they are named in an error.

    Raises:
        Refusal: One of them is no recurrent layer, but a loop or a branch of the program.
    """
    nodes = [node for node in model.graph.node if node.op_type in _RECURRENT | _LOOPS]
    names = [f"{node.name or node.output[0]} ({node.op_type})" for node in nodes]
    if any(node.op_type in _LOOPS for node in nodes):
        raise Refusal(
            "the model has loops or branches, which cannot be quantised",
            where={"layer": "\n".join(names[:6])},
            hint="export the model with fixed shapes, and with its loops unrolled",
        )
    return names


def with_plain_ends(model: Any, inputs: list[Port]) -> tuple[list[str], list[Port]]:  # noqa: ANN401 - onnx's
    """Gives the model batch 1, and its inputs and outputs the names ``input_0``, ``output_0`` and so on.

    Returns the names of the outputs in the source, and the inputs with the names that they have now as their keys.
    """
    _set_batch(model, inputs)
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    prefix = next(text for text in ("", *(f"end{i}_" for i in range(1000))) if f"{text}input_0" not in taken)
    keyed = [replace(port, key=f"{prefix}{port.key}") for port in inputs]
    outputs = [value.name for value in model.graph.output]
    names = {port.name: port.key for port in keyed}
    names |= {name: f"{prefix}output_{position}" for position, name in enumerate(outputs) if name not in names}
    _rename(model.graph, names)
    return outputs, keyed


def with_initial_states(model: Any) -> None:  # noqa: ANN401 - onnx's
    """Writes out the zeros that recurrent layers start from: onnx2tf fails where they are left out."""
    from onnx import helper, numpy_helper

    for position, node in enumerate(model.graph.node):
        if node.op_type not in _RECURRENT:
            continue
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        directions = 2 if attributes.get("direction") == b"bidirectional" else 1
        zeros = np.zeros((directions, 1, attributes["hidden_size"]), np.float32)
        wanted = 7 if node.op_type == "LSTM" else 6  # X, W, R, B, sequence_lens, initial_h, initial_c
        node.input.extend([""] * (wanted - len(node.input)))
        for at in range(5, wanted):
            if not node.input[at]:
                node.input[at] = f"tinydeploy_state_{position}_{at}"
                model.graph.initializer.append(numpy_helper.from_array(zeros, node.input[at]))


def _set_batch(model: Any, inputs: list[Port]) -> None:  # noqa: ANN401 - onnx's
    """What is written of shapes inside is left out: it may have the open batch in it."""
    shapes = {port.name: port.shape for port in inputs}
    batches = set()
    for value in model.graph.input:
        for size, fixed in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            batches.add(size.dim_param)
            size.dim_value = fixed
    for value in model.graph.output:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param and size.dim_param in batches:
                size.dim_value = 1
    del model.graph.value_info[:]


def _rename(graph: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401 - onnx's
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
        for inner in _graphs_in(node):
            _rename(inner, names)


def _graphs_in(node: Any) -> Iterator[Any]:  # noqa: ANN401 - onnx's
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
