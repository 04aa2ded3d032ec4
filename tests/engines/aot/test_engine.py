"""What the engines take of the settings, and which kernels the compiling one takes for a board."""

import pytest
from small_models import small_model

from tinydeploy.boards import find_board
from tinydeploy.engines import ENGINES
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.errors import UsageError
from tinydeploy.model.reader import parse_model


def plan_for(engine, board, **settings):
    graph = parse_model(small_model(), name="small.tflite")
    return ENGINES[engine].planner(graph, EngineSettings(**settings))(find_board(board))


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"tflm_library": "somewhere"}, "--tflm-lib: it needs no library"),
        ({"arena_bytes": 1024}, "--arena-bytes: its arena is part of the code"),
        ({"probe_arena": True}, "--probe-arena: its arena cannot be smaller than planned"),
    ],
)
def test_settings_of_an_interpreter_are_refused(settings, option):
    with pytest.raises(UsageError) as caught:
        plan_for("aot", "qemu-cortex-m4", **settings)
    assert caught.value.summary == f"the aot engine takes no {option}"
    assert caught.value.hint == "leave it out, or: --engine tflm"


def test_an_interpreter_cannot_be_optimised_for_anything():
    with pytest.raises(UsageError) as caught:
        plan_for("tflm", "qemu-cortex-m4", optimize="ram")
    assert caught.value.summary == "the tflm engine takes no --optimize: its kernels are the library's"
    assert caught.value.hint == "leave it out, or: --engine aot"


@pytest.mark.parametrize(
    ("board", "folder"), [("qemu-cortex-m3", "scalar"), ("qemu-cortex-m4", "dsp"), ("qemu-cortex-m55", "mve")]
)
def test_a_board_gets_the_kernels_of_its_core_unless_plain_ones_are_asked_for(board, folder):
    optimized, reference = plan_for("aot", board), plan_for("aot", board, kernels="reference")
    assert (optimized.kernels, reference.kernels) == ("optimized", "reference")
    assert {kernel.split("/")[0] for kernel in optimized.generate().kernels} == {folder}
    assert {kernel.split("/")[0] for kernel in reference.generate().kernels} == {"reference"}


def test_reference_kernels_compute_the_model_as_it_is_in_the_file():
    """Nothing is removed or stored otherwise, so that they show what the rest of the engine does."""
    plan = plan_for("aot", "qemu-cortex-m4", kernels="reference")
    assert [way.name for ways in plan.ways for way in ways] == ["plain"]
