"""What TensorFlow Lite Micro's kernels accept of integer models, op kind by op kind.

Read from the Prepare and Eval functions in tensorflow/lite/micro/kernels and .../kernels/cmsis_nn of 2026-08-20 (commit
90b983c2b). Shapes are the reader's work (tinydeploy/model/shapes.py).
"""

from collections.abc import Mapping

from tinydeploy.engines.constraint import Constraint, output_is
from tinydeploy.engines.tflm.conditions import (
    ADDENDS_ALIKE,
    ALIKE_INT8,
    BOOL,
    COMPARES_BELOW_1,
    FLOAT32,
    INT8,
    INT16,
    INT32,
    INT64,
    NO_ACTIVATION,
    NO_NEGATIVES,
    PAD_VALUE_ALIKE,
    PER_TENSOR_INT16,
    POOLS_ALIKE,
    SIGMOID_FILLS_RANGE,
    SQUASHES,
    SYMMETRIC_INT16,
    UINT8,
    UINT32,
    UNQUANTISED_INT32,
    absent,
    all_are,
    at_most_dimensions,
    at_most_inputs,
    bias_is,
    both_are,
    broadcasts_at_most,
    constant,
    inputs_are,
    output_quantized,
    present,
    sums_stay_below,
    types_pair,
)
from tinydeploy.engines.tflm.kernel import Kernel, Registration
from tinydeploy.model.graph import DType
from tinydeploy.model.recurrent import LSTM_BIASES, LSTM_CELL_STATE, LSTM_INPUT_WEIGHTS, LSTM_RECURRENT_WEIGHTS

FLOAT_ONLY = frozenset(
    {"CEIL", "COS", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "LOG", "NEG", "ROUND", "SIN", "SQRT"}
    | {"SQUARE"}
)
"""Kinds that TensorFlow Lite Micro has, but not for integers."""

_INT8_WEIGHTS = inputs_are((1,), "the weights are", INT8)
_INT32_AXES = inputs_are((1,), "the axes are", INT32)
_INDICES = (INT32, INT64)
_LSTM_WEIGHTS = (*LSTM_INPUT_WEIGHTS, *LSTM_RECURRENT_WEIGHTS)


def _kernel(
    kind: str, add: str, *constraints: Constraint, cmsis_nn: tuple[Constraint, ...] = (), int8: str = ""
) -> Kernel:
    """A row of the table. ``int8`` is the header that declares ``Register_KIND_INT8()``."""
    registration = Registration(function=f"Register_{kind}_INT8", header=int8) if int8 else None
    return Kernel(kind=kind, add=f"Add{add}", constraints=constraints, cmsis_nn=cmsis_nn, int8=registration)


def _comparison(kind: str, add: str, *dtypes: DType) -> Kernel:
    inputs = inputs_are((0, 1), "both inputs are", *dtypes)
    return _kernel(kind, add, inputs, output_is(BOOL), COMPARES_BELOW_1, broadcasts_at_most(4))


def _logical(kind: str, add: str) -> Kernel:
    return _kernel(kind, add, both_are(BOOL), broadcasts_at_most(4))


_CONVOLUTIONS = (
    _kernel(
        "CONV_2D",
        "Conv2D",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT32, INT64)),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="conv.h",
    ),
    _kernel(
        "DEPTHWISE_CONV_2D",
        "DepthwiseConv2D",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT64,)),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="depthwise_conv.h",
    ),
    _kernel(
        "FULLY_CONNECTED",
        "FullyConnected",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT32, INT64)),
        cmsis_nn=(SYMMETRIC_INT16, PER_TENSOR_INT16, bias_is(2, int8=(INT32,), int16=(INT64,))),
        int8="fully_connected.h",
    ),
    _kernel(
        "TRANSPOSE_CONV",
        "TransposeConv",
        all_are(INT8, INT16, inputs=(2,)),
        _INT8_WEIGHTS,
        bias_is(3, int8=(INT32,), int16=(INT16, INT64)),
        # Its Prepare ignores fused activations, and reads the type of an int16 model's bias without asking for one.
        cmsis_nn=(NO_ACTIVATION, present((3,), "it has a bias")),
        int8="transpose_conv.h",
    ),
    _kernel(
        "BATCH_MATMUL",
        "BatchMatMul",
        both_are(INT8, INT16),
        SYMMETRIC_INT16,
        at_most_dimensions(5, positions=(0, 1)),
        cmsis_nn=(at_most_dimensions(4, positions=(0, 1)),),
        int8="batch_matmul.h",
    ),
)

_RECURRENT = (
    _kernel(
        "SVDF",
        "Svdf",
        all_are(INT8),
        _INT8_WEIGHTS,
        inputs_are((2, 4), "time weights and state are both", INT8, INT16),
        present((3,), "it has a bias"),
        bias_is(3, int8=(INT32,)),
        cmsis_nn=(constant(1, "weights are"),),
        int8="svdf.h",
    ),
    _kernel(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UnidirectionalSequenceLSTM",
        all_are(INT8, INT16),
        inputs_are(_LSTM_WEIGHTS, "all eight weights are there and", INT8),
        present(LSTM_BIASES, "all four biases are there"),
        *(bias_is(position, int8=(INT32,), int16=(INT64,)) for position in LSTM_BIASES),
        inputs_are((LSTM_CELL_STATE,), "the cell state is", INT16),
        SQUASHES,
        absent(range(9, 12), "peephole connections"),
        absent(range(16, 18), "projection"),
        absent(range(20, 24), "layer normalisation"),
        cmsis_nn=tuple(constant(position, "weights and biases are") for position in (*_LSTM_WEIGHTS, *LSTM_BIASES)),
        # Not Register_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8: CMSIS-NN's asserts int16 weights, unless NDEBUG is defined.
    ),
)

_ARITHMETIC = (
    _kernel(
        "ADD",
        "Add",
        both_are(INT8, INT16, INT32),
        UNQUANTISED_INT32,
        sums_stay_below(2.0**19, 2.0**14),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="add.h",
    ),
    _kernel("SUB", "Sub", both_are(INT8, INT16, INT32), UNQUANTISED_INT32, sums_stay_below(2.0**19, 2.0**14)),
    _kernel("MUL", "Mul", both_are(INT8, INT16, INT32), SYMMETRIC_INT16, int8="mul.h"),
    _kernel("DIV", "Div", both_are(INT8, INT32), UNQUANTISED_INT32, broadcasts_at_most(5)),
    _kernel("ADD_N", "AddN", all_are(INT8), ADDENDS_ALIKE),
    _kernel(
        "SQUARED_DIFFERENCE",
        "SquaredDifference",
        both_are(INT8, INT16, INT32),
        SYMMETRIC_INT16,
        broadcasts_at_most(4),
    ),
    *(
        _kernel(
            kind.upper(),
            kind,
            both_are(INT8, INT16, INT32, INT64),
            at_most_dimensions(5, positions=(0, 1)),
            cmsis_nn=(at_most_dimensions(4, positions=(0, 1)),),
            int8="maximum_minimum.h",
        )
        for kind in ("Maximum", "Minimum")
    ),
    _comparison("EQUAL", "Equal", BOOL, INT8, INT32, INT64),
    _comparison("NOT_EQUAL", "NotEqual", BOOL, INT8, INT32, INT64),
    _comparison("GREATER", "Greater", INT8, INT16, INT32, INT64),
    _comparison("GREATER_EQUAL", "GreaterEqual", INT8, INT32, INT64),
    _comparison("LESS", "Less", INT8, INT32, INT64),
    _comparison("LESS_EQUAL", "LessEqual", INT8, INT32, INT64),
    _logical("LOGICAL_AND", "LogicalAnd"),
    _logical("LOGICAL_OR", "LogicalOr"),
    _kernel("LOGICAL_NOT", "LogicalNot", all_are(BOOL)),
    _kernel(
        "SELECT_V2",
        "SelectV2",
        inputs_are((0,), "the condition is", BOOL),
        all_are(INT8, INT16, inputs=(1, 2), what="the other inputs and the output"),
        at_most_dimensions(5, positions=(0, 1, 2)),
    ),
)

_ACTIVATIONS = (
    _kernel("RELU", "Relu", all_are(INT8, INT16), SYMMETRIC_INT16),
    _kernel("RELU6", "Relu6", all_are(INT8, INT16)),
    _kernel("LEAKY_RELU", "LeakyRelu", all_are(INT8, INT16)),
    _kernel(
        "PRELU",
        "Prelu",
        all_are(INT8, INT16),
        inputs_are((1,), "alpha is", INT8),
        at_most_dimensions(4, positions=(0, 1)),
    ),
    _kernel("ELU", "Elu", all_are(INT8)),
    _kernel("HARD_SWISH", "HardSwish", all_are(INT8)),
    _kernel("LOGISTIC", "Logistic", all_are(INT8, INT16), SIGMOID_FILLS_RANGE, SYMMETRIC_INT16),
    _kernel("TANH", "Tanh", all_are(INT8, INT16), SYMMETRIC_INT16),
    _kernel(
        "SOFTMAX",
        "Softmax",
        types_pair((INT8, INT8), (INT8, INT16), (INT16, INT16)),
        output_quantized(INT8, 1 / 256, -128, "1/256"),
        int8="softmax.h",
    ),
    _kernel("LOG_SOFTMAX", "LogSoftmax", all_are(INT8), output_quantized(INT8, 16 / 256, 127, "16/256")),
    _kernel("ABS", "Abs", all_are(INT8, INT16), SYMMETRIC_INT16),
    _kernel("RSQRT", "Rsqrt", all_are(INT8), NO_NEGATIVES),
    _kernel("L2_NORMALIZATION", "L2Normalization", all_are(INT8), NO_ACTIVATION, at_most_dimensions(4)),
)

_REDUCTIONS = (
    _kernel("AVERAGE_POOL_2D", "AveragePool2D", all_are(INT8, INT16), POOLS_ALIKE, int8="pooling.h"),
    _kernel("MAX_POOL_2D", "MaxPool2D", all_are(INT8, INT16), POOLS_ALIKE, int8="pooling.h"),
    _kernel("MEAN", "Mean", all_are(INT8, INT16), _INT32_AXES),
    _kernel("SUM", "Sum", all_are(INT8, INT16), _INT32_AXES),
    _kernel("REDUCE_MAX", "ReduceMax", all_are(INT8), _INT32_AXES, ALIKE_INT8),
    _kernel("REDUCE_MIN", "ReduceMin", all_are(INT8), _INT32_AXES, ALIKE_INT8),
    _kernel("REDUCE_ALL", "ReduceAll", all_are(BOOL), _INT32_AXES),
    _kernel("ARG_MAX", "ArgMax", inputs_are((0,), "the input is", INT8), _INT32_AXES, output_is(INT32)),
    _kernel("ARG_MIN", "ArgMin", inputs_are((0,), "the input is", INT8), _INT32_AXES, output_is(INT32)),
    _kernel("CUMSUM", "CumSum", all_are(INT8), _INT32_AXES),
)

_MOVEMENT = (
    _kernel("BATCH_TO_SPACE_ND", "BatchToSpaceNd", all_are(INT8), at_most_dimensions(4, least=3)),
    _kernel("SPACE_TO_BATCH_ND", "SpaceToBatchNd", all_are(INT8), at_most_dimensions(4, least=3)),
    _kernel("BROADCAST_ARGS", "BroadcastArgs", both_are(*_INDICES)),
    _kernel(
        "BROADCAST_TO",
        "BroadcastTo",
        inputs_are((1,), "the shape is", *_INDICES),
        constant(1, "shape is"),
        at_most_dimensions(5),
    ),
    _kernel(
        "CONCATENATION",
        "Concatenation",
        all_are(BOOL, INT8, INT16, INT32, INT64, what="the inputs and the output"),
        ALIKE_INT8,
        SYMMETRIC_INT16,
        NO_ACTIVATION,
        at_most_inputs(10),
    ),
    _kernel("DEPTH_TO_SPACE", "DepthToSpace", all_are(INT8), at_most_dimensions(4)),
    _kernel("SPACE_TO_DEPTH", "SpaceToDepth", all_are(INT8), at_most_dimensions(4)),
    _kernel(
        "DYNAMIC_UPDATE_SLICE",
        "DynamicUpdateSlice",
        all_are(INT8, INT16, INT32, inputs=(0, 1), what="input, update and output"),
        inputs_are((2,), "the start is", *_INDICES),
    ),
    _kernel(
        "EMBEDDING_LOOKUP",
        "EmbeddingLookup",
        inputs_are((0,), "the indices are", INT32),
        all_are(INT8, inputs=(1,), what="value and output"),
    ),
    _kernel("EXPAND_DIMS", "ExpandDims", all_are(INT8, INT16), _INT32_AXES, constant(1, "axis is")),
    _kernel(
        "FILL",
        "Fill",
        inputs_are((0,), "the shape is", *_INDICES),
        constant(0, "shape is"),
        all_are(INT8, INT32, inputs=(1,), what="value and output"),
    ),
    _kernel("GATHER", "Gather", all_are(INT8), inputs_are((1,), "the positions are", INT32)),
    _kernel("GATHER_ND", "GatherNd", all_are(INT8), inputs_are((1,), "the indices are", INT32)),
    _kernel("MIRROR_PAD", "MirrorPad", all_are(INT8), inputs_are((1,), "the paddings are", *_INDICES)),
    _kernel("PACK", "Pack", all_are(INT8, INT16, INT32, INT64)),
    _kernel("UNPACK", "Unpack", all_are(INT8, INT16, INT32)),
    _kernel("PAD", "Pad", all_are(INT8, INT16, INT32), PAD_VALUE_ALIKE, at_most_dimensions(5), int8="pad.h"),
    _kernel("PADV2", "PadV2", all_are(INT8, INT16, INT32), PAD_VALUE_ALIKE, at_most_dimensions(5)),
    _kernel("RESHAPE", "Reshape"),
    _kernel("SQUEEZE", "Squeeze"),
    _kernel(
        "RESIZE_BILINEAR",
        "ResizeBilinear",
        all_are(INT8),
        inputs_are((1,), "the size is", INT32),
        constant(1, "size is"),
    ),
    _kernel(
        "RESIZE_NEAREST_NEIGHBOR",
        "ResizeNearestNeighbor",
        all_are(INT8, INT16),
        inputs_are((1,), "the size is", INT32),
        constant(1, "size is"),
    ),
    _kernel("REVERSE_V2", "ReverseV2", all_are(BOOL, INT8, UINT8, INT16, INT32, INT64), _INT32_AXES),
    _kernel("SHAPE", "Shape", output_is(INT32)),
    _kernel(
        "SLICE",
        "Slice",
        all_are(BOOL, INT8, INT16, INT32),
        inputs_are((1, 2), "begin and size are both", *_INDICES),
        at_most_dimensions(5),
    ),
    _kernel("SPLIT", "Split", all_are(INT8, INT16, INT32, inputs=(1,)), constant(0, "axis is")),
    _kernel("SPLIT_V", "SplitV", all_are(INT8, INT16, INT32), constant(2, "axis is")),
    _kernel(
        "STRIDED_SLICE",
        "StridedSlice",
        all_are(BOOL, INT8, INT16, INT32),
        *(constant(position, "begin, end and strides are") for position in (1, 2, 3)),
        at_most_dimensions(4),
    ),
    _kernel(
        "TRANSPOSE",
        "Transpose",
        all_are(INT8, INT16),
        constant(1, "order is"),
        at_most_dimensions(5),
        cmsis_nn=(at_most_dimensions(4),),
        int8="transpose.h",
    ),
    _kernel("ZEROS_LIKE", "ZerosLike", all_are(INT8, INT32, INT64)),
)

_CASTS = (
    _kernel(
        "CAST",
        "Cast",
        inputs_are((0,), "the input is", BOOL, INT8, INT16, INT32, UINT32),
        output_is(INT8, INT16, INT32, UINT32),
    ),
    _kernel(
        "QUANTIZE",
        "Quantize",
        types_pair(
            *((FLOAT32, output) for output in (INT8, INT16)),
            *((INT8, output) for output in (INT8, UINT8, INT16, INT32)),
            (UINT8, INT8),
            *((INT16, output) for output in (INT8, INT16, INT32)),
            *((INT32, output) for output in (INT8, INT16)),
        ),
    ),
    _kernel("DEQUANTIZE", "Dequantize", inputs_are((0,), "the input is", INT8, UINT8, INT16), output_is(FLOAT32)),
)

_FAMILIES = (_CONVOLUTIONS, _RECURRENT, _ARITHMETIC, _ACTIVATIONS, _REDUCTIONS, _MOVEMENT, _CASTS)

KERNELS: Mapping[str, Kernel] = {kernel.kind: kernel for family in _FAMILIES for kernel in family}
"""By op kind."""
