"""The oracle: what it computes, and how it fails."""

import numpy as np
import pytest
import random_graphs
from tflite_builder import ModelBuilder

from tinydeploy.errors import ModelError
from tinydeploy.model.reader import parse_model, read_model
from tinydeploy.samples import Samples, default_samples
from tinydeploy.verify import oracle
from tinydeploy.verify.oracle import Interpreter, Reference, reference_outputs


def asked(data: bytes, **options) -> Reference:
    return reference_outputs(data, default_samples(parse_model(data, name="m.tflite"), count=4), **options)


def concatenation() -> bytes:
    """Two inputs, which come out as one output joined and as another swapped: the answer is known."""
    builder = ModelBuilder()
    a, b = builder.tensor((1, 2), scale=1.0), builder.tensor((1, 3), scale=1.0)
    joined, swapped = builder.tensor((1, 5), scale=1.0), builder.tensor((1, 5), scale=1.0)
    builder.op("CONCATENATION", [a, b], [joined], axis=1)
    builder.op("CONCATENATION", [b, a], [swapped], axis=1)
    return builder.finish(inputs=[a, b], outputs=[joined, swapped])


@pytest.mark.parametrize("interpreter", Interpreter)
def test_inputs_and_outputs_keep_their_order_and_samples(interpreter):
    samples = Samples(inputs=(np.array([[[1, 2]], [[3, 4]]], np.int8), np.array([[[5, 6, 7]], [[8, 9, 10]]], np.int8)))
    outputs = reference_outputs(concatenation(), samples, interpreter=interpreter).outputs
    assert outputs[0].tolist() == [[[1, 2, 5, 6, 7]], [[3, 4, 8, 9, 10]]]
    assert outputs[1].tolist() == [[[5, 6, 7, 1, 2]], [[8, 9, 10, 3, 4]]]
    assert outputs[0].dtype == np.int8


def test_the_oracle_says_who_it_is_and_how_exact():
    reference = asked(concatenation())
    assert reference.oracle.startswith("TensorFlow Lite Micro (tflite-micro 0.dev")
    assert reference.tolerance == 0


def test_the_stand_in_says_who_it_is_and_how_exact():
    reference = asked(concatenation(), interpreter=Interpreter.LITERT)
    assert reference.oracle.startswith("LiteRT reference kernels (ai-edge-litert ")
    assert reference.tolerance == 16


@pytest.mark.parametrize("name", ["kws", "resnet8", "ad01"])
def test_both_oracles_agree_on_the_public_models_within_the_stated_tolerance(model_file, name):
    path = model_file(f"{name}_int8.tflite")
    samples = default_samples(read_model(path), count=16)
    exact, stand_in = (reference_outputs(path.read_bytes(), samples, interpreter=it) for it in Interpreter)
    difference = np.abs(exact.outputs[0].astype(int) - stand_in.outputs[0]).max()
    assert difference <= stand_in.tolerance


def test_an_op_that_is_not_there_is_named():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=1.0), builder.tensor((1, 4), scale=1.0)
    builder.op("GELU", [x], [y])
    with pytest.raises(ModelError) as caught:
        asked(builder.finish(inputs=[x], outputs=[y]))
    assert caught.value.exit_code == 3
    assert caught.value.summary == "the reference interpreter does not accept the model (while preparing it)"
    assert "GELU" in caught.value.where["says"]
    assert caught.value.where["oracle"].startswith("TensorFlow Lite Micro")


def test_an_op_that_cannot_be_prepared_is_named():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=1.0), builder.tensor((1, 4), scale=1.0)
    builder.op("SOFTMAX", [x], [y], beta=1.0)  # its output has to have a scale of 1/256
    with pytest.raises(ModelError) as caught:
        asked(builder.finish(inputs=[x], outputs=[y]))
    assert "Node SOFTMAX (number 0) failed to prepare" in caught.value.where["says"]


def test_a_damaged_file_is_refused_before_tflm_sees_it():
    samples = Samples(inputs=(np.zeros((1, 1, 2), np.int8),))
    with pytest.raises(ModelError, match="checking the file with LiteRT") as caught:
        reference_outputs(concatenation()[:300], samples)
    assert "not a valid Flatbuffer" in caught.value.where["says"]


def test_a_crash_of_the_interpreter_is_an_error_like_any_other():
    # TFLM does not check indices; the reader would have refused this model.
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=1.0), builder.tensor((1, 4), scale=1.0)
    builder.op("RELU", [1 << 28], [y])
    data = builder.finish(inputs=[x], outputs=[y])
    with pytest.raises(ModelError) as caught:
        reference_outputs(data, Samples(inputs=(np.zeros((1, 1, 4), np.int8),)))
    assert caught.value.exit_code == 3
    assert caught.value.summary == "the reference interpreter crashed (SIGSEGV) while preparing it"
    assert caught.value.hint == "the model is damaged, or uses an op in a way that is not supported"


def test_an_interpreter_that_does_not_finish_is_ended():
    with pytest.raises(ModelError) as caught:
        asked(concatenation(), timeout_s=0.01)
    assert caught.value.summary == "the reference interpreter did not finish within 0.01 s"
    assert caught.value.hint == "try with fewer samples"


def test_an_arena_that_is_too_small_is_made_larger_in_a_new_process(monkeypatch):
    monkeypatch.setattr(oracle, "_ARENA_BYTES", 4096)
    assert asked(random_graphs.random_op_model("CONV_2D", 0)).tolerance == 0
    monkeypatch.setattr(oracle, "_LARGE_ARENA_BYTES", 4096)
    with pytest.raises(ModelError, match="does not accept the model"):
        asked(large_model())


def large_model() -> bytes:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 100_000), scale=1.0), builder.tensor((1, 100_000), scale=1.0)
    builder.op("RELU", [x], [y])
    return builder.finish(inputs=[x], outputs=[y])


@pytest.mark.parametrize("seed", range(3))
def test_random_graphs_are_accepted_and_give_every_output(seed):
    data = random_graphs.random_graph(seed)
    graph = parse_model(data, name="random")
    reference = asked(data)
    shapes = [(4, *graph.tensors[index].shape) for index in graph.outputs]
    assert [output.shape for output in reference.outputs] == shapes
