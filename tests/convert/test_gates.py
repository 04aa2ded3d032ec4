"""Limits on quality, and what is said where they are not kept."""

import math

import pytest

from tinydeploy.convert.gates import Gates, missed
from tinydeploy.convert.quality import Closeness, Correct, OutputQuality, Quality
from tinydeploy.errors import UsageError


def quality(*sqnrs: float | None, right: int | None = None) -> Quality:
    """Of 200 samples, ``right`` of which the integer model gets right; an output without SQNR has indices."""
    return Quality(
        samples=200,
        layer_samples=200,
        oracle="none",
        ops=1,
        inputs=(),
        outputs=tuple(
            OutputQuality(
                name="y",
                closeness=None if sqnr is None else Closeness(sqnr_db=sqnr, cosine=1.0, max_abs_error=0.0),
                weights_sqnr_db=None,
            )
            for sqnr in sqnrs
        ),
        layers=(),
        top1_agreement=None,
        correct=None if right is None else Correct(samples=200, float_model=198, integer_model=right),
    )


def test_without_limits_everything_passes():
    assert missed(None, Gates()) == ()
    assert missed(quality(-3.0), Gates()) == ()


def test_nan_is_no_limit():
    for limit in ({"min_sqnr_db": math.nan}, {"min_accuracy": math.nan}):
        with pytest.raises(UsageError, match="nan is no limit"):
            Gates(**limit)


def test_an_accuracy_that_cannot_be_told_is_refused_before_the_work():
    Gates(min_sqnr_db=1.0).require_labels(False)
    Gates(min_accuracy=0.5).require_labels(True)
    with pytest.raises(UsageError, match="there are no labels"):
        Gates(min_accuracy=0.5).require_labels(False)


@pytest.mark.parametrize("sqnr", [30.0, 30.1, math.inf])
def test_a_limit_that_is_reached_is_kept(sqnr):
    assert missed(quality(sqnr), Gates(min_sqnr_db=30)) == ()


def test_the_worst_output_counts():
    assert missed(quality(41.0, 29.96, 35.0), Gates(min_sqnr_db=30)) == (
        "the SQNR of the outputs is 30.0 dB, at least 30 dB is asked for",
    )
    assert missed(quality(-math.inf), Gates(min_sqnr_db=-5)) != ()


def test_both_limits_are_told_with_their_figures():
    assert missed(quality(20.0, right=189), Gates(min_sqnr_db=30, min_accuracy=0.95)) == (
        "the SQNR of the outputs is 20.0 dB, at least 30 dB is asked for",
        "the accuracy is 94.50% (189 of 200), at least 95.00% is asked for",
    )
    assert missed(quality(20.0, right=190), Gates(min_accuracy=0.95)) == ()


@pytest.mark.parametrize(
    ("found", "gates", "says", "hint"),
    [
        (None, Gates(min_sqnr_db=1), "there is no quality to hold against a limit", "leave out --min-sqnr"),
        (quality(40.0), Gates(min_accuracy=0.5), "there are no labels", "--labels FILE"),
        (quality(None), Gates(min_sqnr_db=1), "the outputs are indices", "use --min-accuracy"),
    ],
)
def test_a_figure_that_there_is_not_keeps_no_limit(found, gates, says, hint):
    with pytest.raises(UsageError) as caught:
        missed(found, gates)
    assert caught.value.summary.startswith(says)
    assert caught.value.hint.startswith(hint)
