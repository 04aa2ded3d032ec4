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
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.link.session import Session
from tinydeploy.pipeline import build
from tinydeploy.plan import Plan

M4 = "qemu-cortex-m4"
CORES = ("qemu-cortex-m3", M4, "qemu-cortex-m7", "qemu-cortex-m55")
ALL_BOARDS = tuple(board.id for board in load_boards() if board.is_virtual)
KIB = 1024


@dataclass(frozen=True)
class Limits:
    """What a model has to stay below, in instructions of one inference and in bytes."""

    m4: int
    m55: int
    """0.6 times what TFLM with CMSIS-NN takes, commit 90b983c2b, where that was measured."""
    m3: int
    """0.6 times what this engine takes with its reference kernels."""
    ram: int
    """Arena and stack on a Cortex-M4."""


MODELS = {
    "kws": Limits(m4=2_900_000, m55=1_071_726, m3=11_651_554, ram=14 * KIB),
    "vww": Limits(m4=5_000_000, m55=3_859_853, m3=30_960_717, ram=45 * KIB),
    "resnet8": Limits(m4=11_500_000, m55=2_886_492, m3=32_551_916, ram=37 * KIB),
    "ad01": Limits(m4=280_000, m55=89_937, m3=773_817, ram=2 * KIB),
    "hello_world": Limits(m4=1_000, m55=1_000, m3=2_034, ram=512),
    "micro_speech": Limits(m4=600_000, m55=600_000, m3=1_698_892, ram=6 * KIB),
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
    assert plan.ram.used_bytes == pytest.approx(image.ram_bytes, rel=0.02)
    assert plan.flash.used_bytes == pytest.approx(image.flash_bytes, rel=0.02)


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
@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_a_model_takes_no_more_instructions_than_it_may(name, core, model_file, deploy):
    board = f"qemu-cortex-{core}"
    latency = deploy(model_file(f"{name}_int8.tflite"), [board])[board].latency
    assert latency.unit == "instructions"
    assert 0 < latency.per_inference <= getattr(MODELS[name], core)


@pytest.mark.usefixtures("use_cache")
def test_resnet8_is_faster_still_with_large_constants(model_file):
    target = Target(board=M4, settings=EngineSettings(optimize="speed"))
    built = build(model_file("resnet8_int8.tflite"), target)
    assert 0 < count_instructions(built.plan, built.image.elf).per_inference <= 8_500_000


@each_model
def test_the_layers_instructions_sum_to_those_of_the_inference(on_m4):
    assert len(on_m4.latency.layers) == len(on_m4.plan.graph.ops)
    # Beside the layers there is a call of each of them and of the hook that tells them apart.
    beside = 20 * len(on_m4.latency.layers)
    assert sum(on_m4.latency.layers) == pytest.approx(on_m4.latency.per_inference, rel=0.02, abs=beside)


@each_model
def test_arena_and_stack_are_small(name, on_m4):
    assert on_m4.plan.engine.arena_bytes + on_m4.stack_bytes <= MODELS[name].ram


@each_model
def test_the_code_is_small(on_m4):
    assert on_m4.image is not None
    assert on_m4.image.code_bytes <= 16_000


@each_model
def test_constants_take_a_byte_a_weight_and_little_a_channel(name, on_m4):
    graph = on_m4.plan.graph
    weighted = [op for op in graph.ops if op.kind in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}]
    weights = sum(graph.tensors[op.inputs[1]].elements for op in weighted)
    channels = sum(graph.output_of(op).shape[-1] for op in weighted)
    softmax = 1024 if name == "micro_speech" else 0  # its table of exponentials is as large as any model's
    assert on_m4.plan.engine.constant_bytes <= weights + 16 * channels + softmax


@pytest.mark.usefixtures("use_cache")
@each_model
def test_three_starts_of_a_board_count_the_same_instructions(name, model_file):
    built = build(model_file(f"{name}_int8.tflite"), Target(board=M4))
    first, second, third = (count_instructions(built.plan, built.image.elf) for _ in range(3))
    assert first == second == third


def count_instructions(plan: Plan, elf) -> Latency:
    with run_virtual_board(plan.board, elf) as device, Session.open(SerialPort(device.port)) as session:
        return measure_latency(session, plan.board, bytes(session.hello.input_bytes))
