"""RESIZE_NEAREST_NEIGHBOR."""

import math
from typing import cast

import numpy as np

from tinydeploy.engines.aot.fixed_point import round_half_away
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.tensors import ONE_IMAGE, dimensions_fit
from tinydeploy.engines.aot.program import Array, Layer, Parameter
from tinydeploy.engines.constraint import input_is, input_is_constant, output_is
from tinydeploy.model.graph import DType, Graph, Op, ResizeNearestNeighborOptions


def lower_resize_nearest_neighbor(graph: Graph, op: Op) -> Layer:
    """One call of ``td_resize_nearest_neighbor``."""
    _, height, width, channels = tensor_at(graph, op, 0).shape
    _, output_height, output_width, _ = graph.output_of(op).shape
    options = cast("ResizeNearestNeighborOptions", op.options)
    parameters: dict[str, Parameter] = {
        "input_width": width,
        "channels": channels,
        "output_height": output_height,
        "output_width": output_width,
        "rows": Array(values=_neighbors(height, output_height, options)),
        "columns": Array(values=_neighbors(width, output_width, options)),
    }
    return one_call(op, "resize_nearest_neighbor", parameters)


def _neighbors(size: int, output_size: int, options: ResizeNearestNeighborOptions) -> np.typing.NDArray[np.uint16]:
    """The input index for each output index: GetNearestNeighbor in reference/resize_nearest_neighbor.h, in float32."""
    if options.align_corners and output_size > 1:
        scale = np.float32(size - 1) / np.float32(output_size - 1)
    else:
        scale = np.float32(size) / np.float32(output_size)
    offset = np.float32(0.5 if options.half_pixel_centers else 0)
    rounded = round_half_away if options.align_corners else math.floor
    exact = (float((np.float32(index) + offset) * scale) for index in range(output_size))
    return np.array([min(rounded(position), size - 1) for position in exact], np.uint16)


OPERATORS = (
    Operator(
        kind="RESIZE_NEAREST_NEIGHBOR",
        constraints=(
            input_is(0, "input", DType.INT8),
            input_is_constant(1, "size"),
            output_is(DType.INT8),
            ONE_IMAGE,
            dimensions_fit(),
        ),
        lower=lower_resize_nearest_neighbor,
    ),
)
