"""What would help a model that has lost too much by its conversion, each with the figures that say so."""

import math

from tinydeploy.convert.quality import LayerQuality, Quality
from tinydeploy.convert.quality_figures import RangeUse
from tinydeploy.convert.quantize import Target

# What is good enough, so that there is nothing to advise: a judgement, not a law. 30 dB is an error of 3 % of the
# signal. Of a classifier's outputs only the order counts, which 10 % of error seldom changes.
_GOOD_DB = 30.0
_GOOD_CLASSIFIER_DB = 20.0
_GOOD_AGREEMENT = 0.99
_BEARABLE_LOSS = 0.01  # of accuracy

_WORTH_DB = 3.0  # half of the error's power: less is not worth a change
_SATURATED = 0.001
_MUCH_UNUSED = 0.25  # of the range used: two bits of eight lost, 12 dB
_FEW_SAMPLES = 100
_NEVER_16_BITS = {"UNIDIRECTIONAL_SEQUENCE_LSTM"}  # TensorFlow 2.21's quantiser refuses it for int16x8
# Their output's range is the op's, whatever the values are.
_FIXED_RANGES = {"SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION"}


def advice(quality: Quality, *, target: Target, per_channel: bool, calibration_samples: int) -> tuple[str, ...]:
    """Sentences, the most promising first; none where all is well.

    That is: with labels, the integer model gets at most 1 % of the samples wrong that the float model gets right, else
    both agree in 99 % of the top-1 classes; and every output has 30 dB, or 20 dB where the first one has classes.
    """
    if _is_well(quality):
        return ()
    sentences = [
        _activations(quality, target),
        ""
        if per_channel
        else "per-channel weights: one scale for a whole tensor leaves few steps to its small channels",
        _calibration(quality, calibration_samples),
        _outliers(quality) if target == "int8" else "",
        _training(quality, target) if per_channel else "",
        _float_layer(quality),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _is_well(quality: Quality) -> bool:
    floor = _GOOD_DB if quality.top1_agreement is None else _GOOD_CLASSIFIER_DB
    if quality.min_sqnr_db is not None and quality.min_sqnr_db < floor:
        return False
    if quality.correct is not None:
        lost = quality.correct.float_model - quality.correct.integer_model
        return lost <= _BEARABLE_LOSS * quality.correct.samples
    return quality.top1_agreement is None or quality.top1_agreement >= _GOOD_AGREEMENT


def _room_db(quality: Quality) -> tuple[str, float, float] | None:
    """The worst output: its name, its SQNR, and what rounding the weights alone would leave of it."""
    known = [
        (output.closeness.sqnr_db, output.weights_sqnr_db, output.name)
        for output in quality.outputs
        if output.closeness is not None and output.weights_sqnr_db is not None
    ]
    if not known or not math.isfinite(min(known)[0]):
        return None
    now, weights, name = min(known)
    return name, now, weights


def _activations(quality: Quality, target: Target) -> str:
    room = _room_db(quality)
    if target != "int8" or room is None or any(layer.kind in _NEVER_16_BITS for layer in quality.layers):
        return ""
    name, now, weights = room
    if weights - now >= _WORTH_DB:
        most = "no error at all" if weights == math.inf else f"{weights:.1f} dB"
        return f"int16x8: output {name} has {now:.1f} dB; with its weights alone rounded it has {most}"
    return f"not int16x8: output {name} has {now:.1f} dB, and {weights:.1f} dB with its weights alone rounded"


def _training(quality: Quality, target: Target) -> str:
    """Where the weights are what is left."""
    room = _room_db(quality)
    if room is None or (target == "int8" and room[2] - room[1] >= _WORTH_DB):
        return ""
    return "quantisation-aware training: most of the error comes from rounding the weights, and it adapts them to that"


def _calibration(quality: Quality, samples: int) -> str:
    """More samples, where the range that the calibration saw is too small, or where there were few."""
    share, place = max(((use.saturated, place) for place, use, _ in _ranges(quality)), default=(0.0, ""))
    if share >= _SATURATED:
        return (
            f"more or other calibration samples: {share:.1%} of the values of {place} are beyond the range that "
            f"{samples} samples have covered"
        )
    return f"more calibration samples: there were {samples}, 100 to 500 are usual" if samples < _FEW_SAMPLES else ""


def _outliers(quality: Quality) -> str:
    """The tensor whose range is the most wasted on a few values."""
    wasted = [
        (use.used, place, what)
        for place, use, what in _ranges(quality)
        if use.used < _MUCH_UNUSED and use.limit_db < _GOOD_DB
    ]
    if not wasted:
        return ""
    used, place, what = min(wasted)
    lost = -20 * math.log10(used)
    return f"{what}: 99.9% of the values of {place} need {used:.0%} of its range; the rest costs {lost:.0f} dB"


def _ranges(quality: Quality) -> list[tuple[str, RangeUse, str]]:
    """Every range that was calibrated: whose it is, how it is used, and how it is made smaller."""
    inputs = [(f"input {one.name}", one.range_use, "leave out odd samples") for one in quality.inputs]
    layers = [
        (_place(layer), layer.range_use, "bound that layer's output (ReLU6), or leave out odd samples")
        for layer in quality.layers
        if layer.kind not in _FIXED_RANGES
    ]
    return [*inputs, *layers]


def _float_layer(quality: Quality) -> str:
    worst = quality.worst(1)
    if not worst:
        return ""
    return (
        f"no float layer: {_place(worst[0])} adds the most error by itself ({worst[0].own_sqnr_db:.1f} dB), but a "
        "model that has it in float is not full integer, and no engine here runs it"
    )


def _place(layer: LayerQuality) -> str:
    return f"op {layer.op} {layer.kind}"
