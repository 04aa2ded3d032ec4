"""The budget as a comment: the verdict first, tables that are tables, and names that are only names."""

import pytest
from budgets_made import report_of
from image_models import ImageModel

from tinydeploy.budget.advice import Advice
from tinydeploy.budget.what_if import WhatIf
from tinydeploy.model.reader import parse_model
from tinydeploy.report.budget_markdown import budget_markdown


def graph_of(layers=3, name="model.tflite"):
    net = ImageModel(16, 16, 4)
    for layer in range(layers):
        net.conv(4 + 8 * (layer % 2))
    return parse_model(net.finish(), name=name)


@pytest.fixture(scope="module")
def graph():
    return graph_of()


def tables(text):
    """Each table as a list of rows of cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows)
            rows = []
    return found


def test_the_verdict_is_the_first_line_and_what_broke_follows(graph):
    lines = budget_markdown(report_of(graph, limit=1_024)).splitlines()
    assert lines[0].startswith("### ❌ model.tflite: ")
    assert lines[0].endswith(" limits are not kept")
    assert lines[2].startswith("- **qemu-cortex-m4, ")
    assert "at most 1,024 B allowed" in lines[2]


def test_a_budget_that_is_kept_is_one_glance(graph):
    lines = budget_markdown(report_of(graph, boards=("qemu-cortex-m4",), changes=(), refusals=())).splitlines()
    assert lines[0] == "### ✅ model.tflite: fits on all of them"
    assert lines[2].startswith("| board |")
    assert "Nothing has changed since the earlier budget." in lines


def test_all_rows_of_a_table_have_as_many_cells_as_its_heading(graph):
    found = tables(budget_markdown(report_of(graph)))
    assert len(found) >= 3
    for rows in found:
        assert {len(row) for row in rows} == {len(rows[0])}


def test_boards_have_their_figures_and_estimates_are_marked(graph):
    report = report_of(graph, boards=("qemu-cortex-m4",), engine="aot")
    heading, _, row = tables(budget_markdown(report))[0]
    told = dict(zip(heading, row, strict=True))
    assert told["RAM, B"] == f"≈{report.boards[0].ram.value:,}"
    assert told["flash, B"] == f"{report.boards[0].flash.value:,}", "measured"
    assert told["one inference"] == "≈9.5 to 12 ms"
    assert "≈ stands before what is only estimated" in budget_markdown(report)


def test_growth_that_is_not_allowed_is_bold_and_first(graph):
    changed = next(rows for rows in tables(budget_markdown(report_of(graph))) if "before" in rows[0])
    assert changed[2][-1].startswith("**+1,200")
    assert changed[-1][-1].startswith("+2,400")


def test_layers_and_advice_are_folded(graph):
    told = Advice(
        ideas=(WhatIf(change="it were so", cost="--engine aot; 5% more", saved_bytes=4_321, ram_bytes=1),),
        next_peak="op 1 is next",
    )
    text = budget_markdown(report_of(graph, boards=("qemu-cortex-m4",), engine="tflm", advise=lambda _: told))
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "- **-4,321 B** if it were so (--engine aot; 5% more)" in folded
    assert "- At the peak alone: op 1 is next" in folded
    assert "</summary>\n\n" in folded, "GitHub formats nothing without an empty line"
    assert len(tables(folded)[0]) == 2 + 3


def test_of_very_many_layers_only_the_fullest_are_shown():
    graph = graph_of(layers=90)
    text = budget_markdown(report_of(graph, boards=("qemu-cortex-m4", "microbit")))
    assert len(text) < 65_536, "what GitHub takes"
    assert "These are the 40 layers of 90 with most in the arena." in text


def test_a_name_is_only_a_name():
    name = "| [x](http://evil.example) @everyone <img src=a> www.evil.example ~no~.tflite"
    first = budget_markdown(report_of(graph_of(name=name), boards=("qemu-cortex-m4",))).splitlines()[0]
    for harm in ("|", "[", "@", "<", "://", "www.", "~"):
        assert harm not in first
    assert "&#64;everyone" in first
