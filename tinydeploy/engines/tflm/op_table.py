"""What TensorFlow Lite Micro's kernels accept of integer models, op kind by op kind.

Read from the Prepare and Eval functions in tensorflow/lite/micro/kernels and .../kernels/cmsis_nn of 2026-08-20 (commit
90b983c2b). Shapes are the reader's work (tinydeploy/model/shapes.py).
"""

from collections.abc import Mapping

from tinydeploy.engines.constraint import output_is
from tinydeploy.engines.tflm.conditions import (
    ADDENDS_ALIKE,
    ALIKE_INT8,
    BIAS_SCALE_FITS,
    BOOL,
    COMPARES_BELOW_1,
    INT8,
    INT16,
    INT32,
    INT32_AXES,
    INT64,
    NO_ACTIVATION,
    NO_NEGATIVES,
    PER_TENSOR_INT16,
    POOLS_ALIKE,
    SIGMOID_FILLS_RANGE,
    SQUASHES,
    SVDF_BIAS_SCALE_FITS,
    SWISH_SCALES_DOWN,
    SYMMETRIC_INT16,
    UNQUANTISED_INT32,
    absent,
    all_are,
    at_most_dimensions,
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
from tinydeploy.engines.tflm.kernel import Kernel, row
from tinydeploy.engines.tflm.movement_table import CASTS, MOVEMENT
from tinydeploy.model.graph import DType
from tinydeploy.model.recurrent import LSTM_BIASES, LSTM_CELL_STATE, LSTM_INPUT_WEIGHTS, LSTM_RECURRENT_WEIGHTS

FLOAT_ONLY = frozenset(
    {"CEIL", "COS", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "LOG", "NEG", "ROUND", "SIN", "SQRT"}
    | {"SQUARE"}
)
"""Kinds that TensorFlow Lite Micro has, but not for integers."""

_INT8_WEIGHTS = inputs_are((1,), "the weights are", INT8)
_LSTM_WEIGHTS = (*LSTM_INPUT_WEIGHTS, *LSTM_RECURRENT_WEIGHTS)


def _comparison(kind: str, add: str, *dtypes: DType) -> Kernel:
    inputs = inputs_are((0, 1), "both inputs are", *dtypes)
    return row(kind, add, inputs, output_is(BOOL), COMPARES_BELOW_1, broadcasts_at_most(4))


def _logical(kind: str, add: str) -> Kernel:
    return row(kind, add, both_are(BOOL), broadcasts_at_most(4))


_CONVOLUTIONS = (
    row(
        "CONV_2D",
        "Conv2D",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT32, INT64)),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="conv.h",
    ),
    row(
        "DEPTHWISE_CONV_2D",
        "DepthwiseConv2D",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT64,)),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="depthwise_conv.h",
    ),
    row(
        "FULLY_CONNECTED",
        "FullyConnected",
        all_are(INT8, INT16),
        _INT8_WEIGHTS,
        bias_is(2, int8=(INT32,), int16=(INT32, INT64)),
        BIAS_SCALE_FITS,
        cmsis_nn=(SYMMETRIC_INT16, PER_TENSOR_INT16, bias_is(2, int8=(INT32,), int16=(INT64,))),
        int8="fully_connected.h",
    ),
    row(
        "TRANSPOSE_CONV",
        "TransposeConv",
        all_are(INT8, INT16, inputs=(2,)),
        _INT8_WEIGHTS,
        bias_is(3, int8=(INT32,), int16=(INT16, INT64)),
        # Its Prepare ignores fused activations, and reads the type of an int16 model's bias without asking for one.
        cmsis_nn=(NO_ACTIVATION, present((3,), "it has a bias")),
        int8="transpose_conv.h",
    ),
    row(
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
    row(
        "SVDF",
        "Svdf",
        all_are(INT8),
        _INT8_WEIGHTS,
        inputs_are((2, 4), "time weights and state are both", INT8, INT16),
        present((3,), "it has a bias"),
        bias_is(3, int8=(INT32,)),
        SVDF_BIAS_SCALE_FITS,
        cmsis_nn=(constant(1, "weights are"),),
        int8="svdf.h",
    ),
    row(
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
    row(
        "ADD",
        "Add",
        both_are(INT8, INT16, INT32),
        UNQUANTISED_INT32,
        sums_stay_below(2.0**19, 2.0**14),
        cmsis_nn=(SYMMETRIC_INT16,),
        int8="add.h",
    ),
    row("SUB", "Sub", both_are(INT8, INT16, INT32), UNQUANTISED_INT32, sums_stay_below(2.0**19, 2.0**14)),
    row("MUL", "Mul", both_are(INT8, INT16, INT32), SYMMETRIC_INT16, int8="mul.h"),
    row("DIV", "Div", both_are(INT8, INT32), UNQUANTISED_INT32, broadcasts_at_most(5)),
    row("ADD_N", "AddN", all_are(INT8), ADDENDS_ALIKE),
    row(
        "SQUARED_DIFFERENCE",
        "SquaredDifference",
        both_are(INT8, INT16, INT32),
        SYMMETRIC_INT16,
        broadcasts_at_most(4),
    ),
    *(
        row(
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
    # Its Eval has int16 too, but nothing sets the parameters that it computes with.
    _comparison("GREATER", "Greater", INT8, INT32, INT64),
    _comparison("GREATER_EQUAL", "GreaterEqual", INT8, INT32, INT64),
    _comparison("LESS", "Less", INT8, INT32, INT64),
    _comparison("LESS_EQUAL", "LessEqual", INT8, INT32, INT64),
    _logical("LOGICAL_AND", "LogicalAnd"),
    _logical("LOGICAL_OR", "LogicalOr"),
    row("LOGICAL_NOT", "LogicalNot", all_are(BOOL)),
    row(
        "SELECT_V2",
        "SelectV2",
        inputs_are((0,), "the condition is", BOOL),
        all_are(INT8, INT16, inputs=(1, 2), what="the other inputs and the output"),
        at_most_dimensions(5, positions=(0, 1, 2)),
    ),
)

_ACTIVATIONS = (
    row("RELU", "Relu", all_are(INT8, INT16), SYMMETRIC_INT16),
    row("RELU6", "Relu6", all_are(INT8, INT16)),
    row("LEAKY_RELU", "LeakyRelu", all_are(INT8, INT16)),
    row(
        "PRELU",
        "Prelu",
        all_are(INT8, INT16),
        inputs_are((1,), "alpha is", INT8),
        at_most_dimensions(4, positions=(0, 1)),
    ),
    row("ELU", "Elu", all_are(INT8)),
    row("HARD_SWISH", "HardSwish", all_are(INT8), SWISH_SCALES_DOWN),
    row("LOGISTIC", "Logistic", all_are(INT8, INT16), SIGMOID_FILLS_RANGE, SYMMETRIC_INT16),
    row("TANH", "Tanh", all_are(INT8, INT16), SYMMETRIC_INT16),
    row(
        "SOFTMAX",
        "Softmax",
        types_pair((INT8, INT8), (INT8, INT16), (INT16, INT16)),
        output_quantized(INT8, 1 / 256, -128, "1/256"),
        int8="softmax.h",
    ),
    row("LOG_SOFTMAX", "LogSoftmax", all_are(INT8), output_quantized(INT8, 16 / 256, 127, "16/256")),
    row("ABS", "Abs", all_are(INT8, INT16), SYMMETRIC_INT16),
    row("RSQRT", "Rsqrt", all_are(INT8), NO_NEGATIVES),
    row("L2_NORMALIZATION", "L2Normalization", all_are(INT8), NO_ACTIVATION, at_most_dimensions(4)),
)

_REDUCTIONS = (
    row("AVERAGE_POOL_2D", "AveragePool2D", all_are(INT8, INT16), POOLS_ALIKE, int8="pooling.h"),
    row("MAX_POOL_2D", "MaxPool2D", all_are(INT8, INT16), POOLS_ALIKE, int8="pooling.h"),
    row("MEAN", "Mean", all_are(INT8, INT16), INT32_AXES),
    row("SUM", "Sum", all_are(INT8, INT16), INT32_AXES),
    row("REDUCE_MAX", "ReduceMax", all_are(INT8), INT32_AXES, ALIKE_INT8),
    row("REDUCE_MIN", "ReduceMin", all_are(INT8), INT32_AXES, ALIKE_INT8),
    row("REDUCE_ALL", "ReduceAll", all_are(BOOL), INT32_AXES),
    row("ARG_MAX", "ArgMax", inputs_are((0,), "the input is", INT8), INT32_AXES, output_is(INT32)),
    row("ARG_MIN", "ArgMin", inputs_are((0,), "the input is", INT8), INT32_AXES, output_is(INT32)),
    row("CUMSUM", "CumSum", all_are(INT8), INT32_AXES),
)

_FAMILIES = (_CONVOLUTIONS, _RECURRENT, _ARITHMETIC, _ACTIVATIONS, _REDUCTIONS, MOVEMENT, CASTS)

KERNELS: Mapping[str, Kernel] = {kernel.kind: kernel for family in _FAMILIES for kernel in family}
"""By op kind."""
