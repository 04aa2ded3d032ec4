"""What would save RAM: each figure against a plan of what is proposed, or against a sum on paper."""

import pytest
from image_models import ImageModel

from tinydeploy.boards import find_board
from tinydeploy.budget.advice import adviser
from tinydeploy.budget.what_if import next_peak, what_if
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.errors import ModelError
from tinydeploy.model.reader import parse_model, read_model
from tinydeploy.planning import Targets, planner

BOARD = "qemu-cortex-m4"


def planned(data, engine, *, buffers=2, **settings):
    graph = parse_model(data, name="model.tflite")
    return planner(graph, buffers=buffers, settings=EngineSettings(**settings))(find_board(BOARD), engine)


def refuse(*_):
    raise ModelError("not supported")


def idea(plan, words, *, replan=refuse, replan_for_ram=None):
    """The only one with these words in it, or None."""
    found = [one for one in what_if(plan, replan=replan, replan_for_ram=replan_for_ram) if words in one.change]
    assert len(found) <= 1
    return found[0] if found else None


def pyramid(side):
    net = ImageModel(side, side, 4)
    net.conv(16, 3)
    net.conv(16, 3, stride=2)
    net.pool(2, stride=2)
    return net.finish()


@pytest.mark.parametrize("engine", ["tflm", "aot"])
def test_an_input_of_half_the_size_takes_what_a_model_with_such_an_input_takes(engine):
    large, small = planned(pyramid(32), engine, kernels="reference"), planned(pyramid(16), engine, kernels="reference")
    found = idea(large, "the input is")
    assert found.change == "the input is 1x16x16x4 instead of 1x32x32x4"
    assert found.cost == "a model that is made and trained for it"
    assert found.ram_bytes == small.ram.used_bytes
    assert found.saved_bytes == large.ram.used_bytes - small.ram.used_bytes


def test_a_model_without_images_gets_no_smaller_one(model_file):
    graph = read_model(model_file("ad01_int8.tflite"))
    plan = planner(graph, buffers=2, settings=EngineSettings())(find_board(BOARD), "tflm")
    assert idea(plan, "the input is") is None


def test_one_buffer_saves_one_of_each():
    plan = planned(pyramid(32), "aot")
    assert idea(plan, "one input").saved_bytes == plan.engine.input_bytes + plan.engine.output_bytes
    assert idea(planned(pyramid(32), "aot", buffers=1), "one input") is None


def test_two_halves_never_hold_the_tensor_between_two_layers_whole():
    """On paper: 9 of 16 rows for 4 of 8, so 4,608 B instead of 8,192 B; and all three are there at a time."""
    net = ImageModel(16, 16, 4)
    net.conv(32)
    net.pool(3, stride=2)
    plan = planned(net.finish(), "tflm", kernels="reference")
    source, between, result = 1_024, 8_192, 2_048
    found = idea(plan, "in two halves")
    assert "never more than 9 of 16 rows" in found.change
    assert found.saved_bytes == (between + result) - (source + between * 9 // 16 + result)
    assert found.cost.startswith("4,096 MACs are done twice; "), "2 of 16 rows of 32,768"


def test_a_tensor_that_two_layers_read_cannot_be_used_up_in_halves():
    net = ImageModel(16, 16, 4)
    net.conv(32)
    assert idea(planned(net.finish(), "tflm"), "in two halves") is None, "it is the output"


def test_an_op_on_single_values_could_be_written_over_its_input():
    net = ImageModel(8, 8, 4)
    net.conv(64)
    net.relu()
    net.pool(8, stride=8)
    plan = planned(net.finish(), "tflm", kernels="reference")
    found = idea(plan, "written over")
    assert found.change == "op 1 RELU is written over its input"
    assert found.saved_bytes == 2 * 4_096 - (256 + 4_096)
    unused = plan.engine.arena_reserved_bytes - plan.engine.lower_bound_bytes
    assert next_peak(plan) == (
        "without the peak at op 1 RELU the next is op 0 CONV_2D with 4,352 B: "
        f"no more than {3_840 + unused:,} B are to be gained"
    )
    assert idea(planned(net.finish(), "aot", kernels="reference"), "written over") is None, "aot does so already"


def test_where_two_ops_need_the_same_nothing_is_to_be_gained_at_one():
    net = ImageModel(8, 8, 4)
    for _ in range(4):
        net.pool(3)
    assert next_peak(planned(net.finish(), "aot")).endswith("nothing is to be gained at one of them alone")


@pytest.mark.parametrize("name", ["vww", "resnet8", "kws"])
def test_nothing_done_at_the_peak_alone_saves_more_than_is_said_to_be_there(name, model_file):
    graph = read_model(model_file(f"{name}_int8.tflite"))
    plan = planner(graph, buffers=2, settings=EngineSettings())(find_board(BOARD), "tflm")
    said = int(next_peak(plan).partition("no more than ")[2].partition(" B")[0].replace(",", ""))
    for words in ("in two halves", "written over"):
        found = idea(plan, words)
        assert found is None or found.saved_bytes <= said


def test_a_search_finds_the_bytes_that_the_library_wastes(model_file):
    """73,728 B of activations, of which 55,296 B are ever alive together."""
    graph = read_model(model_file("vww_int8.tflite"))
    plan = planner(graph, buffers=2, settings=EngineSettings())(find_board(BOARD), "tflm")
    found = idea(plan, "placed by search")
    assert found.saved_bytes == 73_728 - 55_296
    assert "OfflineMemoryAllocation" in found.cost


@pytest.mark.parametrize("name", ["kws", "ad01"])
def test_the_other_engine_and_the_other_objective_are_really_planned(name, model_file):
    graph = read_model(model_file(f"{name}_int8.tflite"))
    plan_for = planner(graph, buffers=2, settings=EngineSettings())
    for_ram = planner(graph, buffers=2, settings=EngineSettings(optimize="ram"))
    aot, tflm, smallest = (
        find(find_board(BOARD), engine) for find, engine in ((plan_for, "aot"), (plan_for, "tflm"), (for_ram, "aot"))
    )
    assert idea(tflm, "the aot engine", replan=plan_for).ram_bytes == aot.ram.used_bytes
    assert idea(aot, "the tflm engine", replan=plan_for) is None, "it needs more"
    found = idea(aot, "compiled for the least RAM", replan_for_ram=for_ram)
    if smallest.ram.used_bytes == aot.ram.used_bytes:
        assert found is None
    else:
        assert found.ram_bytes == smallest.ram.used_bytes


@pytest.mark.parametrize("engine", ["tflm", "aot"])
@pytest.mark.parametrize("name", ["kws", "resnet8", "hello_world"])
def test_whatever_is_said_saves_something_and_the_most_comes_first(name, engine, model_file):
    graph = read_model(model_file(f"{name}_int8.tflite"))
    plan = planner(graph, buffers=2, settings=EngineSettings())(find_board(BOARD), engine)
    told = adviser(graph, Targets())(plan)
    saved = [one.saved_bytes for one in told.ideas]
    assert saved == sorted(saved, reverse=True)
    assert min(saved) > 0
    assert all(one.ram_bytes + one.saved_bytes == plan.ram.used_bytes > one.ram_bytes for one in told.ideas)
    assert told.next_peak
