"""Known answers for whole models: what TensorFlow Lite Micro 90b983c2b reported, and the least in which it started.

Measured under QEMU with a bare program on Cortex-M4 (DSP), M3 (no DSP) and M55 (MVE): arena_used_bytes(), and the
smallest of all multiples of 16 in which AllocateTensors() succeeded, with a fresh interpreter in fresh memory each.
"""

import itertools

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from random_graphs import random_graph
from tflite_builder import ModelBuilder
from tflm_tables import TABLES

from tinydeploy.errors import ModelError
from tinydeploy.memory.tflm_arena import plan_tflm_arena, uncovered
from tinydeploy.memory.tflm_reference import REFERENCE
from tinydeploy.model.reader import parse_model, read_model

# Used and needed bytes, in the order of TABLES.
PUBLIC_MODELS = {
    "kws": ((22772, 22784), (22820, 22832), (22820, 22832), (27348, 27360)),
    "vww": ((100660, 100672), (100708, 100720), (100708, 100720), (100772, 100784)),
    "resnet8": ((54340, 54352), (54996, 55008), (54980, 54992), (55028, 55040)),
    "ad01": ((2260, 2704), (2580, 3024), (2580, 3024), (9268, 9712)),
    "hello_world": ((676, 1072), (772, 1168), (772, 1168), (916, 1312)),
    "micro_speech": ((6788, 6800), (6836, 6848), (6836, 6848), (7812, 7824)),
}


def plan(data, sizes=REFERENCE):
    return plan_tflm_arena(parse_model(data, name="model.tflite"), sizes)


@pytest.mark.parametrize("kernels", TABLES)
@pytest.mark.parametrize("name", PUBLIC_MODELS)
def test_a_public_model_is_planned_to_the_byte(name, kernels, model_file):
    arena = plan_tflm_arena(read_model(model_file(f"{name}_int8.tflite")), TABLES[kernels])
    expected = PUBLIC_MODELS[name][list(TABLES).index(kernels)]
    assert (arena.used_bytes, arena.needed_bytes) == expected


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_adds_up(seed):
    arena = plan(random_graph(seed), TABLES["dsp"])
    assert sum(part.nbytes for part in arena.persistent) == arena.persistent_bytes
    assert arena.used_bytes == arena.activation_bytes + arena.persistent_bytes
    assert arena.used_bytes <= arena.needed_bytes
    assert arena.needed_bytes % 16 == 0
    assert arena.live_bound_bytes <= arena.activation_bytes
    assert max(arena.live_bytes) == arena.live_bytes[arena.peak_op] <= arena.live_bound_bytes
    assert max(buffer.offset + buffer.nbytes for buffer in arena.buffers) <= arena.activation_bytes
    for a, b in itertools.combinations(arena.buffers, 2):
        apart_in_time = a.last < b.first or b.last < a.first
        assert apart_in_time or a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset


def test_the_peak_is_named_with_its_tensors_and_working_memory():
    builder = ModelBuilder()
    like = {"scale": 0.5}
    x, y, z = (builder.tensor((1, side, side, 8), **like) for side in (8, 4, 2))
    for source, result in ((x, y), (y, z)):
        builder.op("AVERAGE_POOL_2D", [source], [result], filterHeight=2, filterWidth=2, strideH=2, strideW=2)
    arena = plan(builder.finish(inputs=[x], outputs=[z]), TABLES["dsp"])
    assert (arena.peak_op, arena.peak_tensors, arena.scratch_bytes) == (0, (x, y), 4 * 8)
    assert arena.live_bytes == (512 + 128 + 32, 128 + 32 + 32)


def test_an_unknown_op_a_second_graph_and_an_undefined_size_are_each_a_reason_for_doubt():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.5), builder.tensor((1, 4), scale=0.5)
    builder.op("SignalFramer", [x], [y])
    builder.model.subgraphs.append(builder.graph)
    graph = parse_model(builder.finish(inputs=[x], outputs=[y]), name="odd.tflite")
    assert uncovered(graph, REFERENCE) == (
        "the file has 2 graphs; the arena holds them all",
        "op 0 SignalFramer: what its kernel allocates is not known",
    )
    assert plan_tflm_arena(graph, REFERENCE).used_bytes > 0


def test_an_op_without_the_tensors_that_its_kernel_wants_is_a_reason_for_doubt_not_a_crash():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.5), builder.tensor((1, 4), scale=0.5)
    builder.op("MIRROR_PAD", [-1, x], [y])
    graph = parse_model(builder.finish(inputs=[x], outputs=[y]), name="odd.tflite")
    assert uncovered(graph, REFERENCE) == ("op 0 MIRROR_PAD: its tensors are not those that its kernel expects",)
    assert plan_tflm_arena(graph, REFERENCE).needed_bytes > 0


def chain_with_plan(words):
    """Two ops on 100 bytes each, and a memory plan in the file."""
    builder = ModelBuilder()
    x, y, z = (builder.tensor((1, 100), scale=0.5) for _ in range(3))
    builder.op("RELU", [x], [y])
    builder.op("RELU", [y], [z])
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = "OfflineMemoryAllocation", len(builder.model.buffers)
    buffer = schema.BufferT()
    buffer.data = np.asarray(words, "<i4").view(np.uint8)
    builder.model.buffers.append(buffer)
    builder.model.metadata = [metadata]
    return builder.finish(inputs=[x], outputs=[z])


def test_a_memory_plan_in_the_file_is_obeyed_and_the_rest_fits_around_it():
    arena = plan(chain_with_plan([1, 0, 3, 512, -1, -1]))
    assert [buffer.offset for buffer in arena.buffers] == [512, 112, 0]
    assert arena.activation_bytes == 512 + 112
    assert (arena.used_bytes, arena.needed_bytes) == (1060, 1072)


@pytest.mark.parametrize("words", [[1, 0, 2, 0, 0], [1, 0, 3, 0], [1], []])
def test_a_memory_plan_for_another_graph_is_refused(words):
    with pytest.raises(ModelError, match="the offline memory plan cannot be read") as caught:
        plan(chain_with_plan(words))
    assert caught.value.where["model"]


def test_a_tensor_that_nothing_uses_is_planned_all_the_same():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 16), scale=0.5), builder.tensor((1, 16), scale=0.5)
    idle = builder.tensor((1, 1000), scale=0.5)
    builder.op("RELU", [x], [y])
    arena = plan(builder.finish(inputs=[x], outputs=[y]))
    (lonely,) = (buffer for buffer in arena.buffers if buffer.tensor == idle)
    assert (lonely.first, lonely.last) == (-1, -1)
    assert arena.activation_bytes == 1008
    assert arena.live_bound_bytes == 32
    assert (arena.used_bytes, arena.needed_bytes) == (1380, 1392)


@pytest.mark.parametrize(("quantization", "expected"), [({}, (372, 512)), ({"scale": 0.5}, (388, 512))])
def test_quantised_floats_count_too(quantization, expected):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), "FLOAT32", **quantization), builder.tensor((1, 4), scale=0.5)
    builder.op("QUANTIZE", [x], [y])
    arena = plan(builder.finish(inputs=[x], outputs=[y]))
    assert (arena.used_bytes, arena.needed_bytes) == expected
