"""Real models, built by PlatformIO, run by QEMU and asked over a pseudo-terminal."""

from dataclasses import dataclass

import numpy as np
import pytest
from command_line import DIGITS
from tflite_builder import ModelBuilder

from tinydeploy.bench import Latency, measure_latency
from tinydeploy.boards import load_boards
from tinydeploy.deployment import Deployment, Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.session import Session
from tinydeploy.pipeline import build
from tinydeploy.plan import Plan

M4 = "qemu-cortex-m4"
CORES = ("qemu-cortex-m3", M4, "qemu-cortex-m7", "qemu-cortex-m55")
ALL_BOARDS = tuple(board.id for board in load_boards() if board.is_virtual)
KIB = 1024


@dataclass(frozen=True)
class Limits:
    """What a model has to stay below on a Cortex-M4."""

    arena_bytes: int  # the live-set lower bound without in-place ops
    tflm_instructions: int  # of one inference in TFLM with its reference kernels, commit 90b983c2b


MODELS = {
    "kws": Limits(arena_bytes=16_000, tflm_instructions=43_038_739),
    "vww": Limits(arena_bytes=55_296, tflm_instructions=100_252_673),
    "resnet8": Limits(arena_bytes=49_152, tflm_instructions=107_400_858),
    "ad01": Limits(arena_bytes=768, tflm_instructions=1_952_479),
    "hello_world": Limits(arena_bytes=32, tflm_instructions=5_235),
    "micro_speech": Limits(arena_bytes=5_968, tflm_instructions=9_310_766),
}
FURTHER = (("hello_world", "microbit"), ("hello_world", "netduinoplus2"), ("kws", "netduinoplus2"))

each_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture
def on_m4(name, model_file, deploy) -> Deployment:
    """One of the models on a Cortex-M4."""
    return deploy(model_file(f"{name}_int8.tflite"), [M4])[M4]


def assert_runs_as_planned(deployment: Deployment) -> None:
    """Whatever the model and the board: the outputs, and that memory is taken as the plan said."""
    plan, image = deployment.plan, deployment.image
    assert image is not None
    assert deployment.ok
    assert deployment.comparison.exact
    assert deployment.comparison.oracle.startswith("TensorFlow Lite Micro")
    assert deployment.comparison.samples >= 32
    assert deployment.arena.used_bytes == plan.engine.arena_bytes
    assert 0 < deployment.stack_bytes < plan.board.stack_bytes
    assert plan.ram.used_bytes - KIB <= image.ram_bytes <= plan.ram.used_bytes
    assert plan.flash.used_bytes - 4 * KIB <= image.flash_bytes <= plan.flash.used_bytes


def describe(deployment: Deployment) -> str:
    """A row of figures, for a reader of ``pytest -s``."""
    plan, image = deployment.plan, deployment.image
    assert image is not None
    return (
        f"{plan.graph.name:<24} {plan.board.id:<16} {deployment.latency.per_inference:>12,} instructions, "
        f"stack {deployment.stack_bytes:>5,}, arena {plan.engine.arena_bytes:>7,}, "
        f"RAM {image.ram_bytes:>8,} of {plan.ram.used_bytes:>8,} planned, "
        f"flash {image.flash_bytes:>8,} of {plan.flash.used_bytes:>8,} planned, code {image.code_bytes:>6,}"
    )


@each_model
def test_a_model_is_bit_identical_on_every_core_and_takes_the_memory_that_was_planned(name, model_file, deploy):
    for deployment in deploy(model_file(f"{name}_int8.tflite"), CORES).values():
        print(describe(deployment))
        assert_runs_as_planned(deployment)


def test_the_example_is_bit_identical_on_every_board_and_as_accurate_as_the_reference(deploy):
    for deployment in deploy(DIGITS, ALL_BOARDS).values():
        print(describe(deployment))
        assert_runs_as_planned(deployment)
        accuracy = deployment.comparison.accuracy
        assert accuracy is not None
        assert (accuracy.samples, accuracy.device_correct, accuracy.reference_correct) == (100, 99, 99)


@pytest.mark.parametrize(("name", "board"), FURTHER, ids=["-".join(pair) for pair in FURTHER])
def test_a_model_that_fits_is_bit_identical_within_a_real_chips_limits(name, board, model_file, deploy):
    deployment = deploy(model_file(f"{name}_int8.tflite"), [board])[board]
    print(describe(deployment))
    assert_runs_as_planned(deployment)


@pytest.mark.parametrize("board", ["microbit", "qemu-cortex-m55"])
def test_a_deep_model_takes_the_memory_that_was_planned(board, tmp_path, deploy):
    """What every layer costs in RAM and flash counts when there are many."""
    path = tmp_path / "deep.tflite"
    path.write_bytes(deep_model(layers=200))
    deployment = deploy(path, [board])[board]
    print(describe(deployment))
    assert_runs_as_planned(deployment)


def deep_model(*, layers: int) -> bytes:
    """Fully connected layers and additions in turn, all of the same small size."""
    random = np.random.default_rng(0)
    builder = ModelBuilder()
    x = before = builder.tensor((1, 4), scale=0.5)
    for layer in range(layers):
        after = builder.tensor((1, 4), scale=0.5)
        if layer % 2:
            builder.op("ADD", [before, x], [after])
        else:
            weights = builder.constant(random.integers(-127, 128, (4, 4)).astype(np.int8), scale=0.01)
            builder.op("FULLY_CONNECTED", [before, weights], [after])
        before = after
    return builder.finish(inputs=[x], outputs=[before])


@each_model
def test_a_model_takes_fewer_instructions_than_in_tflm_with_reference_kernels(name, on_m4):
    assert on_m4.latency.unit == "instructions"
    assert 0 < on_m4.latency.per_inference < MODELS[name].tflm_instructions


@each_model
def test_the_layers_instructions_sum_to_those_of_the_inference(on_m4):
    assert len(on_m4.latency.layers) == len(on_m4.plan.graph.ops)
    assert sum(on_m4.latency.layers) == pytest.approx(on_m4.latency.per_inference, rel=0.02)


@each_model
def test_the_arena_is_no_larger_than_what_has_to_live_at_once(name, on_m4):
    assert on_m4.plan.engine.arena_bytes <= MODELS[name].arena_bytes


@pytest.mark.parametrize("name", ["kws"])
def test_the_code_of_kws_is_small(on_m4):
    assert on_m4.image is not None
    assert on_m4.image.code_bytes <= 16_000


@pytest.mark.usefixtures("use_cache")
@each_model
def test_three_starts_of_a_board_count_the_same_instructions(name, model_file):
    built = build(model_file(f"{name}_int8.tflite"), Target(board=M4))
    first, second, third = (count_instructions(built.plan, built.image.elf) for _ in range(3))
    assert first == second == third


def count_instructions(plan: Plan, elf) -> Latency:
    with run_virtual_board(plan.board, elf) as device, Session.open(SerialPort(device.port)) as session:
        return measure_latency(session, plan.board, bytes(session.hello.input_bytes))
