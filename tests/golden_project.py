"""A tiny model through the real engines: the projects that tests/golden/ keeps."""

from dataclasses import replace

import numpy as np
from tflite_builder import ModelBuilder

from tinydeploy.boards import find_board
from tinydeploy.engines import ENGINES
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.model.reader import parse_model
from tinydeploy.project import FirmwareProject, render_project

BOARD = "qemu-cortex-m4"
NAME = "tiny.tflite"


def tiny_model() -> bytes:
    """Convolution, pooling, reshape, a fully connected layer and softmax on an image of 4 x 4 pixels."""
    builder = ModelBuilder()
    like = {"scale": 0.5, "zero_point": -3}
    image = builder.tensor((1, 4, 4, 1), name="image", **like)
    features = builder.tensor((1, 4, 4, 2), **like)
    pooled = builder.tensor((1, 2, 2, 2), **like)
    flat = builder.tensor((1, 8), **like)
    scores = builder.tensor((1, 3), scale=0.25, zero_point=1)
    classes = builder.tensor((1, 3), name="classes", scale=1 / 256, zero_point=-128)
    builder.op(
        "CONV_2D",
        [image, _weights(builder, (2, 3, 3, 1), scale=[0.01, 0.02]), _bias(builder, 2, scale=[0.005, 0.01])],
        [features],
        padding="SAME", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, fusedActivationFunction="RELU",
    )  # fmt: skip
    window = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    builder.op("MAX_POOL_2D", [features], [pooled], padding="VALID", **window)
    builder.op("RESHAPE", [pooled, builder.constant(np.array([1, 8], np.int32))], [flat])
    dense = [flat, _weights(builder, (3, 8), scale=0.01), _bias(builder, 3, scale=0.005)]
    builder.op("FULLY_CONNECTED", dense, [scores])
    builder.op("SOFTMAX", [scores], [classes], beta=1.0)
    return builder.finish(inputs=[image], outputs=[classes])


def golden_project(
    *, board: str = BOARD, engine: str = "aot", name: str = NAME, tflm_library: str | None = None
) -> FirmwareProject:
    """The model's firmware, with a SHA-256 of its own: the file's bytes depend on the version of flatbuffers."""
    graph = replace(parse_model(tiny_model(), name=name), sha256=bytes(range(0xA0, 0xC0)).hex())
    target = find_board(board)
    return render_project(
        code=ENGINES[engine].planner(graph, EngineSettings(tflm_library=tflm_library))(target).generate(),
        board=target,
        buffers=2,
        model_name=graph.name,
        model_sha256=graph.sha256,
        engine=engine,
    )


def _weights(builder: ModelBuilder, shape: tuple[int, ...], **quantization) -> int:
    values = np.resize(np.arange(-127, 128, 13), shape)
    return builder.constant(values.astype(np.int8), **quantization)


def _bias(builder: ModelBuilder, channels: int, **quantization) -> int:
    return builder.constant(np.arange(channels, dtype=np.int32) * 100 - 50, **quantization)
