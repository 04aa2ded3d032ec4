"""A model with every layer on its own, to see what each adds to the error, apart from what comes in."""

import copy
from collections.abc import Sequence

from tinydeploy.convert.flatbuffer import pack, unpack


def isolated(data: bytes, tensors: Sequence[int], name: str) -> tuple[bytes, tuple[int, ...]]:
    """Cuts a .tflite at ``tensors``: what reads one of them reads a new graph input of its type and scale instead.

    Returns the new model, and for each of the tensors the index of the new input; of one that is a graph input already,
    its own. The old inputs stay, and come first. Ops and all other tensors keep their indices. The file is not to be
    deployed: it has no signatures and no metadata. ``name`` is for messages.

    Raises:
        ModelError: ``data`` is no .tflite file, or damaged.
    """
    model = unpack(data, name)
    graph = model.subgraphs[0]
    model.signatureDefs = model.metadata = model.metadataBuffer = None
    inputs = [int(index) for index in graph.inputs]
    places = {index: index for index in tensors if index in inputs}
    for index in tensors:
        if index not in places:
            fresh = copy.copy(graph.tensors[index])
            fresh.buffer, fresh.name = 0, f"cut {index}"
            places[index] = len(graph.tensors)
            graph.tensors.append(fresh)
    graph.inputs = [*inputs, *(place for index, place in places.items() if place != index)]
    for operator in graph.operators:
        if operator.inputs is not None:
            operator.inputs = [places.get(int(index), int(index)) for index in operator.inputs]
    return pack(model), tuple(places[index] for index in tensors)
