"""Changes to a model's tensors, buffers and ops, one at a time: see `mutated_structure`."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hostile_names import hostile_text
from tflite_builder import ModelBuilder

Change = Callable[[ModelBuilder, random.Random], str]
"""Changes the model, and says to what."""

INTEGERS = (-(2**31), -65536, -2, -1, 0, 1, 2, 3, 7, 127, 128, 255, 4096, 32767, 65536, 2**24, 2**31 - 1)
_FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e-38, 1e-10, 1e-3, 1.0, 2.0, 1e4, 1e10, 3e38, math.inf, -math.inf, math.nan)
_ZERO_POINTS = (-(2**63), -(2**31), -32768, -129, -128, -1, 0, 1, 127, 128, 255, 32767, 2**31, 2**63 - 1)
_DTYPES = (*range(20), 99, 127)
COUNTS = (1, 10, 100, 1000, 3000)
"""How often something is repeated that grows a model."""


# What changes are made to. Earlier changes may have left nothing of it.


def _some(rng: random.Random, items: Any) -> Any:
    """One of them, or something to which changes come to nothing."""
    return rng.choice(list(items)) if items else schema.TensorT()


def a_tensor(builder: ModelBuilder, rng: random.Random) -> Any:
    return _some(rng, builder.graph.tensors)


def an_op(builder: ModelBuilder, rng: random.Random) -> Any:
    return rng.choice(builder.graph.operators) if builder.graph.operators else schema.OperatorT()


def _quantized(builder: ModelBuilder, rng: random.Random) -> Any:
    tensor = a_tensor(builder, rng)
    if tensor.quantization is None:
        tensor.quantization = schema.QuantizationParametersT()
    return tensor.quantization


def an_index(builder: ModelBuilder, rng: random.Random) -> int:
    """Of a tensor, or of none."""
    count = len(builder.graph.tensors)
    return rng.choice((rng.randrange(max(1, count)), rng.randrange(max(1, count)), -1, -2, count, 2**31 - 1, -(2**31)))


def is_constant(builder: ModelBuilder, tensor: Any) -> bool:
    if not 0 < tensor.buffer < len(builder.model.buffers):
        return False
    data = builder.model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


# Tensors


def _shape(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = a_tensor(builder, rng)
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    way = rng.randrange(5)
    if way == 0 or not shape:
        shape = [rng.choice(INTEGERS) for _ in range(rng.choice((0, 1, 2, 4, 7, 3000)))]
    elif way == 1:
        shape[rng.randrange(len(shape))] = rng.choice(INTEGERS)
    elif way == 2:
        rng.shuffle(shape)
    elif way == 3:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice((1, 1, 0, 65536)))
    else:
        del shape[rng.randrange(len(shape))]
    tensor.shape = shape
    return str(shape[:8])


def _signature(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = a_tensor(builder, rng)
    tensor.shapeSignature = [rng.choice((-1, -1, 1, *INTEGERS)) for _ in range(rng.choice((0, 1, 4, 5)))]
    return str(tensor.shapeSignature)


def _dtype(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = a_tensor(builder, rng)
    tensor.type = rng.choice(_DTYPES)
    return str(tensor.type)


def _dtype_of_all(builder: ModelBuilder, rng: random.Random) -> str:
    """Sizes no longer decide whether it is refused: only activations change."""
    dtype = rng.choice((0, 2, 3, 4, 6, 7, 9, 12, 15))
    for tensor in builder.graph.tensors:
        if not is_constant(builder, tensor):
            tensor.type = dtype
    return str(dtype)


def _variable(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = a_tensor(builder, rng)
    tensor.isVariable = not tensor.isVariable
    return str(tensor.isVariable)


def _sparse(builder: ModelBuilder, rng: random.Random) -> str:
    a_tensor(builder, rng).sparsity = schema.SparsityParametersT()
    return "a tensor"


def _scale(builder: ModelBuilder, rng: random.Random) -> str:
    quantization = _quantized(builder, rng)
    count = 1 if quantization.scale is None else len(quantization.scale)
    scale = rng.choice(_FLOATS)
    scales = [scale] * count if rng.random() < 0.7 else [rng.choice(_FLOATS) for _ in range(count + rng.choice((0, 1)))]
    quantization.scale = np.asarray(scales, np.float32)
    return str(scales[:3])


def _zero_point(builder: ModelBuilder, rng: random.Random) -> str:
    quantization = _quantized(builder, rng)
    count = 1 if quantization.zeroPoint is None else len(quantization.zeroPoint)
    point = rng.choice(_ZERO_POINTS)
    quantization.zeroPoint = np.asarray([point] * rng.choice((count, count, 0, count + 1)), np.int64)
    return str(point)


def _axis(builder: ModelBuilder, rng: random.Random) -> str:
    quantization = _quantized(builder, rng)
    quantization.quantizedDimension = rng.choice(INTEGERS)
    return str(quantization.quantizedDimension)


def _no_quantization(builder: ModelBuilder, rng: random.Random) -> str:
    a_tensor(builder, rng).quantization = None
    return "a tensor"


def _swapped_tensors(builder: ModelBuilder, rng: random.Random) -> str:
    tensors = builder.graph.tensors
    if len(tensors) < 2:
        return "none"
    a, b = rng.sample(range(len(tensors)), 2)
    tensors[a], tensors[b] = tensors[b], tensors[a]
    return f"{a} and {b}"


def _lost_tensor(builder: ModelBuilder, rng: random.Random) -> str:
    if not builder.graph.tensors:
        return "none"
    index = rng.randrange(len(builder.graph.tensors))
    del builder.graph.tensors[index]
    return str(index)


# Buffers


def _buffer_index(builder: ModelBuilder, rng: random.Random) -> str:
    tensor, count = a_tensor(builder, rng), len(builder.model.buffers)
    tensor.buffer = rng.choice((0, rng.randrange(max(1, count)), count, 2**32 - 1))
    return str(tensor.buffer)


def _buffer_data(builder: ModelBuilder, rng: random.Random) -> str:
    buffer = rng.choice(builder.model.buffers)
    length = 0 if buffer.data is None else len(buffer.data)
    way = rng.choice(("empty", "noise", "extremes", "one more", "half", "large"))
    data = {
        "empty": b"",
        "noise": rng.randbytes(length),
        "extremes": bytes(rng.choice((0x80, 0x7F, 0xFF, 0)) for _ in range(4)) * (length // 4),
        "one more": bytes(length + 1),
        "half": bytes(length // 2),
        "large": bytes(1 << 20),
    }[way]
    buffer.data = np.frombuffer(data, np.uint8) if type(buffer) is schema.BufferT else data
    return way


def _buffer_offset(builder: ModelBuilder, rng: random.Random) -> str:
    buffer = schema.BufferT()
    buffer.offset, buffer.size = rng.choice((0, 1, 2, 4096, 2**40, 2**64 - 1)), rng.choice((0, 1, 1 << 20, 2**64 - 1))
    builder.model.buffers[rng.randrange(len(builder.model.buffers))] = buffer
    return f"{buffer.offset}, {buffer.size} bytes"


def _external_buffer(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = a_tensor(builder, rng)
    tensor.externalBuffer = rng.choice((1, 2, 2**32 - 1))
    return str(tensor.externalBuffer)


def _swapped_buffers(builder: ModelBuilder, rng: random.Random) -> str:
    a, b = a_tensor(builder, rng), a_tensor(builder, rng)
    a.buffer, b.buffer = b.buffer, a.buffer
    return f"{a.buffer} and {b.buffer}"


def _lost_buffers(builder: ModelBuilder, rng: random.Random) -> str:
    del builder.model.buffers[rng.randrange(1, len(builder.model.buffers) + 1) :]
    return f"all from {len(builder.model.buffers)}"


# Ops


def _operand(builder: ModelBuilder, rng: random.Random) -> str:
    op, field = an_op(builder, rng), rng.choice(("inputs", "inputs", "outputs", "intermediates"))
    indices = [int(index) for index in (getattr(op, field) if getattr(op, field) is not None else ())]
    way = rng.choice(("change", "add", "drop", "double", "many"))
    if way == "change" and indices:
        indices[rng.randrange(len(indices))] = an_index(builder, rng)
    elif way == "drop" and indices:
        del indices[rng.randrange(len(indices))]
    elif way == "double":
        indices *= 2
    elif way == "many":
        indices = [an_index(builder, rng) for _ in range(rng.choice(COUNTS))]
    else:
        indices.append(an_index(builder, rng))
    setattr(op, field, indices)
    return f"{field} {way}: {indices[:6]}"


def _options_value(builder: ModelBuilder, rng: random.Random) -> str:
    table = an_op(builder, rng).builtinOptions
    fields = [name for name, value in vars(table).items() if isinstance(value, int | float)] if table else []
    if not fields:
        return "none"
    field = rng.choice(fields)
    value: object = rng.choice(_FLOATS if isinstance(getattr(table, field), float) else INTEGERS)
    if isinstance(getattr(table, field), bool):
        value = not getattr(table, field)
    elif isinstance(value, int) and rng.random() < 0.5:  # a field may be of one byte
        value = rng.choice((-1, 0, 1, 2, 3, 4, 17, 127))
    setattr(table, field, value)
    return f"{type(table).__name__}.{field} = {value}"


def _options_kind(builder: ModelBuilder, rng: random.Random) -> str:
    op = an_op(builder, rng)
    names = [name for name in vars(schema.BuiltinOptions) if not name.startswith("_")]
    name = rng.choice(names)
    op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    op.builtinOptions = None if name == "NONE" else getattr(schema, f"{name}T")()
    return name


def _large_options(builder: ModelBuilder, rng: random.Random) -> str:
    op = an_op(builder, rng)
    op.largeCustomOptionsOffset, op.largeCustomOptionsSize = rng.choice((1, 2, 4096, 2**63)), rng.choice((0, 1, 2**63))
    return str(op.largeCustomOptionsOffset)


def _code_index(builder: ModelBuilder, rng: random.Random) -> str:
    op, count = an_op(builder, rng), len(builder.model.operatorCodes)
    op.opcodeIndex = rng.choice((rng.randrange(max(1, count)), count, 2**32 - 1))
    return str(op.opcodeIndex)


def _code(builder: ModelBuilder, rng: random.Random) -> str:
    code = rng.choice(builder.model.operatorCodes) if builder.model.operatorCodes else schema.OperatorCodeT()
    value = rng.choice((rng.randrange(210), rng.randrange(210), 32, 127, -1, 5000, 2**31 - 1))
    code.builtinCode, code.deprecatedBuiltinCode = value, rng.choice((0, max(-128, min(value, 127)), 127, -128))
    code.version = rng.choice((0, 1, 2, -1, 99, 2**31 - 1))
    code.customCode = hostile_text(rng) if value == 32 else None
    return f"{value} of version {code.version}"


def _op_order(builder: ModelBuilder, rng: random.Random) -> str:
    way = rng.choice(("shuffled", "doubled", "reversed", "lost", "cleared"))
    ops = builder.graph.operators
    if way == "shuffled":
        rng.shuffle(ops)
    elif way == "doubled":
        ops.extend(ops)
    elif way == "reversed":
        ops.reverse()
    elif way == "lost" and ops:
        del ops[rng.randrange(len(ops))]
    elif way == "cleared":
        ops.clear()
    return way


PARTS: tuple[Change, ...] = (
    *(_shape, _shape, _signature, _dtype, _dtype, _dtype_of_all, _variable, _sparse, _scale, _scale, _zero_point),
    *(_zero_point, _axis, _no_quantization, _swapped_tensors, _lost_tensor, _buffer_index, _buffer_data, _buffer_data),
    *(_buffer_offset, _external_buffer, _swapped_buffers, _lost_buffers, _operand, _operand, _options_value),
    *(_options_value, _options_value, _options_kind, _large_options, _code_index, _code, _op_order),
)
