"""TensorFlow Lite Micro 90b983c2b with its reference kernels, on a 32-bit ABI (pointers, int and size_t of 4 bytes).

Sizes were taken from the compiler (arm-none-eabi-g++ 12.2, sizeof, TF_LITE_STATIC_MEMORY, no USE_TFLM_COMPRESSION).
Not here: ops that run other graphs or hold resources, Ethos-U, and the custom ops of signal processing and decoding.
"""

from tinydeploy.memory import tflm_rules as rules
from tinydeploy.memory.tflm_sizes import CoreSizes, Kernel, Prepare, TflmSizes

VERSION = "90b983c2b"

CORE = CoreSizes(
    single_arena_buffer_allocator=36,
    greedy_memory_planner=44,
    greedy_per_buffer=40,
    micro_allocator=36,
    micro_builtin_data_allocator=8,
    subgraph_allocations=8,
    node_and_registration=32,
    scratch_buffer_request=12,
    scratch_buffer_handle=4,
    scratch_requests_per_op=12,
    allocation_info=24,
    tensor=32,
    eval_tensor=12,
    affine_quantization=12,
)

_ARITHMETIC = "i0 i1 o0"
_UNARY = "i0 o0"
_COMPARISON = Kernel(source="comparisons.cc", data_type="OpData", data=32, prepare="i0 i1")
_GENERIC = Kernel(source="elementwise.cc", prepare=_UNARY)


def _reducer(prepare: Prepare) -> Kernel:
    return Kernel(source="reduce.cc", params=(1, 1), data_type="OpDataReduce", data=44, prepare=prepare)


KERNELS: dict[str, Kernel] = {
    "ABS": Kernel(source="elementwise.cc", data_type="OpDataAbsRsqrt", data=28, prepare=_UNARY),
    "ADD": Kernel(source="add.cc", params=(2, 1), data_type="OpDataAdd", data=60, prepare=_ARITHMETIC),
    "ADD_N": Kernel(source="add_n.cc", prepare=rules.add_n),
    "ARG_MAX": Kernel(source="arg_min_max.cc", params=(1, 1)),
    "ARG_MIN": Kernel(source="arg_min_max.cc", params=(1, 1)),
    "AVERAGE_POOL_2D": Kernel(source="pooling.cc", params=(40, 4), data_type="OpDataPooling", data=32, prepare=_UNARY),
    "BATCH_MATMUL": Kernel(
        source="batch_matmul.cc", params=(3, 1), data_type="OpDataBatchMatmul", data=16, prepare=rules.batch_matmul
    ),
    "BATCH_TO_SPACE_ND": Kernel(source="batch_to_space_nd.cc", prepare=_UNARY),
    "BROADCAST_ARGS": Kernel(source="broadcast_args.cc", prepare=_ARITHMETIC),
    "BROADCAST_TO": Kernel(source="broadcast_to.cc", prepare=_ARITHMETIC),
    "CAST": Kernel(source="cast.cc", params=(2, 1), prepare=_UNARY),
    "CEIL": Kernel(source="ceil.cc", prepare=_UNARY),
    "CONCATENATION": Kernel(source="concatenation.cc", params=(8, 4), data_type="OpData", data=24, prepare="i0 o0 i*"),
    "CONV_2D": Kernel(source="conv.cc", params=(28, 4), data_type="OpDataConv", data=56, prepare=rules.conv),
    "COS": _GENERIC,
    "CUMSUM": Kernel(source="cumsum.cc", params=(2, 1), prepare=rules.cumsum),
    "DEPTH_TO_SPACE": Kernel(source="depth_to_space.cc", params=(4, 4), prepare=rules.unary_with_shape),
    "DEPTHWISE_CONV_2D": Kernel(
        source="depthwise_conv.cc", params=(28, 4), data_type="OpDataConv", data=56, prepare=rules.depthwise_conv
    ),
    "DEQUANTIZE": Kernel(source="dequantize.cc", data_type="DequantizeOpData", data=32, prepare=_UNARY),
    "DIV": Kernel(source="div.cc", params=(1, 1), data_type="OpDataDiv", data=28, prepare=_ARITHMETIC),
    "DYNAMIC_UPDATE_SLICE": Kernel(source="dynamic_update_slice.cc", prepare="i0 i1 i2 o0"),
    "ELU": Kernel(source="elu.cc", data_type="OpData", data=256, prepare=_UNARY),
    "EMBEDDING_LOOKUP": Kernel(source="embedding_lookup.cc", prepare=rules.embedding_lookup),
    "EQUAL": _COMPARISON,
    "EXP": Kernel(source="exp.cc", prepare=_UNARY),
    "EXPAND_DIMS": Kernel(source="expand_dims.cc", prepare=_ARITHMETIC),
    "FILL": Kernel(source="fill.cc", prepare=_ARITHMETIC),
    "FLOOR": Kernel(source="floor.cc"),
    "FLOOR_DIV": Kernel(source="floor_div.cc", prepare=_ARITHMETIC),
    "FLOOR_MOD": Kernel(source="floor_mod.cc", prepare=_ARITHMETIC),
    "FULLY_CONNECTED": Kernel(
        source="fully_connected.cc",
        params=(5, 1),
        data_type="OpDataFullyConnected",
        data=48,
        prepare=rules.fully_connected,
    ),
    "GATHER": Kernel(source="gather.cc", params=(8, 4), prepare=rules.gather),
    "GATHER_ND": Kernel(source="gather_nd.cc", prepare=rules.gather),
    "GREATER": _COMPARISON,
    "GREATER_EQUAL": _COMPARISON,
    "HARD_SWISH": Kernel(source="hard_swish.cc", data_type="HardSwishParams", data=20, prepare=_UNARY),
    "L2_NORMALIZATION": Kernel(
        source="l2norm.cc", params=(1, 1), data_type="L2NormalizationParams", data=4, prepare=_UNARY
    ),
    "L2_POOL_2D": Kernel(source="l2_pool_2d.cc", params=(40, 4), prepare=rules.l2_pool_2d),
    "LEAKY_RELU": Kernel(source="leaky_relu.cc", params=(4, 4), data_type="LeakyReluOpData", data=24, prepare=_UNARY),
    "LESS": _COMPARISON,
    "LESS_EQUAL": _COMPARISON,
    "LOG": _GENERIC,
    "LOG_SOFTMAX": Kernel(source="log_softmax.cc", prepare=rules.log_softmax),
    "LOGICAL_AND": Kernel(source="logical.cc"),
    "LOGICAL_NOT": _GENERIC,
    "LOGICAL_OR": Kernel(source="logical.cc"),
    "LOGISTIC": Kernel(source="logistic.cc", data_type="OpDataLogistic", data=16, prepare=_UNARY),
    "MAXIMUM": Kernel(source="maximum_minimum.cc"),
    "MAX_POOL_2D": Kernel(source="pooling.cc", params=(40, 4), data_type="OpDataPooling", data=32, prepare=_UNARY),
    "MEAN": _reducer(rules.mean_or_sum),
    "MINIMUM": Kernel(source="maximum_minimum.cc"),
    "MIRROR_PAD": Kernel(
        source="mirror_pad.cc", params=(1, 1), data_type="OpDataMirrorPad", data=20, prepare=rules.mirror_pad
    ),
    "MUL": Kernel(source="mul.cc", params=(1, 1), data_type="OpDataMul", data=36, prepare=_ARITHMETIC),
    "NEG": Kernel(source="neg.cc"),
    "NOT_EQUAL": _COMPARISON,
    "PACK": Kernel(source="pack.cc", params=(8, 4)),
    "PAD": Kernel(source="pad_common.cc", data_type="OpData", data=56, prepare="i0 i1 i2 o0"),
    "PADV2": Kernel(source="pad_common.cc", data_type="OpData", data=56, prepare="i0 i1 i2 o0"),
    "PRELU": Kernel(source="prelu.cc", data_type="PreluParams", data=28, prepare=_ARITHMETIC),
    "QUANTIZE": Kernel(source="quantize.cc", data_type="OpDataQuantizeReference", data=32, prepare=_UNARY),
    "REDUCE_ALL": _reducer(rules.reduce_all),
    "REDUCE_MAX": _reducer(rules.min_or_max),
    "REDUCE_MIN": _reducer(rules.min_or_max),
    "RELU": Kernel(source="activations.cc", data_type="ReluOpData", data=28, prepare=_UNARY),
    "RELU6": Kernel(source="activations.cc", data_type="Relu6OpData", data=8, prepare="i0"),
    "RESHAPE": Kernel(source="reshape.cc", params=(36, 4), prepare=_UNARY),
    "RESIZE_BILINEAR": Kernel(source="resize_bilinear.cc", params=(2, 1), prepare=_ARITHMETIC),
    "RESIZE_NEAREST_NEIGHBOR": Kernel(source="resize_nearest_neighbor.cc", params=(2, 1), prepare=_ARITHMETIC),
    "REVERSE_V2": Kernel(source="reverse.cc", prepare=_ARITHMETIC),
    "ROUND": Kernel(source="round.cc", prepare=_UNARY),
    "RSQRT": Kernel(source="elementwise.cc", data_type="OpDataAbsRsqrt", data=28, prepare=_UNARY),
    "SELECT_V2": Kernel(source="select.cc", data_type="OpData", data=1, prepare="i0 i1 i2 o0"),
    "SHAPE": Kernel(source="shape.cc", params=(1, 1)),
    "SIN": _GENERIC,
    "SLICE": Kernel(source="slice.cc", prepare="i0 i1 i2 o0"),
    "SOFTMAX": Kernel(
        source="softmax_common.cc", params=(4, 4), data_type="SoftmaxParams", data=56, prepare=rules.softmax
    ),
    "SPACE_TO_BATCH_ND": Kernel(source="space_to_batch_nd.cc", data_type="SpaceToBatchParams", data=4, prepare=_UNARY),
    "SPACE_TO_DEPTH": Kernel(source="space_to_depth.cc", params=(4, 4), prepare=rules.unary_with_shape),
    "SPLIT": Kernel(source="split.cc", params=(4, 4), prepare="i0"),
    "SPLIT_V": Kernel(source="split_v.cc", params=(4, 4), prepare="i2"),
    "SQRT": _GENERIC,
    "SQUARE": _GENERIC,
    "SQUARED_DIFFERENCE": Kernel(source="squared_difference.cc", data_type="OpData", data=112, prepare=_ARITHMETIC),
    "SQUEEZE": Kernel(source="squeeze.cc", params=(36, 4), prepare=_UNARY),
    "STRIDED_SLICE": Kernel(
        source="strided_slice.cc", params=(24, 4), data_type="StridedSliceParams", data=84, prepare="i0 i1 i2 i3 o0"
    ),
    "SUB": Kernel(source="sub.cc", params=(2, 1), data_type="OpDataSub", data=52, prepare=_ARITHMETIC),
    "SUM": _reducer(rules.mean_or_sum),
    "SVDF": Kernel(source="svdf.cc", params=(8, 4), data_type="OpDataSvdf", data=36, prepare=rules.svdf),
    "TANH": Kernel(source="tanh.cc", data_type="OpData", data=16, prepare="i0 i0 o0"),
    "TRANSPOSE": Kernel(source="transpose.cc", prepare=_ARITHMETIC),
    "TRANSPOSE_CONV": Kernel(
        source="transpose_conv.cc", params=(16, 4), data_type="OpData", data=72, prepare=rules.transpose_conv
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Kernel(
        source="unidirectional_sequence_lstm.cc",
        params=(16, 4),
        data_type="OpDataLSTM",
        data=688,
        prepare=rules.unidirectional_sequence_lstm,
    ),
    "UNPACK": Kernel(source="unpack.cc", params=(8, 4)),
    "ZEROS_LIKE": Kernel(source="zeros_like.cc", prepare=_UNARY),
}

REFERENCE = TflmSizes(version=VERSION, kernels="reference", core=CORE, table=KERNELS)
