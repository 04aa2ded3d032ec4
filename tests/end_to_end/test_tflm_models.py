"""Real models with TensorFlow Lite Micro's own sources, on virtual boards: outputs, arena, instructions.

These tests need the sources (TINYDEPLOY_TFLM_LIB) of commit 90b983c2b: the figures are of that version.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tinydeploy import pipeline
from tinydeploy.deployment import Deployment, Target
from tinydeploy.engines.interface import EngineSettings

M4, M7, M55 = "qemu-cortex-m4", "qemu-cortex-m7", "qemu-cortex-m55"

# arena_used_bytes() on a Cortex-M4, measured: with reference kernels, with CMSIS-NN.
ARENA_USED = {
    "kws": (22_772, 22_820),
    "vww": (100_660, 100_708),
    "resnet8": (54_340, 54_996),
    "ad01": (2_260, 2_580),
    "hello_world": (676, 772),
    "micro_speech": (6_788, 6_836),
}
KERNELS = ("reference", "optimized")
TARGETS = [(M4, "reference"), (M4, "optimized"), (M7, "reference"), (M7, "optimized"), (M55, "optimized")]

Run = Callable[[str, str, str], Deployment]


@pytest.fixture(scope="module")
def run(tflm_library: Path, cache: Path, model_file) -> Run:
    """Deploys each model to each board with each choice of kernels once, looking for the smallest arena."""
    known: dict[tuple[str, str, str], Deployment] = {}

    def deploy(name: str, board: str, kernels: str, *, probe: bool = False) -> Deployment:
        key = (name, board, kernels, probe)
        if key not in known:
            settings = EngineSettings(kernels=kernels, tflm_library=str(tflm_library), probe_arena=probe)
            target = Target(board=board, engine="tflm", settings=settings)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TINYDEPLOY_CACHE_DIR", str(cache))
                known[key] = pipeline.flash(model_file(f"{name}_int8.tflite"), target)
        return known[key]

    return deploy


@pytest.mark.parametrize(("board", "kernels"), TARGETS)
@pytest.mark.parametrize("name", ARENA_USED)
def test_a_model_is_bit_identical_and_its_arena_exactly_as_planned(name, board, kernels, run):
    deployment = run(name, board, kernels)
    plan, image = deployment.plan, deployment.image
    print(
        f"{name:<12} {board:<16} {kernels:<9} {deployment.latency.per_inference:>12,} instructions, "
        f"arena {deployment.arena.used_bytes:>7,} of {deployment.arena.reserved_bytes:>7,}, "
        f"stack {deployment.stack_bytes:>5,}, RAM {image.ram_bytes:>8,}, flash {image.flash_bytes:>8,}, "
        f"code {image.code_bytes:>7,} ({plan.engine.code_bytes:,} planned)"
    )
    assert deployment.comparison.exact
    assert plan.ram.used_bytes == pytest.approx(image.ram_bytes, rel=0.02)
    assert plan.flash.used_bytes == pytest.approx(image.flash_bytes, rel=0.02)
    assert plan.engine.arena_estimated is None
    assert deployment.arena.used_bytes == plan.engine.arena_bytes
    assert deployment.arena.reserved_bytes == plan.engine.arena_reserved_bytes
    assert sum(deployment.latency.layers) == pytest.approx(deployment.latency.per_inference, rel=0.05, abs=500)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ARENA_USED)
def test_the_arena_of_a_known_library_is_what_was_measured(name, kernels, run):
    used = ARENA_USED[name][KERNELS.index(kernels)]
    assert run(name, M4, kernels).arena.used_bytes == used


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ARENA_USED)
def test_the_board_finds_that_no_smaller_arena_works_than_the_one_planned(name, kernels, run):
    planned = run(name, M4, kernels).plan.engine.arena_reserved_bytes
    assert run(name, M4, kernels, probe=True).arena.smallest_bytes == planned
