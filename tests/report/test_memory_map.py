"""The picture of the arena: where blocks are drawn, what is said on them, and names from a model that stay names."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from image_models import ImageModel

from tinydeploy.boards import find_board
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.model.reader import parse_model, read_model
from tinydeploy.planning import planner
from tinydeploy.report.memory_map import draw_memory_map, memory_maps_svg
from tinydeploy.report.memory_scene import NARROW, WIDE

SVG = "{http://www.w3.org/2000/svg}"

each_engine = pytest.mark.parametrize("engine", ["aot", "tflm"])
each_width = pytest.mark.parametrize("width", [WIDE, NARROW])


def planned(graph, engine, board="qemu-cortex-m4", **settings):
    return planner(graph, buffers=2, settings=EngineSettings(**settings))(find_board(board), engine)


def tower(layers, name="tensor"):
    net = ImageModel(16, 16, 4, name=name)
    for layer in range(layers):
        net.relu() if layer % 3 else net.pool(3)
    return parse_model(net.finish(), name="tower.tflite")


def blocks(picture):
    return [box for box in picture.boxes if box.title]


def inside(inner, outer):
    eps = 0.01
    return (
        outer.x - eps <= inner.x
        and inner.x + inner.width <= outer.x + outer.width + eps
        and outer.y - eps <= inner.y
        and inner.y + inner.height <= outer.y + outer.height + eps
    )


@each_engine
@each_width
@pytest.mark.parametrize("layers", [1, 2, 40, 200])
def test_all_is_within_the_picture_and_every_block_within_a_lane(layers, engine, width):
    picture = draw_memory_map(planned(tower(layers), engine), width=width)
    lanes = [box for box in picture.ground if box.style == "empty"]
    for box in blocks(picture):
        assert any(inside(box, lane) for lane in lanes), box
    for box in (*picture.ground, *picture.boxes):
        assert box.x >= 0
        assert box.x + box.width <= picture.width + 0.01
        assert box.y + box.height <= picture.height
    rows = sorted(words.y for words in picture.words if "end" not in words.anchor and words.x < 40)
    assert all(later - earlier >= 12 for earlier, later in pairwise(rows)), "rows overlap"


@each_engine
@pytest.mark.parametrize("name", ["kws", "vww", "resnet8", "hello_world"])
def test_no_block_covers_another(name, engine, model_file):
    picture = draw_memory_map(planned(read_model(model_file(f"{name}_int8.tflite")), engine))
    drawn = [box for box in blocks(picture) if box.width > 1.5]
    for number, a in enumerate(drawn):
        for b in drawn[:number]:
            across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
            down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
            assert across <= 1.5 or down <= 0.01, (a, b)


@each_engine
def test_what_is_alive_at_the_peak_stands_out_and_is_named(engine, model_file):
    plan = planned(read_model(model_file("resnet8_int8.tflite")), engine)
    picture = draw_memory_map(plan)
    marked = [box.title for box in blocks(picture) if "tensor at-peak" in box.style]
    assert len(marked) == len(plan.engine.peak.tensors)
    for index in plan.engine.peak.tensors:
        assert any(f"tensor {index}: " in title for title in marked)
    (peak,) = {words.text for words in picture.words if words.style == "usual peak-words" and words.anchor == "start"}
    assert peak == plan.graph.ops[plan.engine.peak.op].kind


def test_a_block_tells_what_it_is_where_and_when(model_file):
    plan = planned(read_model(model_file("vww_int8.tflite")), "tflm")
    largest = max((box for box in blocks(draw_memory_map(plan)) if box.layers), key=lambda box: box.width)
    name, kind, where, when = largest.title.splitlines()
    assert name.startswith("model/activation_2/Relu")
    assert kind == "tensor 60: 1x48x48x16 int8"
    assert where == "36,864 B at 0 of the arena"
    assert when == "op 2 CONV_2D to op 3 DEPTHWISE_CONV_2D"
    assert largest.layers == (2, 3)
    assert largest.words.text == "1x48x48x16  36,864 B"


def test_what_the_library_keeps_is_apart_and_its_largest_parts_are_named(model_file):
    plan = planned(read_model(model_file("kws_int8.tflite")), "tflm")
    (kept,) = [box for box in blocks(draw_memory_map(plan)) if "persistent" in box.style]
    assert kept.title.startswith("kept by the library: ")
    assert "TfLiteEvalTensor of all tensors" in kept.title


def test_tensors_in_the_links_buffers_have_lanes_of_their_own_on_the_same_scale(model_file):
    plan = planned(read_model(model_file("vww_int8.tflite")), "aot")
    arena, links, *_ = (box for box in draw_memory_map(plan).ground if box.style == "empty")
    assert arena.width / plan.engine.memory.arena_bytes == pytest.approx(
        links.width / plan.engine.input_bytes, rel=0.05
    )


@each_engine
def test_equal_plans_give_equal_pictures(engine, model_file):
    path = model_file("kws_int8.tflite")
    first, second = (memory_maps_svg([planned(read_model(path), engine)]) for _ in range(2))
    assert first == second


def test_the_file_is_svg_that_refers_to_nothing_and_knows_light_and_dark():
    text = memory_maps_svg([planned(tower(3), engine) for engine in ("aot", "tflm")])
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert text.replace('xmlns="http://www.w3.org/2000/svg"', "").count("http") == 0
    assert "prefers-color-scheme: dark" in text
    titles = [element.text for element in root.iter(f"{SVG}text") if element.get("class") == "large"]
    assert titles == ["tower.tflite", "tower.tflite"], "one for each plan"


def test_names_from_a_model_are_words_and_nothing_else():
    hostile = "</title></svg><script>alert(1)</script> \" ' & ]]> \u202e"
    text = memory_maps_svg([planned(tower(4, name=hostile), "tflm")])
    root = ET.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "style", "rect", "g", "line", "text"),
    }
    assert "<script>" not in text
    assert "\u202e" not in text


def test_a_model_without_an_arena_has_a_picture_too():
    picture = draw_memory_map(planned(tower(1), "aot"))
    assert {box.style for box in blocks(picture)} == {"block link"}
    assert picture.description == "memory map: nothing is kept in the arena"
