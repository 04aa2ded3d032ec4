"""The page that says how near the estimates come."""

import pytest
from benchmark_results import MODEL, results, run_of
from deployments import write_model

from tinydeploy.benchmark.estimates import Compared, compared, page
from tinydeploy.cost.coefficients import coefficients


def one(estimated: int, measured: int, model: str = "two") -> Compared:
    return Compared(model=model, board="qemu-cortex-m4", engine="aot", estimated=estimated, measured=measured)


def test_the_error_is_a_share_of_what_was_measured():
    assert one(110, 100).error == pytest.approx(0.1)


def test_the_page_shows_each_comparison_with_its_error_and_each_fit():
    text = page([one(1_100, 1_000)], coefficients())
    assert "| two | Cortex-M4 | aot | 1,100 | 1,000 | +10.0% |" in text
    assert text.count("| cortex-m55 |") == 4


def test_a_model_that_was_never_benchmarked_is_left_out(tmp_path):
    assert compared(results(run_of(), model=MODEL), [write_model(tmp_path)]) == ()
