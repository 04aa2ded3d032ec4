"""Fitted figures, and the file that has them."""

import pytest

from tinydeploy.cost.coefficients import COEFFICIENTS, Coefficients, coefficients, coefficients_text, parse_coefficients
from tinydeploy.cost.setting import Setting, setting_of
from tinydeploy.cost.work import Work

SETTING = Setting(core="cortex-m3", engine="aot", kernels="reference")
FOUND = Coefficients(
    rows={"ADD": {"calls": 30.0, "values": 2.5}}, removed=16.0, per_inference=7.5, per_layer=-9.0, error=0.05
)


def test_what_is_written_is_read_again():
    assert parse_coefficients(coefficients_text({SETTING: FOUND}, "made by a test")) == {SETTING: FOUND}


def test_the_committed_file_is_as_it_would_be_written():
    text = COEFFICIENTS.read_text(encoding="utf-8")
    note = text.splitlines()[1].removeprefix('"note": "').removesuffix('",')
    assert coefficients_text(coefficients(), note) == text


def test_a_layer_takes_the_sum_over_its_amounts():
    assert FOUND.instructions(Work(row="ADD", amounts={"calls": 1, "values": 100, "vectors": 7})) == pytest.approx(280)


def test_a_layer_unlike_any_that_was_measured_is_none():
    assert FOUND.instructions(Work(row="MUL", amounts={"calls": 1})) is None


CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
NOT_MEASURED = [(core, "tflm", "optimized") for core in ("cortex-m0", "cortex-m0plus")]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("engine", ["aot", "tflm"])
@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_every_arm_core_is_known_with_both_engines_and_all_kernels_but_cmsis_nn_on_the_smallest(core, engine, kernels):
    found = coefficients().get(setting_of(core, engine, kernels))
    if (core, engine, kernels) in NOT_MEASURED:
        assert found is None
        return
    assert found is not None
    assert len(found.rows) >= 15
    assert 0 < found.error < 0.15
    assert all(each >= 0 for row in found.rows.values() for each in row.values())
