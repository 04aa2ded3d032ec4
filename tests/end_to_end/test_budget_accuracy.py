"""Plans against the firmware that is then built, within the 5 % that plans promise."""

import pytest
from command_line import DIGITS

from tinydeploy.benchmark.budget_accuracy import Row, accuracy

AOT = [
    ("microbit", "aot"),
    ("qemu-cortex-m3", "aot-reference"),
    ("netduinoplus2", "aot"),
    ("qemu-cortex-m55", "aot"),
    ("qemu-cortex-m4", "aot-speed"),
]
TFLM = [("qemu-cortex-m4", "tflm-reference"), ("qemu-cortex-m4", "tflm-cmsis-nn"), ("qemu-cortex-m55", "tflm-cmsis-nn")]

pytestmark = pytest.mark.usefixtures("use_cache")


def assert_near(row: Row) -> None:
    assert row.ram is not None, "it does not fit"
    assert row.flash is not None
    print(row)
    assert abs(row.ram.error) < 0.05
    assert abs(row.flash.error) < 0.05


@pytest.mark.parametrize(("board", "variant"), AOT)
def test_the_plan_of_a_compiled_model_is_near_what_is_built(board, variant):
    assert_near(accuracy(DIGITS, board, variant))


@pytest.mark.parametrize(("board", "variant"), TFLM)
def test_the_plan_of_an_interpreted_model_is_near_what_is_built(board, variant, model_file, tflm_library, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", str(tflm_library))
    row = accuracy(model_file("kws_int8.tflite"), board, variant)
    assert row.library is not None
    assert_near(row)
