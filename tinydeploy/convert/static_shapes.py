"""Batch 1 and fixed shapes throughout, for a float .tflite that leaves them open or has another batch."""

from pathlib import Path

import numpy as np

from tinydeploy import worker
from tinydeploy.convert.flatbuffer import Model, kind, make_constant, pack, reads, tensor_name
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

_WORKER = Path(__file__).with_name("static_shapes_worker.py")
_TIMEOUT_S = 120.0


def make_static(model: Model) -> None:
    """Fixes the shape of every tensor for batch 1, and computes what only depends on shapes, in place.

    LiteRT's interpreter tells the shapes, in a process of its own. A chain such as SHAPE, STRIDED_SLICE, PACK before a
    RESHAPE becomes the constant that it comes to.

    Raises:
        ModelError: A dimension besides the batch is open, or LiteRT refuses the model with batch 1.
    """
    graph = model.subgraphs[0]
    _require_known_dimensions(model)
    known = _known_beforehand(model)
    answer = _run(pack(model), sorted(known))
    for index, tensor in enumerate(graph.tensors):
        if f"shape{index}" in answer:
            tensor.shape = answer[f"shape{index}"].astype(np.int32)
        tensor.shapeSignature = None
    for index in known:
        make_constant(model, index, answer[f"value{index}"])
    graph.operators = [operator for operator in graph.operators if not known.issuperset(map(int, operator.outputs))]


def _require_known_dimensions(model: Model) -> None:
    graph = model.subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        shape = [] if shape is None else [int(size) for size in shape]
        if any(size < 0 for size in shape[1:]):
            sizes = "x".join("?" if size < 0 else str(size) for size in shape)
            raise ModelError(
                f"input {printable(tensor_name(tensor))} has dimensions of no fixed size: {sizes}",
                hint="fix them before converting: a microcontroller computes one shape; only the batch is made 1 here",
            )


def _known_beforehand(model: Model) -> set[int]:
    """The outputs of ops that depend on no input's values, only on shapes and constants."""
    graph = model.subgraphs[0]
    varying = set(map(int, graph.inputs)) | {index for index, tensor in enumerate(graph.tensors) if tensor.isVariable}
    known: set[int] = set()
    for operator in graph.operators:
        outputs = [int(index) for index in operator.outputs]
        if kind(model, operator) == "SHAPE" or not varying.intersection(reads(operator)):
            known.update(outputs)
        else:
            varying.update(outputs)
    return known - set(map(int, graph.outputs))


def _run(data: bytes, wanted: list[int]) -> dict[str, worker.Array]:
    request: dict[str, worker.Array] = {"model": np.frombuffer(data, np.uint8), "wanted": np.array(wanted, np.int64)}
    finished = worker.run(_WORKER, request, who="LiteRT", timeout_s=_TIMEOUT_S)
    if finished.exit_code != 0:
        raise worker.refusal(finished, "LiteRT", hint="export the model with batch 1 and fixed shapes")
    return worker.answer(finished, "LiteRT")
