"""What the Prepare functions of TensorFlow Lite Micro's reference kernels ask for, where it takes more than a row.

Each rule is named after the file below tensorflow/lite/micro/kernels that it restates (upstream 90b983c2b), call by
call and in its order: the order decides how small an arena may be. Kernels read 4-bit weights and compressed tensors
too; neither gets past the reader of models here.
"""

from collections.abc import Iterator

from tinydeploy.memory.tflm_sizes import Call, Request, persistent, scratch
from tinydeploy.model.graph import DType, Tensor

_INT16_TABLE = 2 * 513  # kernels/internal/common.h, LUTSize<int16_t>() entries
_LSTM_HIDDEN_STATE, _LSTM_CELL_STATE = 18, 19  # micro/kernels/lstm_shared.h
# The weights of the gates by their positions: lstm_eval_common.cc, PrepareGateParametersInteger.
_LSTM_GATES = ((2, 6), (1, 5), (3, 7), (4, 8))


def is_integer(tensor: Tensor) -> bool:
    """Whether a quantised kernel is chosen for the tensor."""
    return tensor.dtype in {DType.INT8, DType.INT16}


def writable_shape(call: Call) -> Iterator[Request]:
    """kernel_util.cc, CreateWritableTensorDimsWithCopy of the output."""
    yield persistent(call.core.int_array(len(call.output().shape)))


def per_channel(channels: int) -> Iterator[Request]:
    """An int32 multiplier and an int32 shift for each channel."""
    yield persistent(4 * channels)
    yield persistent(4 * channels)


def add_n(call: Call) -> Iterator[Request]:
    """One pointer for each input; the op's data is made here, for int8 only."""
    yield from call.tensors("i0 o0")
    for position in range(1, len(call.op.inputs)):
        yield from call.tensors(f"i{position}")
    if call.output().dtype is DType.INT8:
        yield persistent(40)  # OpData
    yield scratch(call.core.pointer * len(call.op.inputs))


def transposed(call: Call, position: int) -> Iterator[Request]:
    """A copy of an input with its last two dimensions swapped."""
    tensor = call.input(position)
    yield persistent(call.core.eval_tensor)
    yield persistent(call.core.int_array(len(tensor.shape)))
    yield persistent(tensor.nbytes)


def transposed_operands(call: Call) -> Iterator[Request]:
    """batch_matmul.cc: the right side is wanted transposed, the left side is not."""
    if call.option("AdjX"):
        yield from transposed(call, 0)
    if not call.option("AdjY"):
        yield from transposed(call, 1)


BATCH_MATMUL_QUANTIZATION = 28
"""batch_matmul.h, OpDataBatchMatmul::quantization."""


def batch_matmul(call: Call) -> Iterator[Request]:
    """The output's shape is written last, by batch_matmul_common.cc."""
    yield from call.tensors("i0 i1 o0")
    if is_integer(call.input(0)):
        yield persistent(BATCH_MATMUL_QUANTIZATION)
    yield from transposed_operands(call)
    yield from writable_shape(call)


def conv(call: Call) -> Iterator[Request]:
    """conv_common.cc; channels are the first dimension of the weights."""
    yield from call.tensors("o0 i0 i1")
    yield from per_channel(call.input(1).shape[0])
    yield from call.tensors("i0 i1 i2 o0")


def depthwise_conv(call: Call) -> Iterator[Request]:
    """depthwise_conv_common.cc; channels are the last dimension of the weights."""
    yield from call.tensors("o0 i0 i1")
    yield from per_channel(call.input(1).shape[3])
    yield from call.tensors("i0 i1 i2 o0")


def cumsum(call: Call) -> Iterator[Request]:
    """The op's data is made here, for int8 only."""
    yield from call.tensors("i0 i1 o0")
    if call.output().dtype is DType.INT8:
        yield persistent(36)  # OpData


def unary_with_shape(call: Call) -> Iterator[Request]:
    """depth_to_space.cc, space_to_depth.cc."""
    yield from call.tensors("i0 o0")
    yield from writable_shape(call)


def l2_pool_2d(call: Call) -> Iterator[Request]:
    """The same, in another order."""
    yield from call.tensors("o0 i0")
    yield from writable_shape(call)


def gather(call: Call) -> Iterator[Request]:
    """gather.cc, gather_nd.cc."""
    yield from call.tensors("i0 i1 o0")
    yield from writable_shape(call)


def embedding_lookup(call: Call) -> Iterator[Request]:
    """As `gather`, and the op's data."""
    yield from gather(call)
    yield persistent(8)  # OpData


def fully_connected_quantization(call: Call, weights: int = 1) -> Iterator[Request]:
    """fully_connected_common.cc, CalculateOpDataFullyConnected: only weights with several scales need memory."""
    if call.scales(weights) > 1:
        yield from per_channel(call.scales(weights))


def fully_connected(call: Call) -> Iterator[Request]:
    """The bias is optional."""
    yield from call.tensors("i0 i1 i2 o0")
    if is_integer(call.input(0)):
        yield from fully_connected_quantization(call)


def log_softmax(call: Call) -> Iterator[Request]:
    """The op's data is made here, for int8 only."""
    yield from call.tensors("i0 o0")
    if call.input(0).dtype is DType.INT8:
        yield persistent(28)  # LogSoftmaxOpData


def mirror_pad(call: Call) -> Iterator[Request]:
    """Strides of the output and of the input."""
    yield from call.tensors("i0 i1 o0")
    yield scratch(4 * len(call.input(0).shape))
    yield scratch(4 * len(call.input(0).shape))


def _prepare_simple(call: Call) -> Iterator[Request]:
    """reduce_common.cc, PrepareSimple."""
    yield from call.tensors("i0 i1 o0" if call.input(0).dtype is DType.INT8 else "i0 i1")


def _axes(call: Call) -> Iterator[Request]:
    """reduce_common.cc: an index along each dimension, and the axes resolved."""
    yield scratch(4 * len(call.input(0).shape))
    yield scratch(4 * call.input(1).elements)


def mean_or_sum(call: Call) -> Iterator[Request]:
    """reduce_common.cc, PrepareMeanOrSumHelper."""
    yield from call.tensors("i0 o0 i1")
    if is_integer(call.input(0)):
        yield scratch(4 * call.output().elements)
    yield from _axes(call)
    yield from _prepare_simple(call)


def min_or_max(call: Call) -> Iterator[Request]:
    """reduce_common.cc, PrepareMinMaxHelper."""
    yield from _prepare_simple(call)
    yield from call.tensors("i0 o0 i1")
    yield from _axes(call)


def reduce_all(call: Call) -> Iterator[Request]:
    """reduce_common.cc, PrepareAllHelper."""
    yield from call.tensors("i0 o0 i1")
    yield from _prepare_simple(call)
    yield from _axes(call)


def softmax(call: Call) -> Iterator[Request]:
    """softmax_common.cc, InitializeLutForInt16: two tables for int16 inputs."""
    yield from call.tensors("i0 o0")
    if call.input(0).dtype is DType.INT16:
        yield persistent(_INT16_TABLE)
        yield persistent(_INT16_TABLE)


def svdf(call: Call) -> Iterator[Request]:
    """svdf_common.cc; the output is batch x units."""
    yield from call.tensors("i0 i1 i2 i3 i4 o0")
    batch, filters = call.input(0).shape[0], call.input(1).shape[0]
    yield scratch(4 * batch * filters)
    if call.input(0).dtype is DType.INT8:
        yield scratch(4 * call.output().elements)


def transpose_conv_quantization(call: Call) -> Iterator[Request]:
    """transpose_conv.cc, CalculateOpData: a bias of 16 bits is widened to 64."""
    if is_integer(call.input(2)):
        yield from call.tensors("i2 i1 i3 o0")
        if call.input(2).dtype is DType.INT16 and call.has_input(3) and call.input(3).dtype is DType.INT16:
            yield scratch(8 * call.input(3).elements)


def transpose_conv(call: Call) -> Iterator[Request]:
    """One accumulator for each element of the output."""
    yield from call.tensors("o0 i2 i1")
    yield from per_channel(call.input(1).shape[0])
    accumulator = {DType.INT8: 4, DType.INT16: 8}.get(call.input(2).dtype, 0)
    if accumulator:
        yield scratch(accumulator * call.output().elements)
    yield from transpose_conv_quantization(call)


def lstm_gates(call: Call) -> Iterator[Request]:
    """lstm_eval.cc, LstmTensors, and the gates' parameters of lstm_eval_common.cc."""
    yield from call.tensors("i* o0")
    if call.input(_LSTM_CELL_STATE).dtype is DType.INT16:
        for pair in _LSTM_GATES:
            for weights in pair:
                yield from fully_connected_quantization(call, weights)


def lstm_buffers(call: Call, count: int) -> Iterator[Request]:
    """``count`` buffers of batch x units, of the cell state's type; the hidden state has as many elements."""
    element = call.input(_LSTM_CELL_STATE).dtype.itemsize
    for _ in range(count):
        yield scratch(call.input(_LSTM_HIDDEN_STATE).elements * element)


def unidirectional_sequence_lstm(call: Call) -> Iterator[Request]:
    """One buffer for each gate."""
    yield from lstm_gates(call)
    yield from lstm_buffers(call, 4)
