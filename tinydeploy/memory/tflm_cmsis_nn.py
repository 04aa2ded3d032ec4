"""TensorFlow Lite Micro 90b983c2b with CMSIS-NN's kernels: what differs from the reference ones.

The files are those below tensorflow/lite/micro/kernels/cmsis_nn; see `tinydeploy.memory.tflm_rules` for the style.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from tinydeploy.memory import tflm_cmsis_scratch as buffers
from tinydeploy.memory import tflm_rules as rules
from tinydeploy.memory.tflm_cmsis_scratch import Instructions, Window
from tinydeploy.memory.tflm_reference import CORE, KERNELS, VERSION
from tinydeploy.memory.tflm_sizes import Call, Kernel, Prepare, Request, TflmSizes, persistent, scratch
from tinydeploy.model.graph import DType, Tensor


class OptimizedFor(enum.Enum):
    """Which of KERNELS_OPTIMIZED_FOR_SPEED and KERNELS_OPTIMIZED_FOR_SIZE the library is compiled with.

    It matters for MVE only: where the sums of weights are kept. Upstream's Makefile defines SPEED; with neither, SVDF
    refuses to be prepared on MVE.
    """

    SPEED = "speed"
    SIZE = "size"
    NEITHER = "neither"


@cache
def cmsis_nn(instructions: Instructions, optimized_for: OptimizedFor = OptimizedFor.SPEED) -> TflmSizes:
    """The table for CMSIS-NN as compiled for an instruction set."""
    rule = _Rules(instructions, optimized_for)
    table = {
        **KERNELS,
        "ADD": _own("ADD", "add.cc", "OpData", 60, KERNELS["ADD"].prepare),
        "AVERAGE_POOL_2D": _own("AVERAGE_POOL_2D", "pooling.cc", "OpData", 36, rule.average_pool),
        "BATCH_MATMUL": _own("BATCH_MATMUL", "batch_matmul.cc", "OpData", 36, rule.batch_matmul),
        "CONV_2D": _own("CONV_2D", "conv.cc", "OpData", 60, rule.conv),
        "DEPTHWISE_CONV_2D": replace(
            _own("DEPTHWISE_CONV_2D", "depthwise_conv.cc", "OpData", 60, rule.depthwise_conv),
            unsure=rule.depthwise_doubt,
        ),
        "FULLY_CONNECTED": _own("FULLY_CONNECTED", "fully_connected.cc", "OpData", 72, rule.fully_connected),
        "MAX_POOL_2D": _own("MAX_POOL_2D", "pooling.cc", "OpData", 36, "i0 o0"),
        "SOFTMAX": _own("SOFTMAX", "softmax.cc", "CMSISNNSoftmaxParams", 64, rules.softmax),
        "SVDF": replace(
            _own("SVDF", "svdf.cc", "CmsisNnOpDataSvdf", 44 if optimized_for is OptimizedFor.SIZE else 40, rule.svdf),
            unsure=rule.svdf_doubt,
        ),
        "TRANSPOSE_CONV": _own("TRANSPOSE_CONV", "transpose_conv.cc", "OpData", 76, rule.transpose_conv),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _own(
            "UNIDIRECTIONAL_SEQUENCE_LSTM", "unidirectional_sequence_lstm.cc", "OpData", 912, rule.lstm
        ),
    }
    return TflmSizes(version=VERSION, kernels="cmsis_nn", core=CORE, table=table)


def _own(kind: str, source: str, data_type: str, data: int, prepare: Prepare | str) -> Kernel:
    """The row of a kernel that replaces the reference one; the op's parameters stay."""
    return replace(KERNELS[kind], source=f"cmsis_nn/{source}", data_type=data_type, data=data, prepare=prepare)


@dataclass(frozen=True)
class _Rules:
    """The Prepare functions, for one way to compile them."""

    instructions: Instructions
    optimized_for: OptimizedFor

    def average_pool(self, call: Call) -> Iterator[Request]:
        """PoolingPrepare looks at both tensors, AveragePrepare looks again."""
        yield from call.tensors("i0 o0 i0 o0")
        if rules.is_integer(call.input(0)):
            yield from _wanted(buffers.average_pool(call.input(0).shape[3], self.instructions))

    def batch_matmul(self, call: Call) -> Iterator[Request]:
        yield from call.tensors("i0 i1 o0")
        yield from rules.transposed_operands(call)
        yield from rules.writable_shape(call)
        if rules.is_integer(call.input(0)):
            yield persistent(rules.BATCH_MATMUL_QUANTIZATION)
        if call.input(0).dtype is DType.INT8:
            yield from _wanted(buffers.kernel_sums(call.output().shape[-1], self.instructions))

    def conv(self, call: Call) -> Iterator[Request]:
        """The bias is looked up among the outputs, where it is not."""
        yield from call.tensors("i0 i1 o0")
        if rules.is_integer(call.input(0)):
            yield from rules.per_channel(call.input(1).shape[0])
        yield from call.tensors("i0 i1 i2 o0")
        if call.input(0).dtype is DType.INT8:
            yield from _wanted(buffers.convolve_s8(_window(call), self.instructions))
        elif call.input(0).dtype is DType.INT16:
            yield from _wanted(buffers.convolve_s16(_window(call), self.instructions))

    def depthwise_conv(self, call: Call) -> Iterator[Request]:
        yield from call.tensors("i0 i1 o0")
        if rules.is_integer(call.input(0)):
            yield from rules.per_channel(call.input(1).shape[3])
        yield from call.tensors("i0 i1 i2 o0")
        if call.input(0).dtype is DType.INT8:
            yield from _wanted(buffers.depthwise_s8(_window(call), self.instructions))

    def depthwise_doubt(self, call: Call) -> str:
        """Upstream leaves the stride that decides it uninitialised."""
        window = _window(call)
        if self.instructions is Instructions.MVE and buffers.becomes_convolution(window) and window.is_one_row:
            return "its working memory depends on an uninitialised variable in CMSIS-NN's kernel"
        return ""

    def fully_connected(self, call: Call) -> Iterator[Request]:
        """Int8 with more than two output dimensions may run as a 1x1 convolution, which wants scales per channel."""
        yield from rules.fully_connected(call)
        if call.input(0).dtype is not DType.INT8:
            return
        units, depth = call.output().shape[-1], call.input(1).shape[-1]
        if len(call.output().shape) > 2 and depth % 4 == 0:
            if call.scales(1) <= 1:
                yield scratch(2 * 4 * units)
        else:
            is_constant = _is_constant(call, 1) and (not call.has_input(2) or _is_constant(call, 2))
            yield from self._kernel_sums(units, may_be_kept=is_constant)

    def svdf(self, call: Call) -> Iterator[Request]:
        yield from rules.svdf(call)
        if call.input(0).dtype is DType.INT8:
            yield from self._kernel_sums(call.input(1).shape[0], may_be_kept=True)

    def svdf_doubt(self, call: Call) -> str:
        """An #error at run time."""
        refused = self.instructions is Instructions.MVE and self.optimized_for is OptimizedFor.NEITHER
        if refused and call.input(0).dtype is DType.INT8:
            return "its kernel wants KERNELS_OPTIMIZED_FOR_SPEED or KERNELS_OPTIMIZED_FOR_SIZE to be defined"
        return ""

    def transpose_conv(self, call: Call) -> Iterator[Request]:
        yield from call.tensors("o0 i2 i1")
        yield from rules.per_channel(call.input(1).shape[0])
        if call.input(2).dtype is DType.INT8:
            for nbytes in buffers.transpose_convolve_s8(_transposed_window(call), self.instructions):
                yield scratch(nbytes)
        elif call.input(2).dtype is DType.INT16:
            yield scratch(8 * call.output().elements)
        yield from rules.transpose_conv_quantization(call)

    def lstm(self, call: Call) -> Iterator[Request]:
        """The quantised kernels keep a sum of the weights for each unit, in the type of the biases."""
        yield from rules.lstm_gates(call)
        activations = call.input(0)
        if rules.is_integer(activations):
            units = call.input(5).shape[0]
            for _ in range(8):
                yield persistent((4 if activations.dtype is DType.INT8 else 8) * units)
        yield from rules.lstm_buffers(call, 3 if rules.is_integer(activations) else 4)

    def _kernel_sums(self, rows: int, *, may_be_kept: bool) -> Iterator[Request]:
        nbytes = buffers.kernel_sums(rows, self.instructions)
        if nbytes and may_be_kept and self.optimized_for is OptimizedFor.SPEED:
            yield persistent(nbytes)
        else:
            yield from _wanted(nbytes)


def _wanted(nbytes: int) -> Iterator[Request]:
    """Kernels that need no working memory do not ask for it."""
    if nbytes > 0:
        yield scratch(nbytes)


def _is_constant(call: Call, position: int) -> bool:
    return call.input(position).is_constant


def _window(call: Call) -> Window:
    source, weights, output = call.input(0), call.input(1), call.output()
    plain = _undilated(call, source)
    dilation_h, dilation_w = call.option("DilationHFactor"), call.option("DilationWFactor")
    return replace(
        plain,
        dilation_h=dilation_h,
        dilation_w=dilation_w,
        pad_h=_padding(source, weights, output, 1, plain.stride_h, dilation_h),
        pad_w=_padding(source, weights, output, 2, plain.stride_w, dilation_w),
    )


def _padding(source: Tensor, weights: Tensor, output: Tensor, axis: int, stride: int, dilation: int) -> int:
    """What is added before a dimension (kernels/padding.h, ComputePaddingWithOffset)."""
    reach = (weights.shape[axis] - 1) * dilation + 1
    return max(0, (output.shape[axis] - 1) * stride + reach - source.shape[axis]) // 2


def _transposed_window(call: Call) -> Window:
    return _undilated(call, call.input(2))


def _undilated(call: Call, source: Tensor) -> Window:
    """A convolution of ``source`` without dilation and padding."""
    weights, output = call.input(1), call.output()
    return Window(
        batch=source.shape[0],
        in_h=source.shape[1],
        in_w=source.shape[2],
        in_c=source.shape[3],
        filter_h=weights.shape[1],
        filter_w=weights.shape[2],
        filter_c=weights.shape[3],
        out_w=output.shape[2],
        out_c=output.shape[3],
        stride_h=call.option("StrideH"),
        stride_w=call.option("StrideW"),
        dilation_h=1,
        dilation_w=1,
        pad_h=0,
        pad_w=0,
    )
