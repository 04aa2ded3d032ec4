from deployments import write_model

from tinydeploy.budget.advice import Advice
from tinydeploy.budget.figures import BoardBudget, Figure
from tinydeploy.budget.memory_groups import memory_groups
from tinydeploy.model.reader import read_model
from tinydeploy.planning import Targets, plan_all


def budgets_of(model, boards, engine):
    plans, _ = plan_all(read_model(model), Targets(boards=boards, engine=engine))
    figure = Figure(value=1_000, source="exact")
    return [BoardBudget(plan=plan, arena=figure, ram=figure, flash=figure) for plan in plans]


def test_boards_with_the_same_memory_are_one_group(tmp_path):
    boards = ("qemu-cortex-m4", "netduinoplus2", "qemu-cortex-m55")
    groups = memory_groups(budgets_of(write_model(tmp_path), boards, "both"))
    told = [[(b.plan.board.id, b.plan.engine.engine) for b in group.budgets] for group in groups]
    assert [("qemu-cortex-m4", "aot"), ("netduinoplus2", "aot")] in told, "the same kernels"
    assert sum(map(len, told)) == 6
    for group in groups:
        assert len({budget.plan.engine.memory for budget in group.budgets}) == 1


def test_advice_is_asked_for_once_a_group(tmp_path):
    asked = []

    def advise(plan):
        asked.append(plan.board.id)
        return Advice(ideas=(), next_peak=None)

    boards = ("qemu-cortex-m4", "netduinoplus2")
    memory_groups(budgets_of(write_model(tmp_path), boards, "aot"), advise)
    assert asked == ["qemu-cortex-m4"]
