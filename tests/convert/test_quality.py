"""Float against integer: models whose difference is known on paper, and public ones that TensorFlow quantises."""

import importlib.util
import math

import numpy as np
import pytest
from quality_models import COARSE, FINE, Layer, chain, classifier, pair, remembering, split
from tflite_builder import ModelBuilder, opened

from tinydeploy.convert import quality_run
from tinydeploy.convert.quality import Correct, Quality, measure_quality
from tinydeploy.errors import ModelError, UsageError
from tinydeploy.samples.samples import UNLABELLED, Samples

# Multiples of the fine step, none of them in the middle between two coarse ones.
ON_THE_GRID = np.array([[3, 5, -7, 1], [64, -61, 30, 2], [-9, 11, 13, 90]], np.float32) * FINE


def samples(values, labels=None) -> Samples:
    """Samples of one input, a row each."""
    rows = np.asarray(values, np.float32)
    return Samples(inputs=(rows[:, np.newaxis],), labels=None if labels is None else np.array(labels, np.int64))


def measured(models, values, labels=None) -> Quality:
    return measure_quality(*models, samples(values, labels))


def sqnr(real, got):
    return 10 * math.log10(np.sum(np.square(real)) / np.sum(np.square(real - got)))


def to_steps(values, steps):
    return np.round(values / steps) * steps


def test_models_that_compute_the_same_have_no_error_at_all():
    quality = measured(pair(Layer(name="a"), Layer(name="b")), ON_THE_GRID)
    assert (quality.samples, quality.ops, [layer.op for layer in quality.layers]) == (3, 2, [0, 1])
    assert quality.min_sqnr_db == math.inf
    for one in (*quality.inputs, *quality.outputs, *quality.layers):
        assert (one.closeness.sqnr_db, one.closeness.max_abs_error) == (math.inf, 0.0)
        assert one.closeness.cosine == pytest.approx(1.0)
    assert [layer.own_sqnr_db for layer in quality.layers] == [math.inf, math.inf]
    assert quality.worst() == ()


def test_the_error_of_rounding_is_what_it_is_on_paper():
    quality = measured(pair(Layer(name="a", steps=COARSE)), ON_THE_GRID)
    rounded = to_steps(ON_THE_GRID, COARSE)
    (layer,) = quality.layers
    assert (layer.op, layer.kind, layer.name) == (0, "FULLY_CONNECTED", "a")
    assert layer.closeness.sqnr_db == pytest.approx(sqnr(ON_THE_GRID, rounded))
    assert layer.closeness.max_abs_error == np.abs(ON_THE_GRID - rounded).max()
    lengths = np.linalg.norm(ON_THE_GRID) * np.linalg.norm(rounded)
    assert layer.closeness.cosine == pytest.approx(np.sum(ON_THE_GRID * rounded) / lengths)
    assert layer.own_sqnr_db == layer.range_use.limit_db == layer.closeness.sqnr_db


def test_outputs_are_those_of_the_boards_interpreter():
    quality = measured(pair(Layer(name="a", steps=COARSE)), ON_THE_GRID)
    (output,) = quality.outputs
    assert output.name == "a"
    assert output.closeness.sqnr_db == pytest.approx(sqnr(ON_THE_GRID, to_steps(ON_THE_GRID, COARSE)))
    assert quality.min_sqnr_db == output.closeness.sqnr_db
    assert quality.oracle.startswith(("TensorFlow Lite Micro (", "LiteRT reference kernels ("))


def test_what_is_lost_before_the_first_layer_is_told_of_the_input():
    values = ON_THE_GRID + FINE / 4
    quality = measured(pair(Layer(name="a")), values)
    (one,) = quality.inputs
    assert one.name == "x"
    assert one.closeness.sqnr_db == pytest.approx(sqnr(values, ON_THE_GRID))
    assert quality.layers[0].closeness.sqnr_db == pytest.approx(sqnr(values, ON_THE_GRID))
    assert quality.layers[0].own_sqnr_db == math.inf


def test_the_worst_layer_is_the_one_that_makes_the_error_not_one_that_passes_it_on():
    layers = (Layer(name="a"), Layer(name="b", steps=COARSE), Layer(name="c"))
    quality = measured(pair(*layers), ON_THE_GRID)
    assert quality.layers[0].closeness.sqnr_db == math.inf
    assert quality.layers[2].closeness.sqnr_db == quality.layers[1].closeness.sqnr_db < 30
    assert [layer.name for layer in quality.worst()] == ["b"]


def test_the_worst_layers_come_in_the_order_of_their_own_errors_and_no_more_than_asked_for():
    layers = (
        Layer(name="a", factor=0.9, rounded=58 / 64),
        Layer(name="b", steps=COARSE),
        Layer(name="c", steps=COARSE),
    )
    quality = measured(pair(*layers), ON_THE_GRID)
    own = [layer.own_sqnr_db for layer in quality.worst()]
    assert own == sorted(own)
    assert [layer.name for layer in quality.worst()] == ["b", "a"]
    assert [layer.name for layer in quality.worst(1)] == ["b"]


def test_the_rounding_of_the_weights_alone_is_told_apart():
    """0.9 becomes 58/64, which is 0.00625 too much, whatever the input is."""
    quality = measured(pair(Layer(name="a", factor=0.9, rounded=58 / 64, steps=COARSE)), ON_THE_GRID)
    (output,) = quality.outputs
    assert output.weights_sqnr_db == pytest.approx(20 * math.log10(0.9 / 0.00625), abs=1e-4)
    assert output.closeness.sqnr_db < output.weights_sqnr_db


def test_weights_with_a_scale_for_each_channel_are_read_along_their_axis():
    exact, rounded = pair(Layer(name="a", factor=0.5))
    builder = opened(rounded)
    weights = builder.graph.tensors[1].quantization
    weights.scale = np.array([FINE, FINE * 2, FINE, FINE], np.float32)
    weights.zeroPoint, weights.quantizedDimension = np.zeros(4, np.int64), 0
    quality = measured((exact, builder.finish(inputs=[0], outputs=[2])), ON_THE_GRID)
    # The second channel is 1.0 instead of 0.5: its error is its signal.
    powers = np.square(ON_THE_GRID).sum(axis=0)
    assert quality.outputs[0].weights_sqnr_db == pytest.approx(10 * math.log10(powers.sum() / powers[1]))


def test_a_layer_that_the_float_model_does_not_have_is_left_out():
    layers = (Layer(name="a"), Layer(name="b", steps=COARSE), Layer(name="c", steps=COARSE))
    exact = chain(layers, is_integer=False)
    renamed = chain((Layer(name="other"), *layers[1:]), is_integer=True)
    quality = measured((exact, renamed), ON_THE_GRID)
    assert (quality.ops, [layer.name for layer in quality.layers]) == (3, ["b", "c"])
    assert [layer.name for layer in quality.worst()] == ["b"]


def test_a_name_that_two_tensors_have_matches_nothing():
    layers = (Layer(name="a", steps=COARSE), Layer(name="a", steps=COARSE), Layer(name="b", steps=COARSE))
    assert [layer.op for layer in measured(pair(*layers), ON_THE_GRID).layers] == [2]


def test_an_output_is_compared_whatever_its_name_is():
    exact, rounded = chain((Layer(name="a"),), is_integer=False), chain((Layer(name="a_int8"),), is_integer=True)
    assert [layer.name for layer in measured((exact, rounded), ON_THE_GRID).layers] == ["a_int8"]


def test_an_op_with_several_outputs_is_one_layer():
    quality = measured(split(), ON_THE_GRID)
    assert [(layer.op, layer.kind, layer.name) for layer in quality.layers] == [(0, "SPLIT", "left"), (1, "ADD", "sum")]
    assert quality.layers[0].closeness.sqnr_db == math.inf
    total = ON_THE_GRID[:, :2] + ON_THE_GRID[:, 2:]
    assert quality.layers[1].own_sqnr_db == pytest.approx(sqnr(total, to_steps(total, COARSE)), abs=0.5)


def test_values_beyond_the_range_are_counted():
    """Steps of 1/64 reach to 127.5/64; one value of twelve is above."""
    values = ON_THE_GRID.copy()
    values[0, 0] = 1.9
    layers = (Layer(name="a", steps=COARSE, factor=1.5), Layer(name="b", steps=FINE))
    quality = measured(pair(*layers), values)
    assert quality.inputs[0].range_use.saturated == 0
    assert [layer.range_use.saturated for layer in quality.layers] == [0, 2 / 12]


def test_the_part_of_the_range_that_is_used_leaves_out_rare_values_and_has_zero_in_it():
    """Of 256 steps, those from zero to what all but one in a thousand values need; half of those may be on one side."""
    model = pair(Layer(name="a"), width=100)
    values = np.full((20, 100), 8)
    values[0, 0] = 120
    assert measured(model, values * FINE).layers[0].range_use.used == 9 / 256
    values[0, :4] = 120
    assert measured(model, values * FINE).layers[0].range_use.used == 121 / 256


def test_what_has_a_state_goes_through_one_sequence_in_all_models():
    values = np.array([[8], [24], [-10], [16], [2]]) * FINE
    quality = measured(remembering(), values)
    assert quality.min_sqnr_db == math.inf
    assert quality.layers[0].own_sqnr_db == math.inf
    assert quality.layers[0].closeness.sqnr_db == math.inf
    assert quality.top1_agreement is None


def test_classes_are_those_of_the_first_output_of_both_models():
    """The first two samples have two values that are the same coarse step, of which the first counts."""
    values = np.array([[17, 18, 0, 0], [18, 17, 0, 0], [0, 0, 40, 0], [0, 0, 0, 33]]) * FINE
    quality = measured(pair(Layer(name="a", steps=COARSE)), values, labels=[1, 0, 2, UNLABELLED])
    assert quality.top1_agreement == 0.75
    assert quality.correct == Correct(samples=3, float_model=3, integer_model=2)


def test_without_any_label_there_is_no_accuracy():
    models = pair(Layer(name="a"))
    assert measured(models, ON_THE_GRID).correct is None
    assert measured(models, ON_THE_GRID, labels=[UNLABELLED] * 3).correct is None


def test_an_output_of_indices_agrees_or_not():
    values = np.array([[17, 18, 0, 0], [18, 17, 0, 0], [0, 0, 40, 0], [0, 0, 0, 33]]) * FINE
    quality = measured(classifier(), values, labels=[1, 0, 3, 3])
    (output,) = quality.outputs
    assert (output.name, output.closeness, output.weights_sqnr_db) == ("class", None, None)
    assert (quality.min_sqnr_db, quality.layers) == (None, ())
    assert quality.top1_agreement == 0.75
    assert quality.correct == Correct(samples=4, float_model=3, integer_model=2)


def test_one_value_is_a_class_where_there_are_labels_and_a_quantity_otherwise():
    """The float 0.484 is below the half, its coarse step is not."""
    models, values = pair(Layer(name="a", steps=COARSE), width=1), np.array([[31], [33], [5], [64]]) * FINE
    quality = measured(models, values, labels=[0, 1, 0, UNLABELLED])
    assert quality.top1_agreement == 0.75
    assert quality.correct == Correct(samples=3, float_model=3, integer_model=2)
    assert measured(models, values).top1_agreement is None


def test_a_sigmoid_is_a_class_without_labels():
    exact, rounded = ModelBuilder(), ModelBuilder()
    for builder, dtype, steps in ((exact, "FLOAT32", (None, None)), (rounded, "INT8", (FINE, 2.0**-8))):
        x = builder.tensor((1, 1), dtype, scale=steps[0], name="x")
        y = builder.tensor((1, 1), dtype, scale=steps[1], zero_point=-128 if steps[1] else 0, name="y")
        builder.op("LOGISTIC", [x], [y])
    models = [builder.finish(inputs=[0], outputs=[1]) for builder in (exact, rounded)]
    assert measured(models, np.array([[-1.0], [1.0]])).top1_agreement == 1.0


def test_layers_are_compared_on_some_samples_spread_over_all_and_outputs_on_all(monkeypatch):
    """Only the samples at even places, which are those that layers get, are off their steps."""
    monkeypatch.setattr("tinydeploy.convert.quality._MOST_LAYER_SAMPLES", 2)
    values = np.array([[3, 5, -7, 1], [8, 16, 24, 8], [5, 1, 3, 9], [16, 8, -8, 0]]) * FINE
    quality = measured(pair(Layer(name="a", steps=COARSE)), values, labels=[1, 2, 3, 1])
    assert (quality.samples, quality.layer_samples) == (4, 2)
    some = values[::2]
    assert quality.layers[0].closeness.sqnr_db == pytest.approx(sqnr(some, to_steps(some, COARSE)))
    assert quality.layers[0].own_sqnr_db == pytest.approx(sqnr(some, to_steps(some, COARSE)))
    assert quality.outputs[0].closeness.sqnr_db == pytest.approx(sqnr(values, to_steps(values, COARSE)))
    assert quality.correct is not None
    assert quality.correct.samples == 4


def test_layers_of_what_has_a_state_are_compared_on_the_first_samples(monkeypatch):
    """Every sample but the first two is beyond the range."""
    monkeypatch.setattr("tinydeploy.convert.quality._MOST_LAYER_SAMPLES", 2)
    values = np.array([[8], [24], [400], [400], [400]]) * FINE
    quality = measured(remembering(), values)
    assert (quality.samples, quality.layer_samples) == (5, 2)
    assert quality.layers[0].closeness.sqnr_db == quality.inputs[0].closeness.sqnr_db == math.inf
    assert quality.min_sqnr_db is not None
    assert quality.min_sqnr_db < 30


def test_16_bit_activations_are_measured_like_8_bit_ones():
    layers = (Layer(name="a", steps=2.0**-12),)
    exact, rounded = chain(layers, is_integer=False), chain(layers, is_integer=True, dtype="INT16")
    values = np.array([[1.0, 2.5, -3.0, 0.5]]) + FINE / 2**7
    quality = measured((exact, rounded), values)
    assert quality.min_sqnr_db == pytest.approx(sqnr(values, to_steps(values, FINE)))


def test_nothing_but_zeros_is_exact():
    quality = measured(pair(Layer(name="a")), np.zeros((2, 4)))
    assert (quality.min_sqnr_db, quality.outputs[0].closeness.cosine) == (math.inf, 1.0)


def test_progress_is_told_sample_by_sample():
    steps = []
    measure_quality(*pair(Layer(name="a")), samples(ON_THE_GRID), on_step=lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_samples_that_are_not_of_the_models_inputs_are_refused():
    models = pair(Layer(name="a"))
    with pytest.raises(UsageError) as caught:
        measure_quality(*models, Samples(inputs=(ON_THE_GRID, ON_THE_GRID)))
    assert caught.value.summary == "samples for 2 inputs, but the float model has 1"
    with pytest.raises(UsageError) as caught:
        measured(models, np.zeros((2, 5)))
    assert caught.value.summary == "samples of input x have shape 1x5, the float model takes 1x4"
    with pytest.raises(UsageError) as caught:
        measured(models, [[0, 0, np.nan, 0]])
    assert caught.value.summary == "samples of input x have a NaN or an infinity"
    assert caught.value.hint == "remove it"


def test_models_that_do_not_belong_together_are_refused():
    exact, rounded = chain((Layer(name="a"),), is_integer=False), chain((Layer(name="a"),), width=3, is_integer=True)
    with pytest.raises(ModelError) as caught:
        measured((exact, rounded), ON_THE_GRID)
    assert caught.value.summary == "the inputs of the integer model are not those of the float model"
    assert caught.value.where == {"float": "1x4", "integer": "1x3"}
    assert caught.value.hint == "compare a model with the one that it was converted from"


def test_a_float_model_that_computes_no_number_is_named_with_layer_and_sample():
    exact, rounded = pair(Layer(name="a"), Layer(name="b"))
    builder = opened(exact)
    last = builder.graph.operators.pop()
    builder.op("LOG", last.inputs[:1], last.outputs)
    with pytest.raises(ModelError) as caught:
        measured((builder.finish(inputs=[0], outputs=last.outputs), rounded), [[1, 1, 1, 1], [1, 1, -1, 1]])
    assert caught.value.summary == "the float model computes a NaN or an infinity in sample 1"
    assert caught.value.where == {"layer": "op 1 FULLY_CONNECTED (b)"}
    assert caught.value.hint == "check the range of the samples, and the float model with them"


def test_an_op_that_litert_does_not_have_is_named():
    builder = opened(pair(Layer(name="a"))[0])
    builder.op("NOT_AN_OP", [2], [builder.tensor((1, 4), "FLOAT32", name="y")])
    float_model = builder.finish(inputs=[0], outputs=[3])
    with pytest.raises(ModelError) as caught:
        measured((float_model, pair(Layer(name="a"))[1]), ON_THE_GRID)
    assert caught.value.summary == (
        "the comparison with the float model does not accept the model (while preparing the float model)"
    )
    assert "NOT_AN_OP" in caught.value.where["says"]
    assert caught.value.hint == "replace the op that it names in the model"


def test_a_crash_is_an_error_like_any_other(monkeypatch, tmp_path):
    crashing = tmp_path / "crashing.py"
    crashing.write_text("import os, sys\nsys.stderr.write('@stage running the samples\\n')\nos.abort()\n")
    monkeypatch.setattr(quality_run, "_WORKER", crashing)
    with pytest.raises(ModelError) as caught:
        measured(pair(Layer(name="a")), ON_THE_GRID)
    assert caught.value.summary == "the comparison with the float model crashed (SIGABRT) while running the samples"
    assert caught.value.hint == "replace the op that it names in the model"


def test_a_comparison_that_does_not_finish_is_ended():
    with pytest.raises(ModelError) as caught:
        measure_quality(*pair(Layer(name="a")), samples(ON_THE_GRID), timeout_s=0.01)
    assert caught.value.summary == "the comparison with the float model did not finish within 0.01 s"
    assert caught.value.hint == "try with fewer samples"


def test_what_is_no_tflite_file_is_refused():
    with pytest.raises(ModelError, match="the float model is not a TensorFlow Lite model"):
        measured((b"no model at all", pair(Layer(name="a"))[1]), ON_THE_GRID)


def test_a_model_without_a_layer_to_compare_still_has_its_outputs_compared():
    exact, rounded = ModelBuilder(), ModelBuilder()
    for builder, dtype, steps in ((exact, "FLOAT32", None), (rounded, "INT8", FINE)):
        x = builder.tensor((1, 4), dtype, scale=steps, name="x")
        y = builder.tensor((1, 4), dtype, scale=steps, name="y")
        builder.op("RELU", [x], [y])
    models = [builder.finish(inputs=[0], outputs=[1]) for builder in (exact, rounded)]
    assert measured(models, ON_THE_GRID).min_sqnr_db == math.inf


@pytest.fixture(scope="module")
def quantised(model_file):
    """Quantises a public float model with TensorFlow; gives it and what comes of it for both targets."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not here: pip install 'tinydeploy[convert]'")
    from tinydeploy.convert.quantize import QuantizationSettings, quantize
    from tinydeploy.convert.tflite import float_tflite

    def build(name, shape):
        float_model = float_tflite(model_file(f"{name}_float.tflite").read_bytes(), name).data
        rows = np.random.default_rng(0).uniform(-1, 1, (40, *shape)).astype(np.float32)
        targets = [QuantizationSettings(target=target) for target in ("int8", "int16x8")]
        return float_model, *(quantize(float_model, Samples(inputs=(rows,)), target) for target in targets)

    return build


@pytest.mark.usefixtures("warm_workers")
@pytest.mark.parametrize(
    ("name", "shape", "ops"),
    [("kws", (1, 49, 10, 1), 12), ("resnet8", (1, 32, 32, 3), 15)],
)
def test_every_layer_of_the_public_models_is_compared_and_16_bits_reach_what_was_foretold(quantised, name, shape, ops):
    float_model, int8, int16x8 = quantised(name, shape)
    rows = np.random.default_rng(1).uniform(-1, 1, (10, *shape)).astype(np.float32)
    narrow, wide = (measure_quality(float_model, model, Samples(inputs=(rows,))) for model in (int8, int16x8))
    assert (narrow.ops, len(narrow.layers)) == (ops, ops)
    assert 15 < narrow.min_sqnr_db < 60
    assert all(25 < layer.own_sqnr_db < 70 for layer in narrow.layers)
    assert wide.min_sqnr_db == pytest.approx(narrow.outputs[0].weights_sqnr_db, abs=1.0)
