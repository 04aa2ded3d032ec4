import json

import pytest
from deployments import plan_of, write_model

from tinydeploy.budget.baseline import changes, read_baseline
from tinydeploy.budget.figures import BoardBudget, Figure
from tinydeploy.budget.report import BudgetReport
from tinydeploy.errors import UsageError
from tinydeploy.report.budget import budget_json


def budget_of(folder, board="qemu-cortex-m4", **values):
    figures = {"arena": 1_000, "ram": 20_000, "flash": 30_000, "instructions": 1_000_000} | values
    return BoardBudget(
        plan=plan_of(write_model(folder), board),
        **{name: value and Figure(value=value, source="exact") for name, value in figures.items()},
    )


def saved(folder, *budgets):
    report = BudgetReport(model=folder / "small.tflite", graph=budgets[0].plan.graph, boards=budgets)
    path = folder / "old.json"
    path.write_text(json.dumps({"tinydeploy": "0", **budget_json(report)}))
    return path


def test_what_budget_wrote_is_read_again_and_nothing_changed(tmp_path):
    budget = budget_of(tmp_path)
    found = changes([budget], read_baseline(saved(tmp_path, budget)), growth=0)
    assert [(change.quantity, change.kind) for change in found] == [
        ("arena", "same"),
        ("ram", "same"),
        ("flash", "same"),
        ("instructions", "same"),
    ]


def test_growth_is_an_excess_from_the_first_byte_that_is_not_allowed(tmp_path):
    baseline = read_baseline(saved(tmp_path, budget_of(tmp_path)))
    now = [budget_of(tmp_path, arena=900, ram=20_200, flash=30_001)]
    strict = {change.quantity: change for change in changes(now, baseline, growth=0)}
    assert [name for name, change in strict.items() if change.is_excess] == ["ram", "flash"]
    assert strict["arena"].kind == "shrank"
    assert strict["ram"].kind == "grew"
    assert not any(change.is_excess for change in changes(now, baseline, growth=0.01))
    assert any(change.is_excess for change in changes(now, baseline, growth=0.0099))


def test_what_is_only_on_one_side_is_new_or_gone_and_no_growth(tmp_path):
    baseline = read_baseline(saved(tmp_path, budget_of(tmp_path, instructions=None), budget_of(tmp_path, "pico")))
    found = changes([budget_of(tmp_path)], baseline, growth=0)
    assert {change.kind for change in found if change.board == "pico"} == {"gone"}
    assert [change.kind for change in found if change.quantity == "instructions"] == ["new", "gone"]
    assert not any(change.is_excess for change in found)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON: Expecting value"),
        (b"\xff", "it is not JSON: 'utf-8' codec"),
        (b"[]", "it is no budget: TypeError"),
        (b"{}", "it is no budget: KeyError: 'boards'"),
        (b'{"boards": [1]}', "it is no budget: TypeError"),
        (b'{"boards": [{"board": 1, "engine": "aot", "kernels": ""}]}', "board, engine and kernels are names"),
        (
            b'{"boards": [{"board": "a", "engine": "aot", "kernels": "", "ram_bytes": true}]}',
            "ram_bytes is no integer: True",
        ),
    ],
)
def test_another_file_is_refused_with_the_reason(tmp_path, content, problem):
    path = tmp_path / "old.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_baseline(path)
    assert caught.value.summary == f"not a budget to compare with: {path}"
    assert problem in caught.value.where["reason"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_baseline(tmp_path / "old.json")
    assert caught.value.where == {"reason": "it cannot be read: no such file or directory"}
    assert "tinydeploy budget MODEL --board ID --json FILE" in caught.value.hint
