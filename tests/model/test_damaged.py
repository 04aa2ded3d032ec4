"""Whatever the bytes of a file are, the reader answers soon: a graph that keeps its promises, or a ModelError."""

import contextlib
import time

import flatbuffers
import pytest
import random_graphs
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

MODELS = [random_graphs.random_op_model(kind, seed=1) for kind in random_graphs.KINDS]
MODELS += [random_graphs.random_graph(seed) for seed in range(3)]
# Values that mean something as an offset, a length, an index or an enum.
WORDS = st.sampled_from([0, 1, 4, 0x7F, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF])


def assert_promises(graph: Graph) -> None:
    """What Graph's docstring says."""
    available = set(graph.inputs)
    available |= {tensor.index for tensor in graph.tensors if tensor.is_constant or tensor.is_variable}
    for op in graph.ops:
        for index in op.inputs:
            assert index == -1 or index in available
        for index in op.outputs:
            assert 0 <= index < len(graph.tensors)
            assert index not in available
            available.add(index)
    assert set(graph.outputs) <= available
    used = {index for op in graph.ops for index in (*op.inputs, *op.outputs) if index >= 0}
    for index in used:
        assert all(size > 0 for size in graph.tensors[index].shape)
    for tensor in graph.tensors:
        assert tensor.data is None or (tensor.data.nbytes, tensor.data.shape) == (tensor.nbytes, tensor.shape)


def read_or_refuse(data: bytes) -> None:
    """In processor time, some thousand times as much as it takes: a loop that does not end soon is what this finds."""
    start = time.process_time()
    with contextlib.suppress(ModelError):
        assert_promises(parse_model(data, name="damaged.tflite"))
    assert time.process_time() - start < 2


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(MODELS), st.lists(st.tuples(st.integers(0), WORDS), min_size=1, max_size=3))
def test_no_word_of_a_file_makes_the_reader_fail(model, changes):
    data = bytearray(model)
    for position, word in changes:
        at = position % (len(data) // 4) * 4
        data[at : at + 4] = word.to_bytes(4, "little")
    read_or_refuse(bytes(data))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
def test_no_bytes_of_a_file_make_the_reader_fail(model, changes):
    data = bytearray(model)
    for position, byte in changes:
        data[position % len(data)] = byte
    read_or_refuse(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_noise_behind_the_identifier_is_refused(noise):
    with pytest.raises(ModelError):
        parse_model(b"\x10\0\0\0TFL3" + noise, name="noise.tflite")


def test_every_truncation_is_refused_or_harmless():
    model = MODELS[0]
    for length in range(len(model)):
        read_or_refuse(model[:length])


def shared_vector_model(tensors: int, elements: int) -> bytes:
    """A small file in which every tensor has the same huge vector of scales."""
    builder = flatbuffers.Builder(elements * 4)
    builder.StartVector(4, elements, 4)
    for _ in range(elements):
        builder.PrependFloat32(1.0)
    scales = builder.EndVector()
    schema.QuantizationParametersStart(builder)
    schema.QuantizationParametersAddScale(builder, scales)
    quantization = schema.QuantizationParametersEnd(builder)
    schema.TensorStart(builder)
    schema.TensorAddQuantization(builder, quantization)
    tensor = schema.TensorEnd(builder)
    tables = _vector(builder, [tensor] * tensors)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tables)
    subgraphs = _vector(builder, [schema.SubGraphEnd(builder)])
    schema.BufferStart(builder)
    buffers = _vector(builder, [schema.BufferEnd(builder)])
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, subgraphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in offsets:
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


@pytest.mark.parametrize(
    ("tensors", "elements", "message"),
    [
        (3_000, 20_000, "damaged or truncated"),
        (10_000, 20_000, "the model has 10,000 tensors, at most 4,000 are supported"),
        (200_000, 1, "the model has 200,000 tensors, at most 4,000 are supported"),
    ],
)
def test_a_file_that_unfolds_to_a_thousand_times_its_size_is_refused_at_once(tensors, elements, message):
    data = shared_vector_model(tensors, elements)
    start = time.process_time()
    with pytest.raises(ModelError, match=message):
        parse_model(data, name="bomb.tflite")
    assert time.process_time() - start < 1  # it takes some milliseconds
