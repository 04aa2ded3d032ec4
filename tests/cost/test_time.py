"""Milliseconds, where somebody has published what a core takes."""

import pytest
from deployments import plan_of, tflm_plan, write_model

from tinydeploy.boards import find_board
from tinydeploy.cost.instructions import InstructionsEstimate
from tinydeploy.cost.time import estimate_time

# Instructions with TFLM and CMSIS-NN on qemu-cortex-m4, and milliseconds of microTVM with CMSIS-NN in MLPerf Tiny.
PUBLISHED = {"ad01": (582_261, 8.6), "resnet8": (29_873_939, 390), "kws": (7_846_133, 99.8), "vww": (24_719_927, 301)}


def estimate(total: int, error: float = 0.05) -> InstructionsEstimate:
    return InstructionsEstimate(total=total, layers=(total,), error=error)


@pytest.mark.parametrize(("instructions", "milliseconds"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_range_holds_the_published_time_of_a_real_board(instructions, milliseconds, tmp_path):
    time = estimate_time(tflm_plan(write_model(tmp_path), "nucleo_l4r5zi"), estimate(instructions))
    assert time is not None
    assert time.low_ms < milliseconds < time.high_ms
    assert time.high_ms < 1.5 * time.low_ms
    assert "MLPerf Tiny" in time.source


def test_a_looser_estimate_makes_a_wider_range(tmp_path):
    plan = plan_of(write_model(tmp_path), "nucleo_l4r5zi")
    near, far = estimate_time(plan, estimate(1_000_000, 0.01)), estimate_time(plan, estimate(1_000_000, 0.2))
    assert near is not None
    assert far is not None
    assert far.low_ms < near.low_ms < near.high_ms < far.high_ms


@pytest.mark.parametrize(
    ("board", "published_ms"),
    [("esp32", 380), ("esp32c3", 426)],  # Espressif's, of a network with 7.16 M multiply-accumulates
)
def test_a_published_network_is_within_the_range_of_its_board(board, published_ms, model_file):
    plan = tflm_plan(model_file("vww_int8.tflite"), board)
    time = estimate_time(plan, None)
    assert time is not None
    scaled_ms = published_ms * 7_489_664 / 7_160_000
    assert time.low_ms < scaled_ms < time.high_ms
    assert "ESP-NN" in time.source
    assert "half or twice" in time.source


@pytest.mark.parametrize("board", ["qemu-cortex-m4", "nano33ble", "teensy41", "pico2"])
def test_a_board_that_nobody_has_published_has_no_time(board, tmp_path):
    assert not find_board(board).id.startswith("nucleo_l4")
    assert estimate_time(tflm_plan(write_model(tmp_path), board), estimate(1_000_000)) is None


def test_reference_kernels_and_other_engines_of_an_esp32_have_no_time(tmp_path):
    model = write_model(tmp_path)
    assert estimate_time(tflm_plan(model, "esp32", kernels="reference"), None) is None
    assert estimate_time(plan_of(model, "esp32"), None) is None


def test_without_an_estimate_of_instructions_there_is_no_time_on_a_cortex_m(tmp_path):
    assert estimate_time(tflm_plan(write_model(tmp_path), "nucleo_l4r5zi"), None) is None
