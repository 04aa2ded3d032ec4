"""The fixed-point functions against the real ones; that they are TFLM's bit for bit is seen in test_ops_in_detail."""

import math

import pytest

from tinydeploy.engines.aot.transcendental import exp_of_negative, logistic, tanh

_STEPS = range(-(2**31), 2**31, 2**31 // 500 + 1)


@pytest.mark.parametrize("integer_bits", [4, 5])
def test_exp_of_negative_numbers_is_exp(integer_bits):
    for value in (value for value in _STEPS if value <= 0):
        exact = math.exp(value * 2.0 ** (integer_bits - 31))
        assert exp_of_negative(value, integer_bits) * 2.0**-31 == pytest.approx(exact, abs=1e-6)


def test_logistic_is_logistic():
    for value in _STEPS:
        exact = 1 / (1 + math.exp(-value * 2.0**-27))
        assert logistic(value, 4) * 2.0**-31 == pytest.approx(exact, abs=1e-6)


def test_tanh_is_tanh():
    for value in _STEPS:
        assert tanh(value, 4) * 2.0**-31 == pytest.approx(math.tanh(value * 2.0**-27), abs=1e-6)


def test_at_0_they_are_exact():
    assert exp_of_negative(0, 5) == 2**31 - 1
    assert logistic(0, 4) == 2**30
    assert tanh(0, 4) == 0
