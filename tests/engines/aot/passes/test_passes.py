"""All passes together: on the public models, on random graphs, and as a whole."""

import gc
import weakref

import numpy as np
import pytest
from needless import Layers, needless_graph
from pace import best_within, seconds
from random_graphs import KINDS, random_graph, random_op_model
from transformed import TransformedCase, channels, check_cases, check_transformed, graph_of, kinds

from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.model.macs import graph_macs
from tinydeploy.model.shapes import check_op

MODELS = ["ad01", "hello_world", "kws", "micro_speech", "resnet8", "vww"]


def structured(shape, rng, samples):
    """Samples of all kinds: noise of several spreads, blocks, single colours, single peaks, both extremes."""
    noise = rng.integers(-128, 128, (samples, *shape))
    spread = rng.choice([0, 1, 8, 64, 255], (samples, *[1] * len(shape)))
    centre = rng.integers(-128, 128, (samples, *[1] * len(shape)))
    values = np.clip(centre + (noise * spread) // 256, -128, 127).astype(np.int8)
    values[-1], values[-2] = -128, 127
    values[-3] = np.resize(np.array([-128, 127], np.int8), shape)
    return values


@pytest.mark.parametrize("name", MODELS)
def test_a_public_model_gives_the_same_as_before(model_file, name):
    model = model_file(f"{name}_int8.tflite").read_bytes()
    rng = np.random.default_rng(5)
    graph = graph_of(model)
    # Where the passes find nothing to do, it is the engine that is tested, and its own tests do that.
    samples = 10 if run_passes(graph) is graph else 200
    inputs = [structured(graph.tensors[index].shape, rng, samples) for index in graph.inputs]
    check_cases([TransformedCase(model, inputs, run_passes)])


def test_random_models_of_one_op_agree_with_tflm():
    check_transformed([random_op_model(kind, seed) for kind in KINDS for seed in range(2)])


def test_random_graphs_agree_with_tflm():
    check_transformed([*map(random_graph, range(20)), *map(needless_graph, range(100, 120))])


def test_one_pass_makes_work_for_another():
    """A RELU that is part of a convolution bounds its channels; those that are constant then go, through the PAD."""
    net = Layers()
    x = net.tensor(1, 6, 6, 3)
    y = net.op("RELU", [net.conv(x, 6, low=[0, 3])], (1, 6, 6, 6))
    y = net.op("PAD", [y, net.int32((0, 0), (1, 1), (1, 1), (0, 0))], (1, 8, 8, 6))
    model = net.finish([x], [net.conv(y, 4, size=3)])
    graph = run_passes(graph_of(model))
    assert kinds(graph) == ["CONV_2D", "CONV_2D"]
    assert channels(graph) == [4, 4]
    check_transformed([model])


@pytest.mark.parametrize("seed", range(10))
def test_what_the_passes_are_done_with_they_leave_alone(seed):
    graph = run_passes(graph_of(needless_graph(seed)))
    assert run_passes(graph) is graph


@pytest.mark.parametrize("seed", range(10))
def test_what_is_left_is_a_graph_that_the_reader_would_accept(seed):
    graph = run_passes(graph_of(needless_graph(seed)))
    for op in graph.ops:
        if getattr(op.options, "explicit_padding", None) is None:
            check_op(graph.tensors, op)


@pytest.mark.parametrize("seed", range(10))
def test_ops_keep_their_numbers_and_the_graphs_ends_their_tensors(seed):
    before = graph_of(needless_graph(seed))
    after = run_passes(before)
    numbers = [op.index for op in after.ops]
    assert numbers == sorted(set(numbers))
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    for index in (*before.inputs, *before.outputs):
        assert after.tensors[index].shape == before.tensors[index].shape
        assert after.tensors[index].quantization == before.tensors[index].quantization
    assert [tensor.index for tensor in after.tensors] == list(range(len(after.tensors)))


@pytest.mark.realtime
def test_the_passes_take_less_than_half_a_second_for_a_person_detector(model_file):
    graph = graph_of(model_file("vww_int8.tflite").read_bytes())
    assert graph_macs(run_passes(graph)) < graph_macs(graph) / 2
    assert best_within(0.5, lambda _: seconds(lambda: run_passes(graph))) < 0.5


def test_the_graphs_that_were_analysed_are_not_kept():

    graph = graph_of(needless_graph(3))
    run_passes(graph)
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None
