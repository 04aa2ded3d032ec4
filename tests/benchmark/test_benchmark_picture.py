"""The picture of the benchmark: a panel for each model, a bar for each layer that multiplies and each engine."""

import importlib.util
import re

import pytest
from benchmark_results import M4, cost, results, run_of

from tinydeploy.benchmark.picture import write_picture
from tinydeploy.errors import BuildError

OURS, THEIRS, EXECUTED, LIMIT = "#d9691e", "#9db8d2", "#1d3557", "#2a7f62"
CMSIS = run_of("tflm-cmsis-nn", cost=cost(2_000, 50, 500, executed=(1_000, 0, 200)))

drawing = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not here: pip install 'tinydeploy[plot]'"
)


def drawn(tmp_path, *runs):
    path = tmp_path / "benchmark.svg"
    assert write_picture(results(*runs), M4, path)
    return path.read_text()


def bars(svg, colour):
    """Only bars are clipped to the axes, not labels and the legend."""
    return len(re.findall(rf'clip-path="[^"]*" style="fill: {colour}"', svg))


@drawing
def test_layers_that_multiply_have_a_bar_for_each_engine(tmp_path):
    svg = drawn(tmp_path, run_of(), CMSIS)
    assert (bars(svg, OURS), bars(svg, THEIRS)) == (2, 2)
    for text in ("CONV_2D 3x3  0", "FULLY_CONNECTED  2", "0.90 / 1.12", "1.50", "2.50"):
        assert f">{text}<" in svg
    assert "MAX_POOL_2D" not in svg


@drawing
def test_without_tflm_there_are_bars_of_this_engine_alone(tmp_path):
    svg = drawn(tmp_path, run_of())
    assert (bars(svg, OURS), bars(svg, THEIRS)) == (2, 0)


@drawing
def test_the_limit_and_its_reason_are_in_the_picture(tmp_path):
    assert ">limit 1/2: one SMLAD does two<" in drawn(tmp_path, run_of())


@drawing
def test_a_bar_that_is_longer_than_the_axis_keeps_its_figure(tmp_path):
    assert ">60 / 75<" in drawn(tmp_path, run_of(cost=cost(60_000, 40, 300)))


@drawing
def test_the_same_results_give_the_same_bytes(tmp_path):
    assert drawn(tmp_path, run_of(), CMSIS) == drawn(tmp_path, run_of(), CMSIS)


@drawing
@pytest.mark.parametrize("run", [run_of(board="microbit"), run_of(cost=None, problem="does not fit"), CMSIS])
def test_a_board_without_figures_of_this_engine_has_no_picture(tmp_path, run):
    path = tmp_path / "benchmark.svg"
    assert not write_picture(results(run), M4, path)
    assert not path.exists()


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BuildError) as caught:
        write_picture(results(run_of()), M4, tmp_path / "benchmark.svg")
    assert caught.value.hint == "pip install 'tinydeploy[plot]'"
