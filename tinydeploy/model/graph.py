"""What a graph is: the typed, immutable form of a .tflite model that everything after the reader works on."""

import enum
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


class DType(enum.Enum):
    """Element types of TFLite tensors that this project knows, by TFLite's names."""

    FLOAT32 = "FLOAT32"
    INT8 = "INT8"
    UINT8 = "UINT8"
    INT16 = "INT16"
    INT32 = "INT32"
    UINT32 = "UINT32"
    INT64 = "INT64"
    UINT64 = "UINT64"
    BOOL = "BOOL"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The little-endian numpy type of one element."""
        return np.dtype(self.value.lower() if self is not DType.BOOL else "bool").newbyteorder("<")

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def integer_range(self) -> tuple[int, int]:
        """The lowest and the highest value; (0, 1) for BOOL. Not for floats."""
        if self is DType.BOOL:
            return 0, 1
        limits = np.iinfo(self.value.lower())
        return int(limits.min), int(limits.max)


class Padding(enum.Enum):
    """TFLite's two padding schemes."""

    SAME = "SAME"
    VALID = "VALID"


class Activation(enum.Enum):
    """Activations that TFLite fuses into an op."""

    NONE = "NONE"
    RELU = "RELU"
    RELU_N1_TO_1 = "RELU_N1_TO_1"
    RELU6 = "RELU6"
    TANH = "TANH"
    SIGN_BIT = "SIGN_BIT"


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Affine quantisation, ``real = scale * (q - zero_point)``, per tensor or along one axis.

    ``scales`` and ``zero_points`` have one entry, or one per index of dimension ``axis``.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        """The scale of a tensor quantised per tensor (float32 value, held as a Python float)."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor quantised per tensor."""
        return self.zero_points[0]

    def real(self, number: float) -> float:
        """What a stored number of a tensor quantised per tensor stands for; see `reals` for arrays."""
        return (number - self.zero_point) * self.scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """One tensor of the graph.

    ``data`` is a read-only view of the constant's bytes in the model file, with the tensor's shape, or None
    for activations. ``name`` is untrusted text. ``channels`` are those of the last dimension in the model that are
    left where some have been removed; None: all.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: npt.NDArray[np.generic] | None = None
    is_variable: bool = False
    channels: tuple[int, ...] | None = None

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the contiguous tensor."""
        return self.elements * self.dtype.itemsize

    @property
    def is_constant(self) -> bool:
        """Whether the tensor's value is in the model file."""
        return self.data is not None


@dataclass(frozen=True, kw_only=True)
class Conv2DOptions:
    """CONV_2D.

    ``explicit_padding`` says how far windows reach beyond the input: rows above, columns to the left, rows below,
    columns to the right. Unless it is None it stands in for ``padding``. No file has it: it comes from folding a PAD.
    """

    padding: Padding
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    activation: Activation
    explicit_padding: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv2DOptions(Conv2DOptions):
    """DEPTHWISE_CONV_2D. The depth multiplier is output channels / input channels."""

    depth_multiplier: int


@dataclass(frozen=True, kw_only=True)
class TransposeConvOptions:
    """TRANSPOSE_CONV; the output's shape is the op's first input."""

    padding: Padding
    stride_h: int
    stride_w: int
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class PoolOptions:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    padding: Padding
    stride_h: int
    stride_w: int
    filter_h: int
    filter_w: int
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class FullyConnectedOptions:
    """FULLY_CONNECTED."""

    activation: Activation
    keep_num_dims: bool
    shuffled_weights: bool


@dataclass(frozen=True, kw_only=True)
class ArithmeticOptions:
    """ADD, SUB, MUL and DIV."""

    activation: Activation


@dataclass(frozen=True, kw_only=True)
class SoftmaxOptions:
    """SOFTMAX along the last dimension."""

    beta: float


@dataclass(frozen=True, kw_only=True)
class ConcatenationOptions:
    """CONCATENATION; ``axis`` may be negative."""

    axis: int
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class LeakyReluOptions:
    """LEAKY_RELU."""

    alpha: float


@dataclass(frozen=True, kw_only=True)
class ReducerOptions:
    """MEAN, SUM, REDUCE_ALL, REDUCE_MAX and REDUCE_MIN; the axes are the op's second input."""

    keep_dims: bool


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """SPLIT; the axis is the op's first input."""

    num_splits: int


@dataclass(frozen=True, kw_only=True)
class StridedSliceOptions:
    """STRIDED_SLICE; begin, end and strides are inputs 1 to 3. Bit i of a mask is about dimension i."""

    begin_mask: int
    end_mask: int
    ellipsis_mask: int
    new_axis_mask: int
    shrink_axis_mask: int
    offset: bool


@dataclass(frozen=True, kw_only=True)
class ResizeNearestNeighborOptions:
    """RESIZE_NEAREST_NEIGHBOR; the output's height and width are input 1."""

    align_corners: bool
    half_pixel_centers: bool


@dataclass(frozen=True, kw_only=True)
class BatchMatMulOptions:
    """BATCH_MATMUL; which of the two matrices are given transposed."""

    adjoint_x: bool
    adjoint_y: bool


@dataclass(frozen=True, kw_only=True)
class GatherOptions:
    """GATHER; both may be negative."""

    axis: int
    batch_dims: int


@dataclass(frozen=True, kw_only=True)
class SvdfOptions:
    """SVDF; there are ``rank`` filters for each unit of the output."""

    rank: int
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class LstmOptions:
    """UNIDIRECTIONAL_SEQUENCE_LSTM. ``time_major``: time is the first dimension, the batch the second."""

    time_major: bool
    activation: Activation


Options = (
    Conv2DOptions
    | DepthwiseConv2DOptions
    | TransposeConvOptions
    | PoolOptions
    | FullyConnectedOptions
    | ArithmeticOptions
    | SoftmaxOptions
    | ConcatenationOptions
    | LeakyReluOptions
    | ReducerOptions
    | SplitOptions
    | StridedSliceOptions
    | ResizeNearestNeighborOptions
    | BatchMatMulOptions
    | GatherOptions
    | SvdfOptions
    | LstmOptions
)


@dataclass(frozen=True, kw_only=True)
class Op:
    """One operator, in execution order.

    ``kind`` is TFLite's builtin name (``CONV_2D``), or the own name of a custom op, printable and never a
    builtin one. ``inputs`` and ``outputs`` index `Graph.tensors`; an absent optional input is -1.
    ``intermediates`` are tensors that only carry quantisation parameters, as an LSTM's have them; their type and shape
    mean nothing. ``options`` is None for kinds that have none or that no engine here reads options of.
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    options: Options | None = None
    is_custom: bool = False

    def __str__(self) -> str:
        return f"op {self.index} {self.kind}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """One model: tensors, ops in execution order, and the tensors that are its inputs and outputs.

    What the reader guarantees, so that no later stage has to check: every index is in range; every shape is
    fully known, positive and of batch 1; every tensor that an op reads is a constant, a graph input, a
    variable or the output of an earlier op; no tensor is written twice; constants have exactly the bytes
    their shape needs.

    ``subgraphs`` is how many graphs the file has; all but the first are left out.
    """

    name: str
    sha256: str
    source: bytes = field(repr=False)
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int = 1

    @property
    def is_stateful(self) -> bool:
        """Whether something outlives an inference: the same input may then give another output the next time.

        The state starts anew with the interpreter, or with the device.
        """
        return any(self.tensors[index].is_variable for op in self.ops for index in op.inputs if index >= 0)

    def input_of(self, op: Op, position: int) -> Tensor | None:
        """The tensor at an input position, or None where the optional input is absent."""
        index = op.inputs[position] if position < len(op.inputs) else -1
        return None if index < 0 else self.tensors[index]

    def output_of(self, op: Op, position: int = 0) -> Tensor:
        """The tensor at an output position."""
        return self.tensors[op.outputs[position]]
