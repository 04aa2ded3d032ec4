"""Integer inputs and outputs for a model that is integer inside and has floats at its ends."""

from ai_edge_litert import schema_py_generated as schema

from tinydeploy.convert.flatbuffer import Model, reads, replace_tensor, tensor_name
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

_FLOAT = schema.TensorType.FLOAT32


def to_integer_ends(model: Model) -> None:
    """Takes the QUANTIZE behind each float input and the DEQUANTIZE before each float output away, in place.

    The integer tensors become the inputs and outputs, under the names of the float ones; nothing between them changes.

    Raises:
        ModelError: One input is quantised in two different ways, or one tensor would be two outputs.
    """
    graph = model.subgraphs[0]
    graph.inputs = [
        _quantized_input(model, index) if graph.tensors[index].type == _FLOAT else index
        for index in map(int, graph.inputs)
    ]
    for index in [int(index) for index in graph.outputs if graph.tensors[index].type == _FLOAT]:
        (writer,) = (operator for operator in graph.operators if index in operator.outputs)
        source = int(writer.inputs[0])
        if source in map(int, graph.outputs):
            raise _ambiguous(model, index, "another output is the same tensor before it is dequantised")
        graph.operators.remove(writer)
        _rename(model, index, source)
        replace_tensor(model, index, source)


def _quantized_input(model: Model, index: int) -> int:
    """The integer tensor that takes the place of a float input."""
    graph = model.subgraphs[0]
    readers = [operator for operator in graph.operators if index in reads(operator)]
    if not readers:
        raise _ambiguous(model, index, "nothing reads it")
    first, *others = [int(reader.outputs[0]) for reader in readers]
    for reader, other in zip(readers[1:], others, strict=True):
        if not _same_quantization(model, first, other):
            raise _ambiguous(model, index, "it is quantised in two different ways")
        graph.operators.remove(reader)
        replace_tensor(model, other, first)
    graph.operators.remove(readers[0])
    _rename(model, index, first)
    replace_tensor(model, index, first)
    return first


def _same_quantization(model: Model, one: int, other: int) -> bool:
    tensors = [model.subgraphs[0].tensors[index] for index in (one, other)]
    described = {(t.type, tuple(t.quantization.scale), tuple(t.quantization.zeroPoint)) for t in tensors}
    return len(described) == 1


def _rename(model: Model, old: int, new: int) -> None:
    """The name by which a program finds an input or output goes on meaning it."""
    tensors = model.subgraphs[0].tensors
    tensors[old].name, tensors[new].name = tensors[new].name, tensors[old].name


def _ambiguous(model: Model, index: int, reason: str) -> ModelError:
    name = printable(tensor_name(model.subgraphs[0].tensors[index]))
    return ModelError(
        f"the float end {name} cannot be made integer: {reason}", hint="convert the float model it was made from"
    )
