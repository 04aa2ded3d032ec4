"""What people and programs read of the quality of a conversion."""

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from tinydeploy.convert.quality import Correct, InputQuality, LayerQuality, OutputQuality, Quality
from tinydeploy.convert.quality_figures import Closeness, RangeUse
from tinydeploy.report.quality import quality_json, quality_text


def layer(op, kind, own_sqnr_db, sqnr_db, used=0.9):
    closeness = Closeness(sqnr_db=sqnr_db, cosine=0.999, max_abs_error=0.25)
    range_use = RangeUse(saturated=0.001, used=used, limit_db=44.0)
    return LayerQuality(
        op=op, kind=kind, name=f"t{op}", closeness=closeness, own_sqnr_db=own_sqnr_db, range_use=range_use
    )


@pytest.fixture
def quality() -> Quality:
    closeness = Closeness(sqnr_db=27.25, cosine=0.99912, max_abs_error=0.015625)
    use = RangeUse(saturated=0.0, used=0.5, limit_db=48.5)
    return Quality(
        samples=40,
        layer_samples=40,
        oracle="an oracle",
        ops=3,
        inputs=(InputQuality(name="x", closeness=replace(closeness, sqnr_db=48.5), range_use=use),),
        outputs=(OutputQuality(name="y", closeness=closeness, weights_sqnr_db=33.0),),
        layers=(layer(0, "CONV_2D", 30.0, 29.5), layer(2, "FULLY_CONNECTED", 20.0, 19.0, used=0.2)),
        top1_agreement=0.975,
        correct=Correct(samples=30, float_model=28, integer_model=27),
    )


def shown(*report):
    out = io.StringIO()
    Console(file=out, width=160, highlight=False, soft_wrap=True, emoji=False).print(
        quality_text(*report), markup=False
    )
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_text_has_outputs_classes_and_the_worst_layers(quality):
    assert shown(quality) == [
        "quality (against the float model, 40 samples)",
        "  output     SQNR   cosine  largest error  weights alone",
        "  y       27.2 dB  0.99912        0.01562        33.0 dB",
        "  same class  39/40 (97.5%)",
        "  accuracy    float 28/30 (93.3%), integer 27/30 (90.0%)",
        "",
        "worst layers by the error of their own (2 of 3 compared)",
        "  layer                  alone  up to it  steps allow  range used  share",
        "    2 FULLY_CONNECTED  20.0 dB   19.0 dB      44.0 dB         20%    91%  █████████████████████▉",
        "    0 CONV_2D          30.0 dB   29.5 dB      44.0 dB         90%     9%  ██▏",
    ]


def test_layers_tell_on_how_many_samples_they_are_compared_where_those_are_not_all(quality):
    lines = shown(replace(quality, samples=2000, layer_samples=200))
    assert lines[0] == "quality (against the float model, 2,000 samples)"
    assert lines[6] == "worst layers by the error of their own (2 of 3 compared, on 200 samples)"
    assert quality_json(replace(quality, layer_samples=20))["layer_samples"] == 20


def test_one_sample_is_no_plural(quality):
    assert shown(replace(quality, samples=1, layer_samples=1))[0] == "quality (against the float model, 1 sample)"


def test_advice_comes_last(quality):
    assert shown(quality, ("do this", "do that"))[-4:] == ["", "what would help", "  do this", "  do that"]


def test_what_is_not_known_takes_no_line(quality):
    lines = shown(replace(quality, top1_agreement=None, correct=None, layers=()))
    assert lines[-1].startswith("  y ")


def test_no_error_is_exact_and_nothing_but_error_is_no_signal(quality):
    first, second = quality.layers
    nothing = replace(second, own_sqnr_db=-math.inf, closeness=replace(second.closeness, sqnr_db=math.inf))
    exact = replace(quality.outputs[0].closeness, sqnr_db=math.inf)
    indices = OutputQuality(name="i", closeness=None, weights_sqnr_db=None)
    lines = shown(
        replace(
            quality,
            outputs=(OutputQuality(name="y", closeness=exact, weights_sqnr_db=math.inf), indices),
            layers=(replace(first, own_sqnr_db=math.inf), nothing),
        )
    )
    assert lines[2].split() == ["y", "exact", "0.99912", "0.01562", "exact"]
    assert lines[3].split() == ["i", "indices"]
    assert lines[-1].split()[:5] == ["2", "FULLY_CONNECTED", "no", "signal", "exact"]
    assert "100%" in lines[-1]
    assert not any("CONV_2D" in line for line in lines), "a layer without an error is none of the worst"


def test_no_more_than_five_layers_are_listed(quality):
    many = tuple(layer(op, "RELU", 40.0 - op, 30.0) for op in range(9))
    rows = shown(replace(quality, layers=many))[-5:]
    assert [row.split()[0] for row in rows] == ["8", "7", "6", "5", "4"]


def test_names_of_a_model_cannot_control_the_terminal(quality):
    hostile = replace(quality.layers[1], kind="\x1b[31mRED[/]")
    assert "\x1b" not in "".join(shown(replace(quality, layers=(hostile,))))


def test_the_values_are_the_same_figures(quality):
    values = quality_json(quality, ("do this",))
    assert values["outputs"] == [
        {
            "name": "y",
            "sqnr_db": 27.25,
            "exact": False,
            "cosine": 0.99912,
            "max_abs_error": 0.015625,
            "weights_sqnr_db": 33.0,
        }
    ]
    assert values["layers"][1] == {
        "layer": 2,
        "op": "FULLY_CONNECTED",
        "name": "t2",
        "sqnr_db": 19.0,
        "exact": False,
        "cosine": 0.999,
        "max_abs_error": 0.25,
        "own_sqnr_db": 20.0,
        "saturated": 0.001,
        "range_used": 0.2,
        "steps_sqnr_db": 44.0,
    }
    assert values["accuracy"] == {"samples": 30, "float_correct": 28, "integer_correct": 27}
    assert values["inputs"][0]["sqnr_db"] == 48.5
    rest = {
        name: values[name]
        for name in ("samples", "layer_samples", "oracle", "ops", "top1_agreement", "worst_layers", "advice")
    }
    assert rest == {
        "samples": 40,
        "layer_samples": 40,
        "oracle": "an oracle",
        "ops": 3,
        "top1_agreement": 0.975,
        "worst_layers": [2, 0],
        "advice": ["do this"],
    }


def test_the_values_are_json_whatever_is_infinite(quality):
    exact = replace(quality.outputs[0].closeness, sqnr_db=math.inf)
    outputs = (
        OutputQuality(name="y", closeness=exact, weights_sqnr_db=math.inf),
        OutputQuality(name="z", closeness=replace(exact, sqnr_db=-math.inf), weights_sqnr_db=None),
        OutputQuality(name="i", closeness=None, weights_sqnr_db=None),
    )
    values = quality_json(replace(quality, outputs=outputs, top1_agreement=None, correct=None))
    read = json.loads(json.dumps(values, allow_nan=False))
    assert [(output["sqnr_db"], output["exact"]) for output in read["outputs"]] == [
        (None, True),
        (None, False),
        (None, None),
    ]
    assert (read["top1_agreement"], read["accuracy"]) == (None, None)
