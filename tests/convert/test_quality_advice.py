"""What is advised, and when there is nothing to advise."""

import math
from dataclasses import replace

import pytest

from tinydeploy.convert.quality import Correct, InputQuality, LayerQuality, OutputQuality, Quality
from tinydeploy.convert.quality_advice import advice
from tinydeploy.convert.quality_figures import Closeness, RangeUse

FULL = RangeUse(saturated=0.0, used=0.9, limit_db=45.0)


def close(sqnr_db):
    return Closeness(sqnr_db=sqnr_db, cosine=0.99, max_abs_error=0.1)


def layer(op, own_sqnr_db, *, kind="CONV_2D", range_use=FULL):
    closeness = close(own_sqnr_db - 1)
    return LayerQuality(
        op=op, kind=kind, name=f"t{op}", closeness=closeness, own_sqnr_db=own_sqnr_db, range_use=range_use
    )


def quality(sqnr_db=15.0, weights_sqnr_db=15.5, *, top1=None, correct=None, layers=None) -> Quality:
    return Quality(
        samples=200,
        layer_samples=200,
        oracle="an oracle",
        ops=4,
        inputs=(InputQuality(name="x", closeness=close(48.0), range_use=FULL),),
        outputs=(OutputQuality(name="y", closeness=close(sqnr_db), weights_sqnr_db=weights_sqnr_db),),
        layers=(layer(3, 20.0),) if layers is None else layers,
        top1_agreement=top1,
        correct=correct,
    )


def advised(of, *, target="int8", per_channel=True, samples=200):
    return advice(of, target=target, per_channel=per_channel, calibration_samples=samples)


FLOAT_LAYER = (
    "no float layer: op 3 CONV_2D adds the most error by itself (20.0 dB), but a model that has it in float is not "
    "full integer, and no engine here runs it"
)
TRAINING = "quantisation-aware training: most of the error comes from rounding the weights, and it adapts them to that"


@pytest.mark.parametrize(
    ("sqnr_db", "top1", "correct", "is_well"),
    [
        (30.0, None, None, True),
        (29.9, None, None, False),
        (math.inf, None, None, True),
        (-math.inf, None, None, False),
        (20.0, 0.99, None, True),
        (19.9, 1.0, None, False),
        (45.0, 0.98, None, False),
        (20.0, 0.9, Correct(samples=200, float_model=190, integer_model=188), True),
        (20.0, 1.0, Correct(samples=200, float_model=190, integer_model=187), False),
        (20.0, 0.9, Correct(samples=200, float_model=180, integer_model=190), True),
    ],
)
def test_nothing_is_advised_where_all_is_well(sqnr_db, top1, correct, is_well):
    assert (not advised(quality(sqnr_db, sqnr_db, top1=top1, correct=correct))) is is_well


def test_16_bits_are_advised_where_the_weights_alone_would_do_better():
    assert advised(quality(15.0, 18.0)) == (
        "int16x8: output y has 15.0 dB; with its weights alone rounded it has 18.0 dB",
        FLOAT_LAYER,
    )
    assert advised(quality(15.0, math.inf))[0] == (
        "int16x8: output y has 15.0 dB; with its weights alone rounded it has no error at all"
    )


def test_16_bits_are_advised_against_where_the_weights_are_the_cause():
    assert advised(quality(15.0, 17.9)) == (
        "not int16x8: output y has 15.0 dB, and 17.9 dB with its weights alone rounded",
        TRAINING,
        FLOAT_LAYER,
    )


def test_16_bits_are_not_advised_for_what_cannot_have_them():
    recurrent = (layer(3, 20.0, kind="UNIDIRECTIONAL_SEQUENCE_LSTM"),)
    assert advised(quality(15.0, 30.0, layers=recurrent)) == (FLOAT_LAYER.replace("CONV_2D", recurrent[0].kind),)


def test_with_16_bits_already_the_weights_are_what_is_left():
    assert advised(quality(15.0, 25.0), target="int16x8") == (TRAINING, FLOAT_LAYER)


def test_the_worst_of_several_outputs_is_the_one_that_is_spoken_of():
    of = quality(40.0, 41.0)
    worse = OutputQuality(name="z", closeness=close(10.0), weights_sqnr_db=30.0)
    indices = OutputQuality(name="i", closeness=None, weights_sqnr_db=None)
    of = replace(of, outputs=(*of.outputs, worse, indices))
    assert advised(of)[0] == "int16x8: output z has 10.0 dB; with its weights alone rounded it has 30.0 dB"


def test_where_all_outputs_are_indices_only_what_is_known_is_advised():
    of = replace(quality(top1=0.5), outputs=(OutputQuality(name="i", closeness=None, weights_sqnr_db=None),))
    assert advised(of) == (FLOAT_LAYER,)
    assert advised(replace(of, layers=())) == ()


def test_per_channel_weights_come_before_training():
    assert advised(quality(), per_channel=False)[1:] == (
        "per-channel weights: one scale for a whole tensor leaves few steps to its small channels",
        FLOAT_LAYER,
    )


def test_more_samples_are_advised_where_there_were_few():
    assert "more calibration samples: there were 99, 100 to 500 are usual" in advised(quality(), samples=99)
    assert len(advised(quality(), samples=99)) == len(advised(quality(), samples=100)) + 1


def test_more_samples_are_advised_where_values_are_beyond_what_they_covered():
    beyond = (layer(2, 25.0, range_use=replace(FULL, saturated=0.0009)), layer(3, 20.0))
    assert not any("calibration" in sentence for sentence in advised(quality(layers=beyond)))
    beyond = (layer(2, 25.0, range_use=replace(FULL, saturated=0.012)), layer(3, 20.0))
    sentence = (
        "more or other calibration samples: 1.2% of the values of op 2 CONV_2D are beyond the range that 50 samples "
        "have covered"
    )
    assert sentence in advised(quality(layers=beyond), samples=50)


def test_outliers_are_named_with_what_they_cost():
    wasted = RangeUse(saturated=0.0, used=0.125, limit_db=25.0)
    sentence = (
        "bound that layer's output (ReLU6), or leave out odd samples: 99.9% of the values of op 2 CONV_2D need 12% of "
        "its range; the rest costs 18 dB"
    )
    layers = (layer(2, 24.0, range_use=wasted), layer(3, 20.0))
    assert sentence in advised(quality(layers=layers))
    assert sentence not in advised(quality(layers=layers), target="int16x8"), "16 bits have range to waste"
    harmless = (layer(2, 24.0, range_use=replace(wasted, limit_db=30.0)), layer(3, 20.0))
    assert not any("range" in sentence for sentence in advised(quality(layers=harmless)))
    of_the_op = (layer(2, 24.0, kind="SOFTMAX", range_use=wasted), layer(3, 20.0))
    assert not any("range" in sentence for sentence in advised(quality(layers=of_the_op)))


def test_outliers_of_an_input_are_named_as_well():
    of = quality()
    of = replace(of, inputs=(replace(of.inputs[0], range_use=RangeUse(saturated=0.0, used=0.01, limit_db=9.0)),))
    assert (
        "leave out odd samples: 99.9% of the values of input x need 1% of its range; the rest costs 40 dB"
        in advised(of)
    )
