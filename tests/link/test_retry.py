"""The retry timer."""

import pytest

from tinydeploy.link.retry import RetryTimer


def test_before_anything_is_known_it_waits_half_a_second() -> None:
    assert RetryTimer().wait_s() == 0.5


def test_it_learns_from_round_trips_but_never_waits_less_than_a_usb_adapter_takes() -> None:
    timer = RetryTimer()
    timer.measured(0.1)
    assert timer.wait_s() == pytest.approx(0.1 + 4 * 0.05)
    for _ in range(100):
        timer.measured(0.001)
    assert timer.wait_s() == 0.03


def test_it_is_less_patient_on_a_line_that_loses_frames_and_more_while_the_device_computes() -> None:
    timer = RetryTimer()
    timer.measured(0.04)
    assert timer.wait_s(lossy=True) == pytest.approx(0.04 + 0.02)
    for _ in range(100):
        timer.measured(0.001)
    assert (timer.wait_s(lossy=True), timer.wait_s(), timer.computing_s()) == (0.01, 0.03, 0.1)
    for _ in range(20):
        timer.expired()
    assert (timer.wait_s(lossy=True), timer.wait_s()) == (0.2, 1.0)


def test_it_waits_longer_each_time_in_vain_up_to_a_second_until_there_is_progress() -> None:
    timer = RetryTimer()
    timer.measured(0.05)
    waits = []
    for _ in range(6):
        waits.append(round(timer.wait_s(), 3))
        timer.expired()
    assert waits == [0.15, 0.225, 0.338, 0.506, 0.759, 1.0]
    timer.progressed()
    assert timer.wait_s() == pytest.approx(0.15)
