"""A model of one op for each kind that TensorFlow Lite Micro has, in any element type.

    typed_model("ADD", "INT16") -> bytes     every kind in KINDS

Shapes, options and quantisation fit the op; whether a kernel takes the type is what tests want to know.
"""

from collections.abc import Callable, Sequence

import numpy as np
from tflite_builder import ModelBuilder

QUANTIZATION = {"INT8": (0.05, 3), "UINT8": (0.05, 131), "INT16": (2.0**-12, 0)}
"""Scale and zero point of activations, where they are quantised."""

_CONV = {"padding": "SAME", "strideH": 1, "strideW": 1}
_POOL = {**_CONV, "filterHeight": 2, "filterWidth": 2}
_IMAGE = (1, 4, 4, 2)


class _Model:
    """The model of one op, being built: operands in order, then `finish`."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.builder = ModelBuilder()
        self.operands: list[int] = []
        self.inputs: list[int] = []

    def tensor(self, shape: Sequence[int], dtype: str | None = None, quantization=None) -> int:
        dtype = dtype or self.dtype
        scale, zero_point = quantization or QUANTIZATION.get(dtype, (None, 0))
        return self.builder.tensor(shape, dtype, scale=scale, zero_point=zero_point)

    def input(self, shape: Sequence[int] = _IMAGE, dtype: str | None = None) -> "_Model":
        self.inputs.append(self.tensor(shape, dtype))
        self.operands.append(self.inputs[-1])
        return self

    def constant(self, values, dtype=np.int32, **tensor) -> "_Model":
        self.operands.append(self.builder.constant(np.array(values, dtype), **tensor))
        return self

    def weights(self, shape: Sequence[int], *, bias: int = 0) -> "_Model":
        """Int8 weights of 1, and as many biases of 0 as given, in the type that belongs to the activations."""
        self.constant(np.ones(shape), np.int8, scale=0.01)
        return self.biases(bias) if bias else self

    def biases(self, count: int) -> "_Model":
        scale = 0.01 * QUANTIZATION.get(self.dtype, (1.0, 0))[0]
        return self.constant(np.zeros(count), np.int64 if self.dtype == "INT16" else np.int32, scale=scale)

    def finish(self, kind: str, *outputs: Sequence[int], to: str | None = None, quantization=None, **options) -> bytes:
        results = [self.tensor(shape, to, quantization) for shape in outputs]
        self.builder.op(kind, self.operands, results, **options)
        return self.builder.finish(inputs=self.inputs, outputs=results)


_Builder = Callable[[_Model], bytes]


def _unary(kind: str, **options) -> _Builder:
    return lambda m: m.input().finish(kind, _IMAGE, **options)


def _binary(kind: str, *, to: str | None = None, **options) -> _Builder:
    return lambda m: m.input().input().finish(kind, _IMAGE, to=to, **options)


def _reduce(kind: str, *, to: str | None = None, **options) -> _Builder:
    return lambda m: m.input((1, 4, 4)).constant([1]).finish(kind, (1, 4), to=to, **options)


def _fixed_output(kind: str, **quantizations) -> _Builder:
    """Ops whose output has parameters of its own, by type."""
    return lambda m: m.input((1, 8)).finish(kind, (1, 8), quantization=quantizations.get(m.dtype))


_MODELS: dict[str, _Builder] = {
    **{kind: _unary(kind) for kind in ("ABS", "ELU", "HARD_SWISH", "L2_NORMALIZATION", "LOGICAL_NOT", "RELU", "RELU6")},
    **{kind: _unary(kind) for kind in ("CEIL", "COS", "EXP", "FLOOR", "LOG", "NEG", "ROUND", "SIN", "SQRT", "SQUARE")},
    **{kind: _unary(kind) for kind in ("RSQRT", "ZEROS_LIKE", "GELU", "RELU_N1_TO_1")},
    **{kind: _binary(kind) for kind in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")},
    **{kind: _binary(kind) for kind in ("ADD_N", "FLOOR_DIV", "FLOOR_MOD", "LOGICAL_AND", "LOGICAL_OR", "POW")},
    **{kind: _binary(kind, to="BOOL") for kind in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS")},
    "LESS_EQUAL": _binary("LESS_EQUAL", to="BOOL"),
    **{kind: _reduce(kind) for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_PROD")},
    "ARG_MAX": _reduce("ARG_MAX", to="INT32"),
    "ARG_MIN": _reduce("ARG_MIN", to="INT32"),
    "LEAKY_RELU": _unary("LEAKY_RELU", alpha=0.2),
    "LOGISTIC": _fixed_output("LOGISTIC", INT8=(1 / 256, -128), INT16=(2.0**-15, 0)),
    "TANH": _fixed_output("TANH", INT8=(1 / 128, 0), INT16=(2.0**-15, 0)),
    "LOG_SOFTMAX": _fixed_output("LOG_SOFTMAX", INT8=(16 / 256, 127)),
    "SOFTMAX": lambda m: m.input((1, 8)).finish(
        "SOFTMAX", (1, 8), beta=1.0, quantization={"INT8": (1 / 256, -128), "INT16": (2.0**-15, 0)}.get(m.dtype)
    ),
    "PRELU": lambda m: m.input().constant(np.ones((1, 1, 2)), np.int8, scale=0.01).finish("PRELU", _IMAGE),
    "AVERAGE_POOL_2D": _unary("AVERAGE_POOL_2D", **_POOL),
    "MAX_POOL_2D": _unary("MAX_POOL_2D", **_POOL),
    "CONV_2D": lambda m: m.input().weights((3, 2, 2, 2), bias=3).finish("CONV_2D", (1, 4, 4, 3), **_CONV),
    "DEPTHWISE_CONV_2D": lambda m: (
        m.input().weights((1, 2, 2, 2), bias=2).finish("DEPTHWISE_CONV_2D", _IMAGE, **_CONV, depthMultiplier=1)
    ),
    "FULLY_CONNECTED": lambda m: m.input((1, 4)).weights((3, 4), bias=3).finish("FULLY_CONNECTED", (1, 3)),
    "TRANSPOSE_CONV": lambda m: (
        m.constant([1, 8, 8, 3])
        .weights((3, 2, 2, 2))
        .input()
        .biases(3)
        .finish("TRANSPOSE_CONV", (1, 8, 8, 3), padding="SAME", strideH=2, strideW=2)
    ),
    "BATCH_MATMUL": lambda m: m.input((1, 3, 4)).input((1, 4, 2)).finish("BATCH_MATMUL", (1, 3, 2)),
    "CUMSUM": lambda m: m.input((1, 4)).constant(1).finish("CUMSUM", (1, 4)),
    "SELECT_V2": lambda m: m.input((1, 4), "BOOL").input((1, 4)).input((1, 4)).finish("SELECT_V2", (1, 4)),
    "BATCH_TO_SPACE_ND": lambda m: (
        m.input((1, 4, 4, 2)).constant([1, 1]).constant([[0, 0], [0, 0]]).finish("BATCH_TO_SPACE_ND", _IMAGE)
    ),
    "SPACE_TO_BATCH_ND": lambda m: (
        m.input((1, 4, 4, 2)).constant([1, 1]).constant([[0, 0], [0, 0]]).finish("SPACE_TO_BATCH_ND", _IMAGE)
    ),
    "BROADCAST_TO": lambda m: m.input((1, 2)).constant([3, 2]).finish("BROADCAST_TO", (3, 2)),
    "CONCATENATION": lambda m: m.input((1, 2)).input((1, 3)).finish("CONCATENATION", (1, 5), axis=1),
    "DEPTH_TO_SPACE": lambda m: m.input((1, 2, 2, 4)).finish("DEPTH_TO_SPACE", (1, 4, 4, 1), blockSize=2),
    "SPACE_TO_DEPTH": lambda m: m.input((1, 4, 4, 1)).finish("SPACE_TO_DEPTH", (1, 2, 2, 4), blockSize=2),
    "DYNAMIC_UPDATE_SLICE": lambda m: (
        m.input((1, 4)).input((1, 2)).constant([0, 1]).finish("DYNAMIC_UPDATE_SLICE", (1, 4))
    ),
    "EMBEDDING_LOOKUP": lambda m: m.input((2,), "INT32").input((5, 3)).finish("EMBEDDING_LOOKUP", (2, 3)),
    "EXPAND_DIMS": lambda m: m.input((1, 4)).constant(1).finish("EXPAND_DIMS", (1, 1, 4)),
    "FILL": lambda m: m.constant([2, 3]).input(()).finish("FILL", (2, 3)),
    "GATHER": lambda m: m.input((1, 5)).constant([0, 2]).finish("GATHER", (1, 2), axis=1),
    "GATHER_ND": lambda m: m.input((1, 5)).constant([[0, 2]]).finish("GATHER_ND", (1,)),
    "MIRROR_PAD": lambda m: m.input((1, 4)).constant([[0, 0], [1, 1]]).finish("MIRROR_PAD", (1, 6)),
    "PACK": lambda m: m.input((1, 3)).input((1, 3)).finish("PACK", (1, 2, 3), axis=1, valuesCount=2),
    "UNPACK": lambda m: m.input((1, 2, 3)).finish("UNPACK", (1, 3), (1, 3), axis=1, num=2),
    "PAD": lambda m: m.input((1, 4)).constant([[0, 0], [1, 1]]).finish("PAD", (1, 6)),
    "PADV2": lambda m: m.input((1, 4)).constant([[0, 0], [1, 1]]).input((1,)).finish("PADV2", (1, 6)),
    "RESHAPE": lambda m: m.input((1, 4)).constant([1, 2, 2]).finish("RESHAPE", (1, 2, 2)),
    "SQUEEZE": lambda m: m.input((1, 1, 4)).finish("SQUEEZE", (1, 4), squeezeDims=[1]),
    "RESIZE_BILINEAR": lambda m: m.input().constant([8, 8]).finish("RESIZE_BILINEAR", (1, 8, 8, 2)),
    "RESIZE_NEAREST_NEIGHBOR": lambda m: m.input().constant([8, 8]).finish("RESIZE_NEAREST_NEIGHBOR", (1, 8, 8, 2)),
    "REVERSE_V2": lambda m: m.input((1, 4)).constant([1]).finish("REVERSE_V2", (1, 4)),
    "SHAPE": lambda m: m.input((1, 4)).finish("SHAPE", (2,), to="INT32", outType=2),
    "SLICE": lambda m: m.input((1, 4)).constant([0, 1]).constant([1, 2]).finish("SLICE", (1, 2)),
    "SPLIT": lambda m: m.constant(1).input((1, 4)).finish("SPLIT", (1, 2), (1, 2), numSplits=2),
    "SPLIT_V": lambda m: m.input((1, 4)).constant([1, 3]).constant(1).finish("SPLIT_V", (1, 1), (1, 3), numSplits=2),
    "STRIDED_SLICE": lambda m: (
        m.input((1, 4)).constant([0, 0]).constant([1, 4]).constant([1, 2]).finish("STRIDED_SLICE", (1, 2))
    ),
    "TILE": lambda m: m.input((1, 4)).constant([1, 2]).finish("TILE", (1, 8)),
    "TOPK_V2": lambda m: m.input((1, 4)).constant(2).finish("TOPK_V2", (1, 2), (1, 2)),
    "TRANSPOSE": lambda m: m.input((1, 2, 3)).constant([0, 2, 1]).finish("TRANSPOSE", (1, 3, 2)),
    **{
        f"CAST to {to}": lambda m, to=to: m.input((1, 4)).finish("CAST", (1, 4), to=to)
        for to in ("INT8", "INT32", "BOOL")
    },
    **{
        f"QUANTIZE to {to}": lambda m, to=to: m.input((1, 4)).finish(
            "QUANTIZE", (1, 4), to=to, quantization=QUANTIZATION.get(to, (0.5, 0))
        )
        for to in ("INT8", "UINT8", "INT16", "INT32")
    },
    "DEQUANTIZE": lambda m: m.input((1, 4)).finish("DEQUANTIZE", (1, 4), to="FLOAT32"),
}

KINDS = tuple(_MODELS)
"""Names of models: the op's kind, and for ops that change the type ``to`` which."""


def typed_model(name: str, dtype: str) -> bytes:
    """The model of that name with activations of that type."""
    return _MODELS[name](_Model(dtype))
