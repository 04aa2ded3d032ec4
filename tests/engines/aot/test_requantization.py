import numpy as np
import pytest
from pace import best_within, seconds

from tinydeploy.engines.aot.fixed_point import Multiplier, clamp, multiply
from tinydeploy.engines.aot.multiples import NEVER, first_within
from tinydeploy.engines.aot.requantization import (
    Fit,
    Requantization,
    bounds_are_natural,
    common_shifts,
    feasible_shifts,
    fit_layer,
    fit_layers,
    fit_outputs,
    general_form,
    general_outputs,
    may_lead_a_pair,
    requantize,
)

LARGEST, SMALLEST = 2**31 - 1, 2**30


def channels(*rows, zero_point=-128, low=-128, high=127):
    """A layer of channels, each given as mantissa, shift, lowest and highest accumulator."""
    mantissa, shift, lo, hi = np.array(rows, np.int64).T
    return Requantization(mantissa=mantissa, shift=shift, lo=lo, hi=hi, zero_point=zero_point, low=low, high=high)


def random_layer(rng, count=24, *, zero_point=-128, low=-128, high=127, spread=3, steps=400):
    """Channels whose outputs go through about ``steps`` values, on both sides of the zero point or on one."""
    shift = -rng.integers(2, 2 + spread, count, endpoint=True)
    mantissa = rng.integers(SMALLEST, LARGEST, count, endpoint=True)
    width = np.maximum((steps * 2.0 ** (31 - shift) / mantissa).astype(np.int64), 2)
    lo = -(width * rng.random(count)).astype(np.int64)
    return Requantization(
        mantissa=mantissa, shift=shift, lo=lo, hi=lo + width, zero_point=zero_point, low=low, high=high
    )


def one_by_one(layer, channel, accumulator):
    factor = Multiplier(mantissa=int(layer.mantissa[channel]), shift=int(layer.shift[channel]))
    return clamp(multiply(accumulator, factor) + layer.zero_point, layer.low, layer.high)


def only(values, channel):
    """The layer or the form of a single one of its channels."""
    fields = {name: getattr(values, name) for name in values.__dataclass_fields__}
    one = {name: value[channel : channel + 1] if np.ndim(value) else value for name, value in fields.items()}
    return type(values)(**one)


def assert_equal_everywhere(layer, form):
    """Compares a form with TFLM's formula on every accumulator of every channel."""
    outputs_of = fit_outputs if isinstance(form, Fit) else general_outputs
    for channel in range(layer.channels):
        accumulators = np.arange(layer.lo[channel], layer.hi[channel] + 1)[None]
        got = outputs_of(only(form, channel), accumulators)
        if not bounds_are_natural(layer):
            got = np.clip(got, layer.low, layer.high)
        np.testing.assert_array_equal(got, requantize(only(layer, channel), accumulators), err_msg=f"channel {channel}")


def assert_stays_within_int32(layer, fit):
    for channel in range(layer.channels):
        for accumulator in (int(layer.lo[channel]), int(layer.hi[channel])):
            moved = accumulator + int(fit.bias_shift[channel])
            sums = int(fit.offset[channel]) + (moved * int(fit.multiplier[channel]) >> 32)
            assert -(2**31) <= moved < 2**31
            assert -(2**31) <= sums < 2**31


def test_many_accumulators_at_once_become_what_the_formula_makes_of_each():
    rng = np.random.default_rng(0)
    layer = channels((LARGEST, -7, -70_000, 70_000), (SMALLEST, 3, -40, 40), (0, 0, -9, 9), (LARGEST, -31, -9, 9),
                     (1_500_000_000, 0, -300, 300), zero_point=-5, low=-100)  # fmt: skip
    accumulators = np.stack(
        [rng.integers(lo, hi, 200, endpoint=True) for lo, hi in zip(layer.lo, layer.hi, strict=True)]
    )

    outputs = requantize(layer, accumulators)

    for channel, row in enumerate(accumulators.tolist()):
        assert outputs[channel].tolist() == [one_by_one(layer, channel, value) for value in row]


@pytest.mark.parametrize("seed", range(6))
def test_behind_a_relu_every_channel_fits_and_is_equal_for_all_accumulators(seed):
    layer = random_layer(np.random.default_rng(seed))

    fit = fit_layer(layer, feasible_shifts(layer))

    assert fit is not None
    assert fit.shift == -int(layer.shift.max()) - 1  # the largest that is possible
    assert_equal_everywhere(layer, fit)
    assert_stays_within_int32(layer, fit)


@pytest.mark.parametrize("seed", range(3))
def test_every_feasible_shift_is_equal_for_all_accumulators(seed):
    layer = random_layer(np.random.default_rng(seed), 4, spread=4)

    shifts = feasible_shifts(layer)

    assert len(shifts) > 1 or shifts == (1,)
    for shift in shifts:
        fit = fit_layer(layer, (shift,))
        assert fit.shift == shift
        assert_equal_everywhere(layer, fit)


@pytest.mark.parametrize(("low", "high"), [(-128, 127), (-128, 60), (-90, 127), (-30, 90)])
@pytest.mark.parametrize("zero_point", [-128, -90, 0, 127])
def test_whatever_the_zero_point_and_the_bounds_are_a_fit_is_equal_for_all_accumulators(zero_point, low, high):
    rng = np.random.default_rng([128 + zero_point, 128 + low, high])
    layers = [random_layer(rng, 3, zero_point=zero_point, low=low, high=high, steps=steps) for steps in (2, 40, 400)]

    fits = fit_layers(layers)

    assert any(fits) or zero_point > low
    for layer, fit in zip(layers, fits, strict=True):
        if fit:
            assert_equal_everywhere(layer, fit)


def test_a_relu_above_the_lowest_value_fits_because_bounds_are_applied_afterwards():
    layer = random_layer(np.random.default_rng(5), zero_point=-60, low=-60)

    fit = fit_layer(layer, feasible_shifts(layer))

    assert not bounds_are_natural(layer)
    assert_equal_everywhere(layer, fit)


def test_a_range_that_stays_within_the_bounds_makes_them_natural_and_fits_without_them():
    layer = channels((LARGEST, -6, 0, 6_000), zero_point=-60, low=-60)

    fit = fit_layer(layer, feasible_shifts(layer))

    assert bounds_are_natural(layer)
    assert_equal_everywhere(layer, fit)


def test_a_wide_range_on_both_sides_of_zero_does_not_fit_and_has_a_general_form():
    layer = random_layer(np.random.default_rng(8), zero_point=0)

    assert feasible_shifts(layer) == ()
    assert fit_layer(layer, range(23, 0, -1)) is None
    assert_equal_everywhere(layer, general_form(layer))


@pytest.mark.parametrize("mantissa", [SMALLEST, SMALLEST + 1, 1_999_999_999, LARGEST])
@pytest.mark.parametrize("shift", [-1, -2, -5, -9, -14])
def test_extreme_factors_are_equal_for_all_accumulators_or_do_not_fit(mantissa, shift):
    reach = min(300 << -shift, 500_000)
    for zero_point in (-128, -1, 127):
        layer = channels((mantissa, shift, -reach, reach), zero_point=zero_point)
        fit = fit_layer(layer, feasible_shifts(layer))
        if fit:
            assert_equal_everywhere(layer, fit)
        assert_equal_everywhere(layer, general_form(layer))
    assert (fit_layer(channels((mantissa, shift, -reach, reach)), range(23, 0, -1)) is None) == (shift == -1)


@pytest.mark.parametrize("shift", [-31, -24, -5, 0, 9])
def test_a_constant_channel_takes_any_shift_and_any_factor(shift):
    layer = channels((LARGEST, shift, -(2**20), -(2**19)), (SMALLEST, -8, -500, 60_000))

    fit = fit_layer(layer, (7,))

    assert (fit.multiplier[0], fit.bias_shift[0], fit.offset[0]) == (0, 0, -128 << 7)
    assert_equal_everywhere(layer, fit)
    assert_equal_everywhere(layer, general_form(layer))


def test_left_shifts_have_neither_form():
    for shift in (0, 1, 5):
        layer = channels((SMALLEST, shift, -100, 100))
        assert fit_layer(layer, range(23, 0, -1)) is None
        assert general_form(layer) is None


def test_what_would_leave_int32_has_no_general_form():
    assert general_form(channels((LARGEST, -26, -(2**30), 2**30 - 1))) is None  # the zero point, shifted
    assert general_form(channels((LARGEST, -3, 0, 2**30), zero_point=0)) is None  # twice the accumulator
    assert general_form(channels((LARGEST, -23, 0, 2**29), zero_point=0)) is not None


def test_a_shift_beyond_what_a_channel_or_an_instruction_takes_does_not_fit():
    layer = channels((SMALLEST, -8, 0, 60_000))

    assert fit_layer(layer, (7,)) is not None
    assert fit_layer(layer, (8, 24, 0, -1)) is None


def test_the_first_shift_that_fits_is_taken():
    layer = channels((SMALLEST, -8, 0, 60_000))

    assert fit_layer(layer, (9, 5, 7)).shift == 5


def test_layers_share_shifts_where_they_can():
    rng = np.random.default_rng(3)
    large, small = random_layer(rng, 4, spread=0), random_layer(rng, 4, spread=0)
    large = Requantization(
        mantissa=large.mantissa, shift=large.shift - 3, lo=8 * large.lo, hi=8 * large.hi, zero_point=-128, low=-128,
        high=127,
    )  # fmt: skip
    neither = random_layer(rng, 4, zero_point=0)

    assert (max(feasible_shifts(large)), max(feasible_shifts(small))) == (4, 1)
    assert common_shifts([large, small, neither, large]) == (1, 1, None, 1)
    assert [fit and fit.shift for fit in fit_layers([large, neither, large])] == [4, None, 4]


def test_the_first_of_a_pair_keeps_256_times_its_sums_within_int32():
    layer = channels((LARGEST, -17, 0, 2**23 - 1 - 2**16), (LARGEST, -17, 0, 2**23), (LARGEST, -7, -(2**30), -5))
    fit = Fit(shift=15, bias_shift=np.array([2**16, 0, 0]), multiplier=np.array([7, 7, 0]), offset=np.full(3, -(2**22)))

    assert may_lead_a_pair(fit, layer).tolist() == [True, False, True]
    assert fit_layer(layer, (15,)) is not None


def test_an_offset_of_the_first_of_a_pair_must_fit_256_fold():
    layer = channels((SMALLEST, -18, 0, 2**22))
    fits = [Fit(shift=17, bias_shift=np.zeros(1, int), multiplier=np.ones(1, int), offset=np.array([o])) for o in
            (-(2**23), -(2**23) - 1)]  # fmt: skip

    assert [may_lead_a_pair(fit, layer).tolist() for fit in fits] == [[True], [False]]


@pytest.mark.realtime
def test_a_large_model_is_proven_in_a_second():
    rng = np.random.default_rng(11)
    layers = [random_layer(rng, 80) for _ in range(25)]

    assert all(fit_layers(layers))
    assert best_within(1, lambda _: seconds(lambda: fit_layers(layers))) < 1


def test_the_first_multiple_within_an_interval_is_found():
    rng = np.random.default_rng(1)
    modulus = rng.integers(2, 300, 3000)
    step = rng.integers(0, modulus)
    low = rng.integers(0, modulus)
    high = rng.integers(low, modulus)

    found = first_within(step, modulus, low, high).tolist()

    for x, a, m, least, most in zip(found, step.tolist(), modulus.tolist(), low.tolist(), high.tolist(), strict=True):
        expected = next((i for i in range(m) if least <= i * a % m <= most), None)
        assert x == expected if expected is not None else x >= NEVER
