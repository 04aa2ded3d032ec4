"""What the engines say lies where in the arena: that it can, and that it is what the rest of the plan says."""

import itertools

import pytest
from random_graphs import random_graph
from small_models import small_model
from tflite_builder import ModelBuilder

from tinydeploy.boards import find_board
from tinydeploy.engines import ENGINES
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.memory.memory_map import NOTHING_ALTERED, Alteration, covered_bytes
from tinydeploy.memory.planner import align
from tinydeploy.model.reader import parse_model, read_model

MODELS = ("kws", "vww", "resnet8", "ad01", "micro_speech", "hello_world")
ENGINES_AND_BOARDS = (
    ("aot", "qemu-cortex-m4"),
    ("aot", "qemu-cortex-m55"),
    ("tflm", "qemu-cortex-m4"),
    ("tflm", "nano33ble"),
)

each_engine = pytest.mark.parametrize(("engine", "board"), ENGINES_AND_BOARDS)


def plan_for(graph, engine, board, **settings):
    return ENGINES[engine].planner(graph, EngineSettings(**settings))(find_board(board))


@pytest.fixture
def plan(name, engine, board, model_file):
    return plan_for(read_model(model_file(f"{name}_int8.tflite")), engine, board)


def assert_sound(plan):
    """No two blocks that are alive together overlap, but for one that is written over the other on purpose."""
    memory = plan.memory
    assert memory.arena_bytes == plan.arena_reserved_bytes
    buffers = {"input": plan.input_bytes, "output": plan.output_bytes}
    for block in memory.blocks:
        assert block.offset >= 0
        assert block.end <= buffers.get(block.kind, memory.arena_bytes), block
        assert 0 <= block.first <= block.last < len(memory.steps), block
    for kinds in (("tensor", "scratch", "persistent"), ("input",), ("output",)):
        for a, b in itertools.combinations([b for b in memory.blocks if b.kind in kinds], 2):
            if a.first <= b.last and b.first <= a.last and a.offset < b.end and b.offset < a.end:
                assert b.takes_over == a.tensor is not None or a.takes_over == b.tensor is not None, (a, b)
                assert a.first == b.last or b.first == a.last


def assert_peak_is_where_the_plan_says(plan):
    memory, peak = plan.memory, plan.peak
    if peak is None:
        assert memory.peak_step is None
        return
    assert memory.steps[memory.peak_step] == peak.op
    alive = [[block for block in memory.alive(step) if block.kind != "persistent"] for step in range(len(memory.steps))]
    fullest = covered_bytes(alive[memory.peak_step])
    assert fullest == plan.layer_arena_bytes[peak.op]
    # Before the first op nothing runs; the input alone can be more than what any op needs.
    assert fullest == max(covered_bytes(blocks) for step, blocks in enumerate(alive) if memory.steps[step] is not None)
    tensors = {index for block in alive[memory.peak_step] for index in (block.tensor, *block.aliases)}
    assert set(peak.tensors) <= tensors


@each_engine
@pytest.mark.parametrize("name", MODELS)
def test_blocks_are_apart_and_the_peak_is_where_the_plan_says(plan):
    assert_sound(plan)
    assert_peak_is_where_the_plan_says(plan)


@each_engine
@pytest.mark.parametrize("seed", range(12))
def test_so_it_is_for_random_graphs(seed, engine, board):
    plan = plan_for(parse_model(random_graph(seed), name="random.tflite"), engine, board)
    assert_sound(plan)
    assert_peak_is_where_the_plan_says(plan)


@each_engine
@pytest.mark.parametrize("name", MODELS)
def test_every_activation_is_in_a_block_that_is_there_while_it_is_used(plan):
    """But for tensors that the aot engine's passes have removed."""
    found = 0
    for op in plan.graph.ops:
        for index in (*op.inputs, *op.outputs):
            block = plan.memory.block_of(index)
            steps = plan.memory.steps_of(op.index)
            if block and steps:
                found += 1
                assert any(block.is_alive(step) for step in steps), (op, block)
    assert found >= len(plan.graph.ops)


@each_engine
@pytest.mark.parametrize("name", MODELS)
def test_placed_again_as_it_is_the_arena_is_the_same(plan):
    assert plan.arena_if(NOTHING_ALTERED) == plan.arena_reserved_bytes


@each_engine
@pytest.mark.parametrize("name", ["kws", "resnet8", "vww"])
def test_smaller_tensors_at_the_peak_make_the_arena_smaller(plan):
    halves = {index: nbytes // 2 for index, nbytes in zip(plan.peak.tensors, plan.peak.nbytes, strict=True)}
    everything = {b.tensor: b.nbytes // 2 for b in plan.memory.blocks if b.kind == "tensor"}
    assert plan.arena_if(Alteration(nbytes=halves)) <= plan.arena_reserved_bytes
    assert plan.arena_if(Alteration(nbytes=everything)) < 0.85 * plan.arena_reserved_bytes


@pytest.mark.parametrize("name", ["vww"])
@pytest.mark.parametrize(("engine", "board"), [("tflm", "qemu-cortex-m4")])
def test_what_the_library_keeps_fills_the_end_of_its_arena(plan):
    kept = sorted((b for b in plan.memory.blocks if b.kind == "persistent"), key=lambda b: b.offset)
    assert kept[-1].end == plan.memory.arena_bytes
    assert all(a.end == b.offset for a, b in itertools.pairwise(kept))
    assert any(block.label == "TfLiteEvalTensor of all tensors" for block in kept)


@pytest.mark.parametrize("name", ["resnet8"])
@pytest.mark.parametrize(("engine", "board"), [("tflm", "qemu-cortex-m4"), ("aot", "qemu-cortex-m4")])
def test_working_memory_is_told_by_the_op_that_needs_it(plan):
    scratch = [block for block in plan.memory.blocks if block.kind == "scratch"]
    assert scratch
    assert all(plan.memory.steps[step] == b.op for b in scratch for step in range(b.first, b.last + 1))
    most = max(scratch, key=lambda block: block.nbytes)
    assert plan.memory.scratch_bytes(most.op) >= align(most.nbytes)


def test_other_names_of_a_tensor_are_in_its_block():
    builder = ModelBuilder()
    x, y, flat, z = (builder.tensor(shape, scale=0.5) for shape in ((1, 4, 4, 2), (1, 4, 4, 2), (1, 32), (1, 32)))
    builder.op("RELU", [x], [y])
    builder.op("RESHAPE", [y], [flat])
    builder.op("RELU", [flat], [z])
    graph = parse_model(builder.finish(inputs=[x], outputs=[z]), name="names.tflite")
    memory = plan_for(graph, "aot", "qemu-cortex-m4", kernels="reference").memory
    assert memory.block_of(flat) is memory.block_of(y)
    assert [block.kind for block in memory.blocks] == ["input", "tensor", "output"]
    assert memory.steps == (0, 2), "a RESHAPE only renames"


def test_a_model_without_an_arena_has_an_empty_one():
    memory = plan_for(
        parse_model(small_model(), name="small.tflite"), "aot", "qemu-cortex-m4", kernels="reference"
    ).memory
    assert (memory.arena_bytes, memory.peak_step) == (0, None)
    assert {block.kind for block in memory.blocks} == {"input", "output"}
