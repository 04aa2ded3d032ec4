"""What is said of a budget: what is broken first, every figure with its mark, and what changed."""

from dataclasses import replace
from pathlib import Path

import pytest
from deployments import plan_of, write_model
from rich.console import Console

from tinydeploy.budget.baseline import Change
from tinydeploy.budget.figures import BoardBudget, Figure, Milliseconds
from tinydeploy.budget.limits import Limits, excesses
from tinydeploy.budget.report import BudgetReport
from tinydeploy.planning import Refusal
from tinydeploy.report.budget import budget_json, budget_text


@pytest.fixture
def report(tmp_path):
    plan = plan_of(write_model(tmp_path))
    budget = BoardBudget(
        plan=plan,
        arena=Figure(value=1_000, source="exact"),
        ram=Figure(value=20_000, source="measured", origin="tinydeploy.lock"),
        flash=Figure(value=30_000, source="estimated", origin="within 5 %"),
        instructions=Figure(value=1_234_567, source="estimated", origin="within 10 %"),
        layer_instructions=(1_234_567,),
    )
    return BudgetReport(model=Path("small.tflite"), graph=plan.graph, boards=(budget,))


def shown(report):
    console = Console(width=160, soft_wrap=True)
    with console.capture() as capture:
        console.print(budget_text(report))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_every_figure_says_how_far_it_can_be_trusted(report):
    lines = shown(report)
    assert lines[0] == "small.tflite: 12 multiply-accumulates, 1 layer, 24 B of constants"
    assert " ".join(lines[2].split()) == "board engine arena B RAM B free flash B free instructions"
    assert lines[3].split() == [
        *("qemu-cortex-m4", "aot,", "optimized", "1,000", "*20,000", "4,174,304", "~30,000", "4,164,304"),
        *("~1,234,567", "fits"),
    ]
    assert lines[5:] == [
        "~ is estimated, * was measured before; RAM and flash are read from the firmware with --build",
        "measured   in tinydeploy.lock: qemu-cortex-m4",
        "estimated  flash (within 5 %): qemu-cortex-m4",
        "estimated  instructions (within 10 %): qemu-cortex-m4",
    ]


def test_milliseconds_have_a_column_where_they_are_known(report):
    time = Milliseconds(low=33.1, high=45.9, source="estimated", origin="published")
    lines = shown(replace(report, boards=(replace(report.boards[0], milliseconds=time),)))
    assert lines[2].split()[-1] == "ms"
    assert lines[3].split()[-4:] == ["~33", "to", "46", "fits"]


def test_the_line_that_broke_comes_first(report):
    broken = replace(report, excesses=excesses(report.boards, Limits(most={"ram": 10_000})))
    assert not broken.ok
    assert shown(broken)[0] == (
        "qemu-cortex-m4, aot engine: RAM 20,000 B (measured), at most 10,000 B allowed: 10,000 B too many"
    )
    assert budget_json(broken)["exceeded"] == [
        {"board": "qemu-cortex-m4", "engine": "aot", "quantity": "ram", "value": 20_000, "limit": 10_000}
    ]
    assert budget_json(broken)["ok"] is False


def test_what_does_not_fit_is_told_only_of_boards_that_were_asked_for(report):
    large = replace(report.boards[0], ram=Figure(value=5_000_000, source="estimated"))
    listed = replace(report, boards=(large,))
    assert listed.ok
    assert shown(listed)[3].endswith("does not fit")
    asked = replace(listed, must_fit=True)
    assert not asked.ok
    assert asked.within_limits
    assert shown(asked)[0] == "qemu-cortex-m4, aot engine: does not fit: 805,696 B of RAM short"


def test_one_engine_that_fits_is_enough_for_a_board(report):
    large = replace(report.boards[0], ram=Figure(value=5_000_000, source="estimated"))
    assert replace(report, boards=(large, report.boards[0]), must_fit=True).ok


def test_changes_are_told_and_those_that_are_too_large_first(report):
    grew, shrank, same = (
        Change(
            board="pico",
            engine="aot",
            kernels="optimized",
            quantity="ram",
            before=1_000,
            now=now,
            is_excess=now > 1_000,
        )
        for now in (1_100, 900, 1_000)
    )
    lines = shown(replace(report, changes=(same, shrank, grew)))
    told = "pico, aot engine, optimized kernels: RAM 1,100 B, was 1,000 B (+100, +10.0%)"
    assert lines[0] == f"{told}, more than is allowed"
    assert lines[-3:] == [
        "changed since the earlier budget",
        "  pico, aot engine, optimized kernels: RAM 900 B, was 1,000 B (-100, -10.0%)",
        f"  {told}",
    ]
    assert shown(replace(report, changes=(same,)))[-1] == "as in the earlier budget"


def test_who_cannot_run_the_model_is_told_once_for_all_boards(report):
    refusals = tuple(Refusal(board=board, engine="tflm", reason="op 3 GELU") for board in ("pico", "pico2"))
    assert shown(replace(report, refusals=refusals))[-1] == "not with tflm  op 3 GELU: pico, pico2"
    assert budget_json(replace(report, refusals=refusals))["refused"][0]["reason"] == "op 3 GELU"


def test_the_values_are_those_that_others_rely_on(report):
    (board,) = budget_json(report)["boards"]
    assert board["board"] == "qemu-cortex-m4"
    assert board["engine"] == "aot"
    assert board["fits"] is True
    assert (board["ram_bytes"], board["ram_source"], board["ram_free_bytes"]) == (20_000, "measured", 4_174_304)
    assert (board["flash_bytes"], board["flash_source"]) == (30_000, "estimated")
    assert (board["instructions"], board["instructions_source"]) == (1_234_567, "estimated")
    assert board["peak"] is None or set(board["peak"]) == {"layer", "tensors"}
    assert board["milliseconds"] is None
