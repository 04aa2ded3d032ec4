"""Models that are valid and larger than any microcontroller's: they are planned, or refused, in seconds.

Limits are in processor time, several times as much as it takes.
"""

import time

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinydeploy.boards import find_board
from tinydeploy.engines import ENGINES
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.model.reader import parse_model
from tinydeploy.plan import make_plan
from tinydeploy.report.memory_map import memory_maps_svg

BOARD = "nano33ble"
_OUTPUT = {"TANH": (1 / 128, 0), "RELU": (0.05, -128), "ADD": (0.05, -128)}


def chain(kind: str, ops: int, shape: tuple[int, ...] = (1, 64)) -> bytes:
    builder = ModelBuilder()
    first = last = builder.tensor(shape, scale=0.05, zero_point=-128)
    scale, zero_point = _OUTPUT[kind]
    for _ in range(ops):
        output = builder.tensor(shape, scale=scale, zero_point=zero_point)
        builder.op(kind, [last, first] if kind == "ADD" else [last], [output])
        last = output
    return builder.finish(inputs=[first], outputs=[last])


def planned(model: bytes, engine: str):
    """The plan, drawn, and the seconds that it took."""
    begin = time.process_time()
    graph, board = parse_model(model, name="large.tflite"), find_board(BOARD)
    plan = make_plan(ENGINES[engine].planner(graph, EngineSettings())(board), board, buffers=2)
    assert memory_maps_svg([plan])
    return plan, time.process_time() - begin


@pytest.mark.parametrize("engine", ["aot", "tflm"])
@pytest.mark.parametrize("kind", ["TANH", "RELU", "ADD"])
def test_hundreds_of_ops_are_planned_and_drawn_in_seconds(kind, engine):
    plan, seconds = planned(chain(kind, 500), engine)
    assert len(plan.graph.ops) == 500
    assert seconds < 10


@pytest.mark.parametrize(("size", "ways"), [(32, "several"), (4096, "one")])
def test_faster_ways_are_not_looked_for_where_images_are_beyond_any_memory(size, ways):
    builder = ModelBuilder()
    x = builder.tensor((1, size, size, 16), scale=0.5)
    y = builder.tensor((1, size, size, 16), scale=0.5)
    weights = builder.constant(np.ones((16, 3, 3, 16), np.int8), scale=0.01)
    builder.op("CONV_2D", [x, weights], [y], padding="SAME", strideH=1, strideW=1)
    plan, _ = planned(builder.finish(inputs=[x], outputs=[y]), "aot")
    assert (len(plan.engine.ways[0]) == 1) is (ways == "one")
    assert plan.fits is (size == 32)
