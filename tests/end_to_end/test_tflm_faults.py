"""What goes wrong with TensorFlow Lite Micro on a board, and how it is told: with its sources, on a virtual board."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command_line import DIGITS, CommandLine, Finished, facts
from stateful_models import lstm_model, svdf_model
from tflite_builder import ModelBuilder

from tinydeploy import pipeline
from tinydeploy.deployment import Build, Deployment, Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.engines.interface import EngineSettings, Kernels

BOARD = "qemu-cortex-m4"
FLASH = ("--board", BOARD, "--engine", "tflm")


@dataclass(frozen=True)
class OnBoard:
    """Deploys with the library's sources, in the cache of all tests."""

    library: Path
    folder: Path

    def target(self, kernels: Kernels) -> Target:
        settings = EngineSettings(kernels=kernels, tflm_library=str(self.library))
        return Target(board=BOARD, engine="tflm", settings=settings)

    def flash(self, model: bytes, kernels: Kernels) -> Deployment:
        path = self.folder / "model.tflite"
        path.write_bytes(model)
        return pipeline.flash(path, self.target(kernels))

    def build(self, model: Path, kernels: Kernels = "optimized") -> Build:
        return pipeline.build(model, self.target(kernels))


@pytest.fixture
def tool(tmp_path, cache) -> CommandLine:
    """The first command builds the library."""
    return CommandLine(folder=tmp_path, cache=cache, timeout_s=1800)


@pytest.fixture
def on_board(tflm_library: Path, use_cache: Path, tmp_path) -> OnBoard:  # noqa: ARG001 - sets the environment
    return OnBoard(library=tflm_library, folder=tmp_path)


@pytest.fixture
def flash(tflm_library: Path, tool: CommandLine) -> Callable[..., Finished]:
    """``tinydeploy flash`` with the library's sources."""
    return lambda model, *options: tool("flash", model, *FLASH, "--tflm-lib", tflm_library, "--json", "-", *options)


def failure(finished: Finished, *, code: int) -> str:
    """The message of a command that fails with this exit code."""
    assert finished.code == code, finished.err
    return finished.err[finished.err.index("error: ") :]


def test_an_lstm_keeps_its_state_with_reference_kernels(on_board):
    assert on_board.flash(lstm_model(), "reference").comparison.exact


def test_cmsis_nns_lstm_that_forgets_its_state_is_found(on_board):
    comparison = on_board.flash(lstm_model(), "optimized").comparison
    assert not comparison.passed
    assert comparison.first_difference.sample > 0, "the first inference is right: there is no state to forget"


@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_an_svdf_keeps_its_state(kernels, on_board):
    assert on_board.flash(svdf_model(), kernels).comparison.exact


def test_a_second_model_does_not_build_the_library_again(on_board, tmp_path):
    on_board.build(DIGITS)
    other = tmp_path / "other.tflite"
    other.write_bytes(one_dense_layer())
    on_board.build(other)
    folder = on_board.build(DIGITS).folder
    objects = {path: path.stat().st_mtime_ns for path in (folder / ".pio" / "build").rglob("lib*/**/*.o")}
    assert len(objects) > 50
    other.write_bytes(one_dense_layer(seed=1))
    assert on_board.build(other).folder == folder
    assert {path: path.stat().st_mtime_ns for path in objects} == objects


def test_an_arena_made_too_small_by_hand_is_told_with_its_sizes(flash):
    message = failure(flash(DIGITS, "--arena-bytes", 1024), code=4)
    assert message.startswith("error: the arena of 1,024 B is too small for the model to start")
    assert "--arena-bytes" in facts(message)["try"]


def test_an_arena_made_larger_by_hand_works(flash):
    finished = flash(DIGITS, "--arena-bytes", 100_000)
    assert finished.code == 0, finished.err
    memory = json.loads(finished.out)["memory"]
    assert memory["arena_reserved_bytes"] == 100_000
    assert memory["arena_device_bytes"] == memory["arena_bytes"] < 100_000


@contextmanager
def board_with(image: bytes, built: Build, folder: Path) -> Iterator[str]:
    """The port of a virtual board that runs this image."""
    elf = folder / "altered.elf"
    elf.write_bytes(image)
    with run_virtual_board(built.plan.board, elf) as device:
        yield device.port


def test_a_model_that_was_altered_in_flash_is_found(on_board, tool, tflm_library, tmp_path):
    built = on_board.build(DIGITS)
    model, image = DIGITS.read_bytes(), built.image.elf.read_bytes()
    at = image.index(model) + len(model) // 2
    altered = image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]
    with board_with(altered, built, tmp_path) as port:
        message = failure(tool("verify", DIGITS, *FLASH, "--tflm-lib", tflm_library, "--port", port), code=9)
    assert message.startswith("error: the model in the device's flash is not the one that its firmware was built with")


def test_a_board_that_runs_another_build_is_told(on_board, tool, tflm_library, tmp_path):
    built = on_board.build(DIGITS, "reference")
    with board_with(built.image.elf.read_bytes(), built, tmp_path) as port:
        message = failure(tool("verify", DIGITS, *FLASH, "--tflm-lib", tflm_library, "--port", port), code=9)
    assert "firmware" in message


def test_a_library_of_unknown_sizes_is_settled_by_the_board_in_one_command(tflm_library, tool, tmp_path):
    """The sources, with the interpreter's own structure four bytes larger: everything is as if of another version."""
    library = tmp_path / "library"
    shutil.copytree(tflm_library, library)
    header = next(library.rglob("tensorflow/lite/micro/micro_allocator.h"))
    text = header.read_text(encoding="utf-8")
    assert "  TfLiteEvalTensor* tensors;" in text
    header.write_text(text.replace("  TfLiteEvalTensor* tensors;", "  TfLiteEvalTensor* tensors;\n  void* more[4];"))
    before = {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}

    command = ("flash", DIGITS, *FLASH, "--tflm-lib", library, "--kernels", "reference", "--json", "-")
    finished = tool(*command)
    assert finished.code == 0, finished.err
    assert "measure ..." in finished.err
    memory = json.loads(finished.out)["memory"]
    assert memory["arena_source"] == "measured"
    assert memory["arena_device_bytes"] == memory["arena_bytes"]
    assert memory["arena_reserved_bytes"] == memory["arena_smallest_bytes"]

    again = tool(*command)
    assert again.code == 0, again.err
    assert "measure ..." not in again.err, "tinydeploy.lock tells"
    memory_again = json.loads(again.out)["memory"]
    assert {**memory_again, "stack_bytes": 0} == {**memory, "stack_bytes": 0}, "interrupts differ, nothing else"
    assert {path: path.read_bytes() for path in library.rglob("*") if path.is_file()} == before


def test_without_a_library_all_ways_to_one_are_named_at_once(tool):
    message = failure(tool("flash", DIGITS, *FLASH, TINYDEPLOY_TFLM_LIB=""), code=5)
    assert message.startswith(f"error: there is no TensorFlow Lite Micro library for {BOARD}")
    for way in ("--tflm-lib", "TINYDEPLOY_TFLM_LIB", "config.toml", "create_tflm_tree.py", "--engine aot"):
        assert way in message


def one_dense_layer(seed: int = 0) -> bytes:
    random = np.random.default_rng(seed)
    builder = ModelBuilder()
    x, y = builder.tensor((1, 16), scale=0.5), builder.tensor((1, 4), scale=0.5)
    weights = builder.constant(random.integers(-127, 128, (4, 16)).astype(np.int8), scale=0.01)
    builder.op("FULLY_CONNECTED", [x, weights], [y])
    return builder.finish(inputs=[x], outputs=[y])
