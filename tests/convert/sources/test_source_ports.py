"""A converted model's inputs and outputs have the source's order and names."""

import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder

from tinydeploy.convert.flatbuffer import pack, unpack
from tinydeploy.convert.sources.ports import with_source_names
from tinydeploy.errors import ModelError
from tinydeploy.model.reader import parse_model


def tensor_map(name: str, index: int):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def converted() -> bytes:
    builder = ModelBuilder()
    a, b, y = (builder.tensor((1, size), scale=1.0) for size in (2, 3, 5))
    builder.op("CONCATENATION", [a, b], [y], axis=1)
    model = unpack(builder.finish(inputs=[a, b], outputs=[y]), "m")
    signature = schema.SignatureDefT()
    signature.inputs = [tensor_map("input_1", a), tensor_map("input_0", b)]
    signature.outputs = [tensor_map("output_0", y)]
    model.signatureDefs = [signature]
    return pack(model)


def test_order_and_names_are_the_sources():
    inputs = [{"key": "input_0", "name": "wide"}, {"key": "input_1", "name": "narrow/é"}]
    data = with_source_names(converted(), inputs, [{"key": "output_0", "name": "all"}], name="m")
    graph = parse_model(data, name="m")
    assert [(graph.tensors[i].name, graph.tensors[i].shape) for i in graph.inputs] == [
        ("wide", (1, 3)),
        ("narrow/é", (1, 2)),
    ]
    assert [graph.tensors[i].name for i in graph.outputs] == ["all"]


def test_an_input_that_the_converter_left_out_is_an_error():
    with pytest.raises(ModelError, match="input gone is not in the converted model") as caught:
        with_source_names(converted(), [{"key": "input_9", "name": "gone"}], [], name="m")
    assert caught.value.hint == "leave it out of the source"
