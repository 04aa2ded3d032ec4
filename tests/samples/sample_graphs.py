"""Graphs with the inputs that a test of samples wants, and what its files are refused with."""

from pathlib import Path

import pytest
from tflite_builder import ModelBuilder

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model
from tinydeploy.samples import load_samples


def graph_of(*shapes, dtype="FLOAT32", scale=None, zero_point=0, classes=3) -> Graph:
    """Inputs of the given shapes, named a, b..., and an output of so many classes."""
    builder = ModelBuilder()
    quantised = {} if scale is None else {"scale": scale, "zero_point": zero_point}
    inputs = [builder.tensor(shape, dtype, name=name, **quantised) for name, shape in zip("abc", shapes, strict=False)]
    y = builder.tensor((1, classes), scale=1.0)
    builder.op("SOME_OP", inputs, [y])
    return parse_model(builder.finish(inputs=inputs, outputs=[y]), name="m.tflite")


def single_output(dtype: str, scale: float | None = None) -> Graph:
    """An input a of 2 floats, and an output of one value."""
    builder = ModelBuilder()
    a, y = builder.tensor((1, 2), "FLOAT32", name="a"), builder.tensor((1,), dtype, scale=scale)
    builder.op("SOME_OP", [a], [y])
    return parse_model(builder.finish(inputs=[a], outputs=[y]), name="m.tflite")


def int8_graph(*shapes, scale=0.5, zero_point=0, classes=3) -> Graph:
    return graph_of(*shapes, dtype="INT8", scale=scale, zero_point=zero_point, classes=classes)


def refused(path: Path, graph: Graph, **options) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_samples(path, graph, **options)
    assert caught.value.exit_code == 2
    return caught.value
