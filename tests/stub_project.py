"""Firmware projects without an engine: what tests of boards, ports and building are about is not the model."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from tinydeploy.boards import Board
from tinydeploy.engines.interface import ModelCode
from tinydeploy.files import tree_digest
from tinydeploy.project import FirmwareProject, render_project

MODEL_C = PurePosixPath("src/model.c")

COPY_MODEL = b"""\
/* A model that copies its input. */
#include <string.h>

#include "td_model.h"

static const uint8_t weights[1000] = {1};

static int init(void)
{
    return weights[0] - 1;
}

static int invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer)
{
    memcpy(outputs, inputs, 16);
    if (after_layer) {
        after_layer(0);
    }
    return weights[outputs[0] % sizeof weights] - weights[0];
}

static const struct td_tensor tensor = {
    .name = "copied", .dtype = TD_INT8, .rank = 2, .shape = {1, 16}, .scale = 1.0f, .bytes = 16};

static const struct td_arena arena_size = {.used = 16, .reserved = 16};
static const uint8_t sha256[TD_SHA256_BYTES];

const struct td_model td_model = {
    .engine = TD_ENGINE_AOT, .sha256 = sha256, .arena = &arena_size, .layers = 1, .inputs = 1, .outputs = 1,
    .input = &tensor, .output = &tensor, .init = init, .invoke = invoke};
"""


def stub_code(source: bytes = COPY_MODEL, *, kernels: tuple[str, ...] = ()) -> ModelCode:
    return ModelCode(
        files={MODEL_C: source}, kernels=kernels, input_bytes=16, output_bytes=16, arena_bytes=16, layers=1
    )


def stub_project(board: Board, source: bytes = COPY_MODEL, **kwargs) -> FirmwareProject:
    """The complete firmware with a model that copies its input."""
    return render_project(
        code=stub_code(source, **kwargs),
        board=board,
        buffers=2,
        model_name="copy.tflite",
        model_sha256="00" * 32,
        engine="aot",
    )


def echo_project(board: Board) -> FirmwareProject:
    """The board's port and tests/echo_firmware.c, without link, runner and model."""
    project = stub_project(board)
    own = PurePosixPath("firmware/src")
    files = {path: data for path, data in project.files.items() if path.parent != own and path != MODEL_C}
    files[PurePosixPath("src/echo.c")] = (Path(__file__).parent / "echo_firmware.c").read_bytes()
    return replace(project, files=files, build_id=tree_digest(files)[:8])
