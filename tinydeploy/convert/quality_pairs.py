"""Which tensors of a float model and of the integer model that was made of it are the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinydeploy.errors import ModelError
from tinydeploy.model.graph import DType, Graph, Tensor
from tinydeploy.model.raw import RawModel, RawTensor
from tinydeploy.model.text import printable, shape_text

_FLOAT32 = 0  # TensorType of TFLite's schema.fbs
_REAL = (DType.INT8, DType.INT16, DType.UINT8)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A tensor of both models: its index in each, and the op of the integer graph that writes it.

    ``op`` is None where it is a graph input.
    """

    in_float: int
    in_integer: int
    op: int | None


def matched(source: RawModel, graph: Graph) -> tuple[Pair, ...]:
    """The tensors that both have, of the float model ``source`` and of the integer model ``graph``.

    Graph inputs and outputs are the same by their place, what ops write is by its name: TensorFlow's quantiser keeps
    names, but puts a number behind some. Only tensors that are float32 there and quantised here count, with as many
    elements; a name that is not unique does not count. First the inputs, then in the order of the integer graph's ops.

    Raises:
        ModelError: The two have different inputs or outputs.
    """
    _check_ends("inputs", source, source.inputs, graph, graph.inputs)
    _check_ends("outputs", source, source.outputs, graph, graph.outputs)
    partners = _by_name(_unique_names(source), graph)
    partners.update(zip(graph.outputs, source.outputs, strict=True))
    inputs = [
        Pair(in_float=there, in_integer=here, op=None)
        for there, here in zip(source.inputs, graph.inputs, strict=True)
        if _comparable(source.tensors[there], graph.tensors[here])
    ]
    written = [
        Pair(in_float=partners[index], in_integer=index, op=op.index)
        for op in graph.ops
        for index in op.outputs
        if index in partners and _comparable(source.tensors[partners[index]], graph.tensors[index])
    ]
    return (*inputs, *written)


def _by_name(floats: Mapping[str, int], graph: Graph) -> dict[int, int]:
    """For what ops write: the tensor of the float model with the same name, or with the name without its number."""
    written = [index for op in graph.ops for index in op.outputs]
    names = {index: graph.tensors[index].name for index in written}
    bare = {index: name if name in floats else name.rstrip("0123456789") for index, name in names.items()}
    counts = Counter(bare.values())
    return {index: floats[name] for index, name in bare.items() if name in floats and counts[name] == 1}


def _unique_names(source: RawModel) -> dict[str, int]:
    """The tensors that ops write and whose name no other tensor has, by that name."""
    counts = Counter(tensor.name for tensor in source.tensors)
    written = [index for op in source.ops for index in op.outputs]
    return {source.tensors[index].name: index for index in written if counts[source.tensors[index].name] == 1}


def _comparable(there: RawTensor, here: Tensor) -> bool:
    quantization = here.quantization
    is_real = here.dtype in _REAL and quantization is not None and not quantization.per_channel
    return is_real and there.type_code == _FLOAT32 and _elements(there) == here.elements


def _elements(tensor: RawTensor) -> int:
    count = 1
    for size in tensor.shape:
        count *= size
    return count


def _check_ends(what: str, source: RawModel, there: Sequence[int], graph: Graph, here: Sequence[int]) -> None:
    shapes = [source.tensors[index].shape for index in there], [graph.tensors[index].shape for index in here]
    if len(there) == len(here) and all(
        _elements(source.tensors[a]) == graph.tensors[b].elements for a, b in zip(there, here, strict=True)
    ):
        return
    of_float, of_integer = (", ".join(map(shape_text, side)) for side in shapes)
    raise ModelError(
        f"the {what} of {printable(graph.name)} are not those of the float model",
        where={"float": of_float, "integer": of_integer},
        hint="compare a model with the one that it was converted from",
    )
