"""Batch 1 and fixed shapes throughout, for a float .tflite that leaves them open or has another batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinydeploy import worker
from tinydeploy.convert.flatbuffer import Model, kind, make_constant, pack, reads, tensor_name
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable, shape_text

_WORKER = Path(__file__).with_name("static_shapes_worker.py")
_TIMEOUT_S = 120.0
_EXPORT = "export the model with batch 1 and fixed shapes"


def make_static(model: Model) -> None:
    """Fixes the shape of every tensor for batch 1, and computes what only depends on shapes, in place.

    An open first dimension of an input is the batch. So is one that all inputs and outputs have alike and that is not
    1; others belong to the data. LiteRT's interpreter tells the shapes, in a process of its own. A chain such as SHAPE,
    STRIDED_SLICE, PACK before a RESHAPE becomes the constant that it comes to.

    Raises:
        ModelError: A dimension besides the batch is open, or the model cannot have batch 1.
    """
    graph = model.subgraphs[0]
    shapes = _input_shapes(model)
    known = _known_beforehand(model)
    answer = _run(pack(model), shapes, sorted(known))
    changed = any(_shape(graph.tensors[index]) != shape for index, shape in shapes.items())
    for index, tensor in enumerate(graph.tensors):
        if f"shape{index}" in answer:
            tensor.shape = answer[f"shape{index}"].astype(np.int32)
        tensor.shapeSignature = None
    for index in map(int, graph.outputs):
        if changed and _shape(graph.tensors[index])[:1] != (1,):
            raise ModelError(
                f"output {printable(tensor_name(graph.tensors[index]))} does not follow the batch: it is "
                f"{shape_text(_shape(graph.tensors[index]))} for inputs with batch 1",
                hint=_EXPORT,
            )
    for index in known:
        make_constant(model, index, answer[f"value{index}"])
    graph.operators = [operator for operator in graph.operators if not known.issuperset(map(int, operator.outputs))]


def _input_shapes(model: Model) -> dict[int, tuple[int, ...]]:
    """The shape that each input gets, by its index."""
    graph = model.subgraphs[0]
    ends = [*map(int, graph.inputs), *map(int, graph.outputs)]
    sizes = {_shape(graph.tensors[index])[:1] for index in ends}
    is_batched = len(sizes) == 1 and all(len(_shape(graph.tensors[index])) > 1 for index in ends)
    shapes = {}
    for index in map(int, graph.inputs):
        tensor = graph.tensors[index]
        shape = _shape(tensor)
        signature = shape if tensor.shapeSignature is None else tuple(map(int, tensor.shapeSignature))
        if any(size < 0 for size in signature[1:]):
            sizes_text = "x".join("?" if size < 0 else str(size) for size in signature)
            raise ModelError(
                f"input {printable(tensor_name(tensor))} has dimensions of no fixed size: {sizes_text}",
                hint="fix them before converting: a microcontroller computes one shape; only the batch is made 1 here",
            )
        is_open = signature[:1] != () and signature[0] < 0
        shapes[index] = (1, *shape[1:]) if shape and (is_open or is_batched) else shape
    return shapes


def _shape(tensor: Any) -> tuple[int, ...]:  # noqa: ANN401 - the schema's
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


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


def _run(data: bytes, shapes: Mapping[int, tuple[int, ...]], wanted: list[int]) -> dict[str, worker.Array]:
    request: dict[str, worker.Array] = {
        "model": np.frombuffer(data, np.uint8),
        "wanted": np.array(wanted, np.int64),
        **{f"shape{index}": np.array(shape, np.int64) for index, shape in shapes.items()},
    }
    finished = worker.run(_WORKER, request, who="LiteRT", timeout_s=_TIMEOUT_S, timeout_hint=_EXPORT)
    if finished.exit_code != 0:
        raise worker.refusal(finished, "LiteRT", hint=_EXPORT)
    return worker.answer(finished, "LiteRT")
