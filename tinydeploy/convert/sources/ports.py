"""The order and the names of a converted model's inputs and outputs: those that they have in the source."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinydeploy.convert.flatbuffer import pack, unpack
from tinydeploy.errors import ModelError


def with_source_names(
    data: bytes, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]], *, name: str
) -> bytes:
    """The .tflite with its inputs and outputs in the given order and with the given names.

    Each has ``key``, its key in the file's only signature, which is taken out, and ``name``. ``name`` is the file's.

    Raises:
        ModelError: An input is not there: the source does not use it, or gives it out as it is.
    """
    model = unpack(data, name)
    graph = model.subgraphs[0]
    (signature,) = model.signatureDefs
    graph.inputs = _in_order(graph, signature.inputs, inputs, what="input")
    graph.outputs = _in_order(graph, signature.outputs, outputs, what="output")
    model.signatureDefs = None
    return pack(model)


def _in_order(graph: Any, maps: Any, ports: Sequence[Mapping[str, Any]], *, what: str) -> list[int]:  # noqa: ANN401
    at = {entry.name.decode(): int(entry.tensorIndex) for entry in maps or ()}
    indices = []
    for port in ports:
        index = at.get(port["key"])
        if index is None:
            raise ModelError(f"{what} {port['name']} is not in the converted model", hint="leave it out of the source")
        graph.tensors[index].name = str(port["name"]).encode()
        indices.append(index)
    return indices
