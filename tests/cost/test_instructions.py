"""Instructions, estimated before anything is built, against what was measured and what a virtual board says."""

from pathlib import Path

import pytest
from core_engine import needs_emulator
from deployments import plan_of, tflm_plan, write_model
from random_networks import random_network
from tflite_builder import ModelBuilder

from tinydeploy import pipeline
from tinydeploy.benchmark.estimates import compared
from tinydeploy.benchmark.store import read_results
from tinydeploy.benchmark.variants import VARIANTS
from tinydeploy.cost.instructions import estimate_instructions, why_no_estimate
from tinydeploy.deployment import Target

CHECKOUT = Path(__file__).resolve().parents[2]
WITHIN = 0.10
MODELS = ("kws", "vww", "resnet8", "ad01", "hello_world", "micro_speech")


@pytest.fixture(params=[*MODELS, "digits"])
def model(request, model_file) -> Path:
    if request.param == "digits":
        return CHECKOUT / "examples" / "digits" / "digits_int8.tflite"
    return model_file(f"{request.param}_int8.tflite")


def test_every_measured_total_of_a_model_that_was_not_fitted_is_met_within_ten_percent(model):
    results = read_results(CHECKOUT / "docs" / "benchmark.json")
    found = compared(results, [model])
    measured = [run for run in results.runs if run.model == found[0].model and run.cost]
    assert len(found) == len(measured)
    assert {one.engine for one in found} == set(VARIANTS)
    wrong = [(one.board, one.engine, f"{one.error:+.1%}") for one in found if abs(one.error) > WITHIN]
    assert not wrong


@needs_emulator
@pytest.mark.parametrize("board", ["qemu-cortex-m3", "qemu-cortex-m4", "qemu-cortex-m55"])
def test_a_random_network_takes_about_what_was_estimated(board, tmp_path):
    path = tmp_path / "random.tflite"
    path.write_bytes(random_network(12))
    deployment = pipeline.flash(path, Target(board=board, engine="aot"))
    estimate = estimate_instructions(deployment.plan)
    assert estimate is not None
    assert estimate.total == pytest.approx(deployment.latency.per_inference, rel=WITHIN)
    assert len(estimate.layers) == len(deployment.plan.graph.ops)


def test_a_total_is_that_of_its_layers_and_a_little_around_them(model):
    for plan in pipeline.inspect(model, ["qemu-cortex-m3", "qemu-cortex-m4"], engine="aot"):
        estimate = estimate_instructions(plan)
        assert estimate is not None
        assert estimate.total == pytest.approx(sum(estimate.layers), rel=0.2)
        assert 0 < estimate.error < 0.25


def test_the_error_is_told_and_no_layer_is_negative(model):
    for plan in pipeline.inspect(model, ["qemu-cortex-m4"], engine="tflm"):
        estimate = estimate_instructions(plan)
        assert estimate is not None
        assert min(estimate.layers) >= 0


@pytest.mark.parametrize("board", ["esp32", "esp32c3", "esp32s3"])
@pytest.mark.parametrize("make", [plan_of, tflm_plan])
def test_a_core_that_nobody_has_measured_has_no_estimate_and_says_so(board, make, tmp_path):
    plan = make(write_model(tmp_path), board)
    assert estimate_instructions(plan) is None
    assert plan.board.core in (why_no_estimate(plan) or "")


def test_kernels_that_nobody_has_measured_on_a_core_are_named(tmp_path):
    plan = tflm_plan(write_model(tmp_path), "microbit")
    assert estimate_instructions(plan) is None
    assert why_no_estimate(plan) == "the optimized kernels of tflm were never measured on cortex-m0"


def test_an_op_that_nobody_has_measured_is_named(tmp_path):
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.1), builder.tensor((1, 4), scale=0.1)
    builder.op("ABS", [x], [y])
    path = tmp_path / "abs.tflite"
    path.write_bytes(builder.finish(inputs=[x], outputs=[y]))
    (plan,) = pipeline.inspect(path, ["qemu-cortex-m4"], engine="tflm")
    assert estimate_instructions(plan) is None
    assert why_no_estimate(plan) == "never measured: ABS"


def test_with_an_estimate_nothing_is_missing(tmp_path):
    assert why_no_estimate(plan_of(write_model(tmp_path))) is None
