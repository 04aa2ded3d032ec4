"""What lowering asks of tensors, and conditions that several families of ops share."""

from tinydeploy.engines.aot.fixed_point import INT32_MAX, Multiplier, quantize_multiplier
from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.program import Parameter
from tinydeploy.engines.constraint import Constraint
from tinydeploy.model.graph import Activation, Graph, Op, Quantization, Tensor

MAX_FACTOR = 2.0**14
"""Keeps 16-bit values, and products of two 8-bit ones, in 32 bits when they are scaled; TFLM overflows there."""


def quantization_of(tensor: Tensor) -> Quantization:
    """The quantisation of a tensor that is known to have one."""
    assert tensor.quantization is not None, "the reader refuses 8- and 16-bit tensors without quantisation"
    return tensor.quantization


def integers(tensor: Tensor) -> tuple[int, ...]:
    """The values of a constant integer tensor, flat."""
    assert tensor.data is not None, "the op's constraints ask for a constant"
    return tuple(int(value) for value in tensor.data.reshape(-1))


def rescaling(source: Tensor, output: Tensor) -> Multiplier:
    """From the one's scale to the other's.

    In double precision, like all factors here: so it is in the tflite-micro of October 2026 (commit 8f6596d). That of
    August (90b983c2b) divided in single precision for SUB, RELU, LEAKY_RELU and HARD_SWISH.
    """
    return quantize_multiplier(quantization_of(source).scale / quantization_of(output).scale)


def multiplier_fields(factor: Multiplier) -> dict[str, Parameter]:
    """The fields of ``struct td_multiplier``."""
    return {"mantissa": factor.mantissa, "shift": factor.shift}


def _scale_ratio_is_bounded(graph: Graph, op: Op) -> bool:
    source, output = quantization_of(tensor_at(graph, op, 0)), quantization_of(graph.output_of(op))
    return source.scale / output.scale < MAX_FACTOR


def _has_output_quantization(graph: Graph, op: Op) -> bool:
    source, output = quantization_of(tensor_at(graph, op, 0)), quantization_of(graph.output_of(op))
    return abs(source.scale - output.scale) <= 1e-6 and source.zero_point == output.zero_point


def _activation_fits(graph: Graph, op: Op) -> bool:
    activation = getattr(op.options, "activation", Activation.NONE)
    bound = {Activation.RELU6: 6.0, Activation.RELU_N1_TO_1: 1.0}.get(activation, 0.0)
    return bound / quantization_of(graph.output_of(op)).scale < INT32_MAX


SCALE_RATIO_IS_BOUNDED = Constraint(
    sentence="the input's scale is less than 2**14 times the output's", holds=_scale_ratio_is_bounded
)
SAME_QUANTIZATION = Constraint(
    sentence="input and output are quantised alike (scales within 1e-6)", holds=_has_output_quantization
)
ACTIVATION_FITS = Constraint(
    sentence="the bounds of the fused activation are 32-bit numbers in the output's quantisation",
    holds=_activation_fits,
)


def _is_one_image(graph: Graph, op: Op) -> bool:
    return tensor_at(graph, op, 0).shape[0] == 1


ONE_IMAGE = Constraint(sentence="the input is a single image (batch size 1)", holds=_is_one_image)
"""Inputs of the model have no more; a RESHAPE can make more of one."""


def dimensions_fit(positions: tuple[int, ...] = (0,)) -> Constraint:
    """The dimensions of inputs and outputs are 16-bit numbers."""

    def holds(graph: Graph, op: Op) -> bool:
        tensors = [*(tensor_at(graph, op, position) for position in positions), graph.output_of(op)]
        return all(size < 2**16 for tensor in tensors for size in tensor.shape)

    return Constraint(sentence="no dimension is larger than 65,535", holds=holds)
