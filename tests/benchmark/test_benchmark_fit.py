"""Synthetic networks, and the fit to what they take."""

import numpy as np
import pytest

from tinydeploy.benchmark.fit import TRIALS, estimated, fit, layers_of
from tinydeploy.benchmark.least_squares import non_negative_least_squares
from tinydeploy.benchmark.synthetic import synthetic_network
from tinydeploy.benchmark.trials import Trial, read_trials, write_trials
from tinydeploy.cost.coefficients import coefficients
from tinydeploy.cost.setting import Setting
from tinydeploy.cost.work import layer_work
from tinydeploy.model.reader import parse_model

SETTING = Setting(core="cortex-m3", engine="tflm", kernels="optimized")


def test_the_same_seed_gives_the_same_network():
    assert synthetic_network(5) == synthetic_network(5)
    assert synthetic_network(5) != synthetic_network(6)


def test_the_networks_have_layers_of_all_kinds_many_times():
    rows = [work.row for seed in range(8) for work in works(seed)]
    for row in ("CONV_2D", "CONV_2D 1x1", "DEPTHWISE_CONV_2D 3x3", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX"):
        assert rows.count(row) >= 10, row
    assert {"ADD", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD", "TRANSPOSE", "LOGISTIC"} <= set(rows)


def works(seed: int):
    graph = parse_model(synthetic_network(seed), name=f"synthetic{seed}")
    return [work for op in graph.ops if (work := layer_work(graph, op, SETTING))]


def test_least_squares_finds_coefficients_that_are_not_negative():
    rng = np.random.default_rng(0)
    matrix = rng.uniform(0, 100, (40, 5))
    truth = np.array([3.0, 0.0, 0.5, 12.0, 0.0])
    assert non_negative_least_squares(matrix, matrix @ truth) == pytest.approx(truth, abs=1e-6)


def test_where_the_best_coefficient_is_negative_it_becomes_zero_and_the_others_make_up_for_it():
    matrix = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    found = non_negative_least_squares(matrix, np.array([3.0, 2.0, 1.0]))
    assert found == pytest.approx([2.0, 0.0])


def a_trial(seed: int) -> Trial:
    """As if every layer took 50 instructions and 3 for each of its output values, with 100 around them."""
    graph = parse_model(synthetic_network(seed), name="synthetic")
    layers = tuple(50 + 3 * graph.output_of(op).elements for op in graph.ops)
    return Trial(setting=SETTING, seed=seed, instructions=sum(layers) + 100, layers=layers)


def test_a_network_that_was_left_out_is_estimated_as_well_as_those_that_were_fitted():
    trials = [a_trial(seed) for seed in (1, 2, 4)]
    found = fit(trials)[SETTING]
    assert found.error < 0.1
    assert found.per_inference == pytest.approx(100, abs=1)
    assert estimated(found, trials[0]) == pytest.approx(trials[0].instructions, rel=0.01)


def test_every_layer_of_a_trial_has_its_work():
    layers = list(layers_of(a_trial(1)))
    assert all(layer.work is not None for layer in layers)
    assert sum(layer.instructions for layer in layers) + 100 == a_trial(1).instructions


def test_a_setting_that_was_measured_with_one_network_only_is_not_fitted():
    assert fit([a_trial(1)]) == {}


def test_trials_are_kept_in_a_file(tmp_path):
    path = tmp_path / "trials.jsonl"
    assert read_trials(path) == ()
    write_trials([a_trial(1), a_trial(2)], path)
    assert read_trials(path) == (a_trial(1), a_trial(2))


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_the_committed_coefficients_are_what_the_committed_trials_give(engine):
    setting = Setting(core="cortex-m4", engine=engine, kernels="reference")
    found = fit([trial for trial in read_trials(TRIALS) if trial.setting == setting])[setting]
    committed = coefficients()[setting]
    assert found.rows.keys() == committed.rows.keys()
    assert found.rows["FULLY_CONNECTED"] == pytest.approx(committed.rows["FULLY_CONNECTED"], rel=0.01)
    assert found.error == pytest.approx(committed.error, abs=0.002)
