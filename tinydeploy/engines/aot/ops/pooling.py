"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from typing import cast

from tinydeploy.engines.aot.fixed_point import activation_range
from tinydeploy.engines.aot.operator import Operator, one_call, tensor_at
from tinydeploy.engines.aot.ops.convolution import padding_before
from tinydeploy.engines.aot.ops.tensors import ACTIVATION_FITS, ONE_IMAGE, SAME_QUANTIZATION, dimensions_fit
from tinydeploy.engines.aot.program import Layer, Parameter
from tinydeploy.engines.constraint import QUANTIZED_PER_TENSOR, input_is, output_is
from tinydeploy.model.graph import DType, Graph, Op, PoolOptions

_KERNELS = {"AVERAGE_POOL_2D": "average_pool_2d", "MAX_POOL_2D": "max_pool_2d"}


def lower_pool(graph: Graph, op: Op) -> Layer:
    """One call of ``td_average_pool_2d`` or ``td_max_pool_2d``."""
    output = graph.output_of(op)
    options = cast("PoolOptions", op.options)
    _, height, width, channels = tensor_at(graph, op, 0).shape
    _, output_height, output_width, _ = output.shape
    low, high = activation_range(options.activation, output)
    parameters: dict[str, Parameter] = {
        "input_height": height,
        "input_width": width,
        "channels": channels,
        "output_height": output_height,
        "output_width": output_width,
        "filter_height": options.filter_h,
        "filter_width": options.filter_w,
        "stride_height": options.stride_h,
        "stride_width": options.stride_w,
        "pad_top": padding_before(options.padding, height, output_height, options.stride_h, options.filter_h),
        "pad_left": padding_before(options.padding, width, output_width, options.stride_w, options.filter_w),
        "min": low,
        "max": high,
    }
    return one_call(op, _KERNELS[op.kind], {"window": parameters})


_CONSTRAINTS = (
    input_is(0, "input", DType.INT8),
    output_is(DType.INT8),
    QUANTIZED_PER_TENSOR,
    SAME_QUANTIZATION,
    ACTIVATION_FITS,
    ONE_IMAGE,
    dimensions_fit(),
)

OPERATORS = tuple(Operator(kind=kind, constraints=_CONSTRAINTS, lower=lower_pool) for kind in _KERNELS)
