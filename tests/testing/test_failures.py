"""Of which kind each error is."""

import pytest

from tinydeploy import errors
from tinydeploy.testing.failures import BudgetError, NumbersError, facts_only, kind_of
from tinydeploy.testing.figures import limit_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.ModelError, "build"),
        (errors.BuildError, "build"),
        (errors.FitError, "budget"),
        (BudgetError, "budget"),
        (errors.FlashError, "flash"),
        (errors.DeviceNotFoundError, "no device"),
        (errors.WrongFirmwareError, "wrong firmware"),
        (errors.LinkError, "link"),
        (errors.VerificationError, "numbers"),
        (NumbersError, "numbers"),
        (errors.UsageError, "test"),
    ],
)
def test_an_error_is_of_its_kind(error, kind):
    assert kind_of(error("something")) == kind


def test_what_is_not_ours_is_the_tests():
    assert kind_of(AssertionError()) == "test"


def test_what_an_assertion_raises_is_an_assertion_error():
    for error in (NumbersError, BudgetError):
        assert issubclass(error, AssertionError)


def test_an_error_comes_out_without_the_way_that_it_came():
    def deep():
        raise errors.LinkError("it broke") from OSError()

    with pytest.raises(errors.LinkError) as caught:
        facts_only(deep)()
    assert [entry.name for entry in caught.traceback] == [
        "test_an_error_comes_out_without_the_way_that_it_came",
        "told",
    ]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("quantity", "limit", "value"),
    [("flash", "100K", 102_400), ("stack", 512, 512), ("instructions", "3M", 3_000_000), ("us", "1.5K", 1_500)],
)
def test_a_limit_is_a_number_or_a_size(quantity, limit, value):
    assert limit_of(quantity, limit) == value


@pytest.mark.parametrize(("quantity", "limit"), [("flash", "lots"), ("us", "3MB"), ("ram", -1)])
def test_a_limit_that_is_none_is_told(quantity, limit):
    with pytest.raises(errors.UsageError, match="is no limit of"):
        limit_of(quantity, limit)
