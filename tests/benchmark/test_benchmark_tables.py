"""The tables of the benchmark, and that those in the repository are made of the figures beside them."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_results import M4, MODEL, ORIGIN, cost, results, run_of

from tinydeploy.benchmark.command import Pages
from tinydeploy.benchmark.store import read_results, results_text
from tinydeploy.benchmark.tables import page, readme_block, with_block
from tinydeploy.benchmark.variants import limit_of

PAGES = Pages(folder=Path(__file__).resolve().parents[2])
OLDER = replace(ORIGIN, date="2026-10-01", tinydeploy="0.0.9")
CMSIS = run_of("tflm-cmsis-nn", cost=cost(2_000, 50, 500, executed=(1_000, 0, 200)), library="tflite-micro 1")

needs_results = pytest.mark.skipif(not PAGES.results.is_file(), reason="no benchmark was run yet")


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def row_of(text: str, *first: str) -> list[str]:
    (found,) = (row[len(first) :] for row in rows(text) if row[: len(first)] == list(first))
    return found


def test_a_row_has_instructions_work_and_all_of_memory():
    shown = page(results(run_of()), {})
    row = row_of(shown, "two", "aot")
    assert row == ["1,250", "1.04", "1,200", "1,000", "256", "16", "400", "672", "1,000", "9,000", "10,000"]


@pytest.mark.parametrize("problem", ["does not fit", "outputs differ"])
def test_what_has_no_figures_says_why(problem):
    row = row_of(page(results(run_of(cost=None, problem=problem)), {}), "two", "aot")
    assert row == [problem, *["-"] * 10]


def test_each_board_has_a_section_with_its_picture_if_it_has_one():
    shown = page(results(run_of(), run_of(board="microbit")), {M4: "m4.svg"})
    headings = [line for line in shown.splitlines() if line.startswith("## ")]
    assert headings == ["## Cortex-M0 (`microbit`)", "## Cortex-M4 (`qemu-cortex-m4`)"]
    pictures = [line for line in shown.splitlines() if line.startswith("![")]
    assert pictures == ["![Instructions per multiply-accumulate by layer; limit 1/2: one SMLAD does two](m4.svg)"]


def test_a_layer_has_its_instructions_for_each_mac_given_and_executed():
    shown = page(results(run_of(), CMSIS), {})
    assert row_of(shown, "0 CONV_2D 3x3") == ["1,000", "800", "2,000", "2.00", "900", "0.90", "1.12"]
    assert row_of(shown, "1 MAX_POOL_2D") == ["0", "0", "50", "-", "40", "-", "-"]


def test_without_tflm_its_layers_have_no_figures():
    assert row_of(page(results(run_of()), {}), "2 FULLY_CONNECTED") == ["200", "200", "-", "-", "300", "1.50", "1.50"]


def test_all_figures_say_with_what_and_when_they_were_emulated():
    for shown in (page(results(run_of(), CMSIS), {}), readme_block(results(run_of(), CMSIS), "m4.svg")):
        facts = "Emulated in QEMU 7.2.22, compiled with GCC 12.2.1, tinydeploy 0.1.0, 2026-11-21; bit-identical to"
        assert f"{facts} the oracle; libraries: tflite-micro 1." in shown.splitlines()
        assert "<sup>" not in shown


def test_older_figures_are_marked_with_their_own_date_and_version():
    found = results(run_of(), replace(CMSIS, origin=OLDER))
    explained = "<sup>a</sup> Emulated in QEMU 7.2.22, compiled with GCC 12.2.1, tinydeploy 0.0.9, 2026-10-01."
    assert row_of(page(found, {}), "two", "TFLM + CMSIS-NN")[0] == "2,560<sup>a</sup>"
    assert row_of(page(found, {}), "two", "aot")[0] == "1,250"
    assert explained in page(found, {}).splitlines()
    block = readme_block(found, "m4.svg")
    assert row_of(block, "two")[1] == "2,560<sup>a</sup> → **1,250**"
    assert explained in block.splitlines()


def test_the_readme_has_a_row_for_each_model_and_the_memory_of_the_first_core():
    small = run_of(board="qemu-cortex-m55", cost=cost(100, 4, 30))
    block = readme_block(results(run_of(), CMSIS, small), "docs/m4.svg")
    assert rows(block)[0] == ["model", "MACs", "Cortex-M4", "Cortex-M55", "Cortex-M3", "RAM B", "flash B"]
    assert row_of(block, "two") == [
        "1,200",
        "2,560 → **1,250**",
        "- → **144**",
        "- → **-**",
        "672 → **672**",
        "10,000 → **10,000**",
    ]
    assert "![Instructions per multiply-accumulate, by layer](docs/m4.svg)" in block


def test_only_what_is_between_the_markers_changes():
    text = "before\n<!-- benchmark: how -->\nold\n<!-- /benchmark -->\nafter\n"
    assert with_block(text, "new\n") == "before\n<!-- benchmark: how -->\nnew\n<!-- /benchmark -->\nafter\n"
    for wrong in ("", text + text):
        with pytest.raises(ValueError, match="blocks between"):
            with_block(wrong, "new\n")


@pytest.mark.parametrize(
    ("core", "per_mac"),
    [("cortex-m0", 2), ("cortex-m3", 1), ("cortex-m4", 0.5), ("cortex-m7", 0.5), ("cortex-m55", 1 / 16)],
)
def test_the_limit_of_a_core_is_that_of_its_widest_multiplication(core, per_mac):
    assert limit_of(core).per_mac == per_mac


@needs_results
def test_the_repository_has_the_tables_of_its_figures():
    kept = read_results(PAGES.results)
    assert PAGES.results.read_text() == results_text(kept)
    pictures = {
        board: path.name for board in {run.board for run in kept.runs} if (path := PAGES.picture(board)).is_file()
    }
    advice = "run: python -m tinydeploy.benchmark --draw"
    assert PAGES.page.read_text() == page(kept, pictures), advice
    block = readme_block(kept, f"docs/{PAGES.picture(M4).name}")
    readme = PAGES.readme.read_text()
    assert with_block(readme, block) == readme, advice


@needs_results
def test_figures_that_are_kept_are_whole():
    kept = read_results(PAGES.results)
    models = {model.name: model for model in kept.models}
    for run in kept.runs:
        assert bool(run.cost) != bool(run.problem)
        if run.cost:
            assert len(run.cost.layers) == len(run.cost.layer_macs) == len(models[run.model].layers)
            assert sum(run.cost.layer_macs) == run.cost.macs <= models[run.model].macs


def test_a_model_without_multiplications_has_no_figure_per_mac():
    pool = replace(MODEL, layers=MODEL.layers[1:2])
    found = results(run_of(cost=cost(40, executed=(0,))), model=pool)
    assert row_of(page(found, {}), "two", "aot")[:4] == ["50", "-", "0", "0"]
