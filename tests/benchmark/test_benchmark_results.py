"""What is kept of a benchmark: one run of each model, board and engine, of one file of each name."""

from dataclasses import replace

import pytest
from benchmark_results import M4, MODEL, ORIGIN, cost, results, run_of

from tinydeploy.benchmark.figures import newest
from tinydeploy.benchmark.store import parse_results, read_results, results_text, write_results
from tinydeploy.errors import UsageError

FASTER = cost(500, 40, 100)


def test_ram_is_arena_variables_and_stack_and_flash_is_constants_and_code():
    assert cost(1, arena=256).ram_bytes == 256 + 16 + 400
    assert cost(1).flash_bytes == 1_000 + 9_000


def test_a_run_takes_the_place_of_the_earlier_one_and_leaves_the_others():
    found = results(run_of(), run_of("tflm-cmsis-nn"), run_of(board="microbit"), run_of(cost=FASTER))
    assert len(found.runs) == 3
    assert found.cost("two", M4, "aot") == FASTER
    assert found.cost("two", "microbit", "aot") != FASTER
    assert found.cost("two", M4, "tflm-reference") is None


def test_figures_of_another_file_of_the_same_name_are_dropped():
    kept = run_of(model="other")
    before = results(run_of(), run_of("tflm-cmsis-nn")).with_run(replace(MODEL, name="other"), kept)
    after = before.with_run(replace(MODEL, sha256="cd" * 32), run_of())
    assert {model.name: model.sha256[:2] for model in after.models} == {"other": "ab", "two": "cd"}
    assert after.find("two", M4, "tflm-cmsis-nn") is None
    assert after.find("other", M4, "aot") == kept


def test_models_are_in_the_order_of_their_work_and_runs_in_one_order_whatever_was_run_first():
    small = replace(MODEL, name="zero", layers=MODEL.layers[1:])
    one = results(run_of(), run_of("aot-ram")).with_run(small, run_of(model="zero"))
    other = results(run_of(model="zero"), model=small).with_run(MODEL, run_of("aot-ram")).with_run(MODEL, run_of())
    assert one == other
    assert [model.name for model in one.models] == ["zero", "two"]


def test_the_newest_origin_is_that_of_the_latest_day():
    later = replace(ORIGIN, date="2026-12-01")
    assert newest([run_of(origin=later), run_of("aot-ram")]) == later
    assert newest([]) is None


def test_results_are_read_as_they_were_written(tmp_path):
    found = results(run_of(), run_of("tflm-cmsis-nn", cost=None, problem="does not fit", oracle=None, library="x y"))
    path = tmp_path / "docs" / "benchmark.json"
    write_results(found, path)
    assert read_results(path) == found


def test_each_model_and_each_run_has_a_line_of_its_own():
    one = results_text(results(run_of(), run_of("aot-ram")))
    other = results_text(results(run_of(cost=FASTER), run_of("aot-ram")))
    changed = [pair for pair in zip(one.splitlines(), other.splitlines(), strict=True) if len(set(pair)) > 1]
    assert len(changed) == 1
    assert parse_results(other).cost("two", M4, "aot") == FASTER


def test_where_nothing_was_kept_there_is_nothing(tmp_path):
    assert read_results(tmp_path / "benchmark.json").runs == ()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"models": [{}], "runs": []}', '{"models": [], "runs": [{"cost": 1}]}']
)
def test_another_file_is_refused_and_not_overwritten(tmp_path, text):
    path = tmp_path / "benchmark.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_results(path)
    assert caught.value.summary == f"not the results of a benchmark: {path}"
    assert caught.value.hint == "restore the file, or remove it and run the benchmark anew"
