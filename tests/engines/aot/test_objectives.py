"""What models are compiled to for an objective, and without."""

import pytest
from pace import best_within, seconds

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.model.reader import read_model

MODELS = ("kws", "vww", "resnet8", "ad01", "micro_speech", "hello_world")

each_model = pytest.mark.parametrize("name", MODELS)


def instructions(plan):
    return sum(way.instructions for ways in plan.ways for way in ways if way.is_chosen)


def flash_bytes(plan):
    return plan.constant_bytes + plan.code_bytes


@pytest.fixture
def graph(name, model_file):
    return read_model(model_file(f"{name}_int8.tflite"))


@each_model
def test_each_objective_is_served_at_least_as_well_as_without_it(graph):
    default, speed, size, ram = (plan_aot(graph, "dsp", objective) for objective in (None, "speed", "size", "ram"))
    assert instructions(speed) <= instructions(default)
    assert flash_bytes(size) <= flash_bytes(default)
    assert ram.arena_bytes <= default.arena_bytes


@pytest.mark.parametrize("name", ["resnet8"])
def test_large_constants_are_for_speed_alone(graph):
    default, speed, size, ram = (plan_aot(graph, "dsp", objective) for objective in (None, "speed", "size", "ram"))
    assert speed.constant_bytes > 2 * default.constant_bytes
    assert instructions(speed) < 0.75 * instructions(default)
    assert max(size.constant_bytes, ram.constant_bytes) < 1.1 * default.constant_bytes


@pytest.mark.parametrize("name", ["kws"])
def test_ram_is_saved_without_being_asked_where_it_costs_little(graph):
    """The last pointwise layer runs in place, although the average behind it is then slower."""
    default, speed = plan_aot(graph, "dsp"), plan_aot(graph, "dsp", "speed")
    assert default.arena_bytes < 0.7 * speed.arena_bytes
    assert default.arena_bytes <= 13_000


@each_model
def test_every_kernel_set_compiles_every_model_to_a_way_for_each_layer(graph):
    for kernels in ("reference", "scalar", "dsp", "mve"):
        plan = plan_aot(graph, kernels)
        assert len(plan.ways) == len(graph.ops)
        assert all(sum(way.is_chosen for way in ways) == 1 for ways in plan.ways if ways)


@pytest.mark.realtime
@pytest.mark.parametrize("name", ["vww"])
def test_compiling_takes_less_than_3_s(graph):
    assert best_within(3, lambda _: seconds(lambda: plan_aot(graph, "dsp").generate())) < 3
