"""Changes to a model's structure: flatbuffers that are whole, and tables that make no sense or mean harm.

change(builder, rng)       makes one of `CHANGES` to an opened model, and tells which
packed(builder)            the file, or None where it has a value that no file can have
"""

import math
import random
import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder

Change = Callable[[ModelBuilder, random.Random], str]

MARK = "tdmark"
"""Stands in every planted name, so that it is found wherever it comes out."""

_INTEGERS = (-(2**31), -65536, -2, -1, 0, 1, 2, 3, 7, 127, 128, 255, 4096, 32767, 65536, 2**24, 2**31 - 1)
_FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e-38, 1e-10, 1e-3, 1.0, 2.0, 1e4, 1e10, 3e38, math.inf, -math.inf, math.nan)
_ZERO_POINTS = (-(2**63), -(2**31), -32768, -129, -128, -1, 0, 1, 127, 128, 255, 32767, 2**31, 2**63 - 1)
_DTYPES = (*range(20), 99, 127)
_COUNTS = (1, 10, 100, 1000, 3000)
"""How often something is repeated that grows a model."""


def hostile_text(rng: random.Random) -> bytes:
    """A name that would do harm in some output, were it not made harmless there."""
    harm = (
        f"{MARK}\"'<&>*/\n../".encode(),
        f"</script><{MARK} a='\" onload=alert(1)>".encode(),
        f"*/ #error {MARK} /*".encode(),
        f'{MARK}"; system("touch {MARK}"); "'.encode(),
        f"\\\n#include <{MARK}>\n??/".encode(),
        f"../../../../{MARK}/\0x".encode(),
        f"\x1b]0;{MARK}\x07\x1b[2J".encode(),
        f"|{MARK}|`a`|[x](javascript:alert(1)) ![y](http://z) @you http://www.{MARK}.org".encode(),
        f"{{{{ {MARK} }}}} {{% raw %}} %s%n $(touch {MARK})".encode(),
        b"\xff\xfe\xc3\x28" + MARK.encode() + b"\x80",
        f"\u202e{MARK}\u2028\x9b31m\U0001f4a9 ]]> <!-- -->".encode(),
        MARK.encode() * 17_000,  # 100 KB
        b"",
    )
    return rng.choice(harm)


def change(builder: ModelBuilder, rng: random.Random) -> str:
    """Makes one change; returns what it was."""
    made = rng.choice(CHANGES)
    return f"{made.__name__.lstrip('_')}: {made(builder, rng)}"


def packed(builder: ModelBuilder) -> bytes | None:
    """The bytes of the file."""
    writer = flatbuffers.Builder(1 << 16)
    try:
        writer.Finish(builder.model.Pack(writer), b"TFL3")
    except (TypeError, struct.error, ValueError, OverflowError, AttributeError, IndexError):
        return None
    return bytes(writer.Output())


# What changes are made to. Earlier changes may have left nothing of it.


def _some(rng: random.Random, items: Any) -> Any:
    """One of them, or something to which changes come to nothing."""
    return rng.choice(list(items)) if items else schema.TensorT()


def _tensor(builder: ModelBuilder, rng: random.Random) -> Any:
    return _some(rng, builder.graph.tensors)


def _op(builder: ModelBuilder, rng: random.Random) -> Any:
    return rng.choice(builder.graph.operators) if builder.graph.operators else schema.OperatorT()


def _quantized(builder: ModelBuilder, rng: random.Random) -> Any:
    tensor = _tensor(builder, rng)
    if tensor.quantization is None:
        tensor.quantization = schema.QuantizationParametersT()
    return tensor.quantization


def _index(builder: ModelBuilder, rng: random.Random) -> int:
    """Of a tensor, or of none."""
    count = len(builder.graph.tensors)
    return rng.choice((rng.randrange(max(1, count)), rng.randrange(max(1, count)), -1, -2, count, 2**31 - 1, -(2**31)))


# Tensors


def _shape(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = _tensor(builder, rng)
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    way = rng.randrange(5)
    if way == 0 or not shape:
        shape = [rng.choice(_INTEGERS) for _ in range(rng.choice((0, 1, 2, 4, 7, 3000)))]
    elif way == 1:
        shape[rng.randrange(len(shape))] = rng.choice(_INTEGERS)
    elif way == 2:
        rng.shuffle(shape)
    elif way == 3:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice((1, 1, 0, 65536)))
    else:
        del shape[rng.randrange(len(shape))]
    tensor.shape = shape
    return str(shape[:8])


def _signature(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = _tensor(builder, rng)
    tensor.shapeSignature = [rng.choice((-1, -1, 1, *_INTEGERS)) for _ in range(rng.choice((0, 1, 4, 5)))]
    return str(tensor.shapeSignature)


def _dtype(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = _tensor(builder, rng)
    tensor.type = rng.choice(_DTYPES)
    return str(tensor.type)


def _dtype_of_all(builder: ModelBuilder, rng: random.Random) -> str:
    """Sizes no longer decide whether it is refused: only activations change."""
    dtype = rng.choice((0, 2, 3, 4, 6, 7, 9, 12, 15))
    for tensor in builder.graph.tensors:
        if not _is_constant(builder, tensor):
            tensor.type = dtype
    return str(dtype)


def _variable(builder: ModelBuilder, rng: random.Random) -> str:
    tensor = _tensor(builder, rng)
    tensor.isVariable = not tensor.isVariable
    return str(tensor.isVariable)


def _sparse(builder: ModelBuilder, rng: random.Random) -> str:
    _tensor(builder, rng).sparsity = schema.SparsityParametersT()
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
    quantization.quantizedDimension = rng.choice(_INTEGERS)
    return str(quantization.quantizedDimension)


def _no_quantization(builder: ModelBuilder, rng: random.Random) -> str:
    _tensor(builder, rng).quantization = None
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
    tensor, count = _tensor(builder, rng), len(builder.model.buffers)
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
    tensor = _tensor(builder, rng)
    tensor.externalBuffer = rng.choice((1, 2, 2**32 - 1))
    return str(tensor.externalBuffer)


def _swapped_buffers(builder: ModelBuilder, rng: random.Random) -> str:
    a, b = _tensor(builder, rng), _tensor(builder, rng)
    a.buffer, b.buffer = b.buffer, a.buffer
    return f"{a.buffer} and {b.buffer}"


def _lost_buffers(builder: ModelBuilder, rng: random.Random) -> str:
    del builder.model.buffers[rng.randrange(1, len(builder.model.buffers) + 1) :]
    return f"all from {len(builder.model.buffers)}"


# Ops


def _operand(builder: ModelBuilder, rng: random.Random) -> str:
    op, field = _op(builder, rng), rng.choice(("inputs", "inputs", "outputs", "intermediates"))
    indices = [int(index) for index in (getattr(op, field) if getattr(op, field) is not None else ())]
    way = rng.choice(("change", "add", "drop", "double", "many"))
    if way == "change" and indices:
        indices[rng.randrange(len(indices))] = _index(builder, rng)
    elif way == "drop" and indices:
        del indices[rng.randrange(len(indices))]
    elif way == "double":
        indices *= 2
    elif way == "many":
        indices = [_index(builder, rng) for _ in range(rng.choice(_COUNTS))]
    else:
        indices.append(_index(builder, rng))
    setattr(op, field, indices)
    return f"{field} {way}: {indices[:6]}"


def _options_value(builder: ModelBuilder, rng: random.Random) -> str:
    table = _op(builder, rng).builtinOptions
    fields = [name for name, value in vars(table).items() if isinstance(value, int | float)] if table else []
    if not fields:
        return "none"
    field = rng.choice(fields)
    value: object = rng.choice(_FLOATS if isinstance(getattr(table, field), float) else _INTEGERS)
    if isinstance(getattr(table, field), bool):
        value = not getattr(table, field)
    elif isinstance(value, int) and rng.random() < 0.5:  # a field may be of one byte
        value = rng.choice((-1, 0, 1, 2, 3, 4, 17, 127))
    setattr(table, field, value)
    return f"{type(table).__name__}.{field} = {value}"


def _options_kind(builder: ModelBuilder, rng: random.Random) -> str:
    op = _op(builder, rng)
    names = [name for name in vars(schema.BuiltinOptions) if not name.startswith("_")]
    name = rng.choice(names)
    op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    op.builtinOptions = None if name == "NONE" else getattr(schema, f"{name}T")()
    return name


def _large_options(builder: ModelBuilder, rng: random.Random) -> str:
    op = _op(builder, rng)
    op.largeCustomOptionsOffset, op.largeCustomOptionsSize = rng.choice((1, 2, 4096, 2**63)), rng.choice((0, 1, 2**63))
    return str(op.largeCustomOptionsOffset)


def _code_index(builder: ModelBuilder, rng: random.Random) -> str:
    op, count = _op(builder, rng), len(builder.model.operatorCodes)
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


# The whole


def _ends(builder: ModelBuilder, rng: random.Random) -> str:
    indices = [_index(builder, rng) for _ in range(rng.choice((0, 1, 1, 2, 300)))]
    field = rng.choice(("inputs", "outputs"))
    given = getattr(builder.graph, field)
    if rng.random() < 0.5 and given is not None:
        indices += [int(index) for index in given]
    setattr(builder.graph, field, indices)
    return f"{field} {indices[:6]}"


def _inner_outputs(builder: ModelBuilder, rng: random.Random) -> str:
    """Outputs that make sense: some of what ops write."""
    written = [int(index) for op in builder.graph.operators for index in op.outputs]
    builder.graph.outputs = rng.sample(written, rng.randrange(len(written) + 1))
    return str(builder.graph.outputs[:6])


def _subgraphs(builder: ModelBuilder, rng: random.Random) -> str:
    builder.model.subgraphs = rng.choice(([], [builder.graph] * 2, [builder.graph] * 50, [schema.SubGraphT()]))
    return str(len(builder.model.subgraphs))


def _version(builder: ModelBuilder, rng: random.Random) -> str:
    builder.model.version = rng.choice((0, 2, 4, 2**32 - 1))
    return str(builder.model.version)


def _missing(builder: ModelBuilder, rng: random.Random) -> str:
    """A vector or a table that is always there is not."""
    table = rng.choice((builder.model, builder.graph, _tensor(builder, rng), _op(builder, rng)))
    field = rng.choice([name for name, value in vars(table).items() if value is not None])
    value = getattr(table, field)
    setattr(table, field, 0 if isinstance(value, int | float) else None)
    if builder.model.buffers is None:
        builder.model.buffers = [schema.BufferT()]
    for owner, name in ((builder.model, "operatorCodes"), (builder.graph, "tensors"), (builder.graph, "operators")):
        if getattr(owner, name) is None:
            setattr(owner, name, [])
    return f"{type(table).__name__}.{field}"


def _name(builder: ModelBuilder, rng: random.Random) -> str:
    name = hostile_text(rng)
    _tensor(builder, rng).name = name
    return repr(name[:40])


def _all_names(builder: ModelBuilder, rng: random.Random) -> str:
    for tensor in builder.graph.tensors:
        name = hostile_text(rng)
        tensor.name = name if len(name) < 1000 else name[:1000]
    builder.graph.name = builder.model.description = hostile_text(rng)
    return "of all tensors, of the graph and of the model"


def _custom_op(builder: ModelBuilder, rng: random.Random) -> str:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = 32
    code.customCode = hostile_text(rng)
    builder.model.operatorCodes.append(code)
    _op(builder, rng).opcodeIndex = len(builder.model.operatorCodes) - 1
    return repr(code.customCode[:40])


def _signatures(builder: ModelBuilder, rng: random.Random) -> str:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = hostile_text(rng), rng.choice((0, 1, 2**32 - 1))
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = hostile_text(rng)[:1000], rng.choice((0, 2**32 - 1))
    signature.inputs = signature.outputs = [entry] * rng.choice(_COUNTS)
    builder.model.signatureDefs = [signature] * rng.choice((1, 10))
    return f"of subgraph {signature.subgraphIndex}, tensor {entry.tensorIndex}"


def _metadata(builder: ModelBuilder, rng: random.Random) -> str:
    """Where tensors are to be in the arena, as OfflineMemoryAllocation has it: version, graph, count, offsets."""
    plan = [1, 0, rng.choice((len(builder.graph.tensors), 0, -1, 2**31 - 1))]
    plan += [rng.choice((-1, -1, 0, 16, 1 << 20, -(2**31), 2**31 - 1)) for _ in builder.graph.tensors]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.asarray(plan, np.int32).tobytes()[: rng.choice((None, 4, 12))], np.uint8)
    builder.model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name = rng.choice((b"OfflineMemoryAllocation", hostile_text(rng)))
    entry.buffer = rng.choice((len(builder.model.buffers) - 1, 0, 2**32 - 1))
    builder.model.metadata = [entry] * rng.choice((1, 2))
    return repr(entry.name[:40])


# Bombs: valid or nearly so, and enormous


def _unused_tensors(builder: ModelBuilder, rng: random.Random) -> str:
    extra = schema.TensorT()
    extra.name, extra.type, extra.buffer, extra.shape = b"", 9, 0, rng.choice(([1], [1, 1 << 30], [1, 8]))
    count = 5 * rng.choice(_COUNTS)
    builder.graph.tensors.extend([extra] * count)
    return f"{count} of shape {extra.shape}"


def _long_chain(builder: ModelBuilder, rng: random.Random) -> str:
    """The output goes through many more ops, each of the same shape and quantisation; or all of them are outputs."""
    if builder.graph.outputs is None or not len(builder.graph.outputs):
        return "none"
    kind, count, fans = rng.choice(("RELU", "RELU", "ABS", "TANH")), rng.choice(_COUNTS), rng.random() < 0.3
    last = int(builder.graph.outputs[0])
    if not 0 <= last < len(builder.graph.tensors):
        return "none"
    pattern = builder.graph.tensors[last]
    code = builder._code(kind)
    outputs = []
    for _ in range(count):
        builder.graph.tensors.append(pattern)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = code, [last], [len(builder.graph.tensors) - 1]
        builder.graph.operators.append(op)
        outputs.append(len(builder.graph.tensors) - 1)
        last = last if fans else outputs[-1]
    builder.graph.outputs = outputs if fans or rng.random() < 0.2 else outputs[-1:]
    return f"{count} {kind} {'side by side' if fans else 'in a row'}, {len(builder.graph.outputs)} outputs"


def _stretched(builder: ModelBuilder, rng: random.Random) -> str:
    """Images of many times the height and width, and all layers behind: valid, and enormous to compute."""
    factor = rng.choice((2, 3, 8, 32, 128, 512))
    for tensor in builder.graph.tensors:
        is_image = tensor.shape is not None and len(tensor.shape) == 4 and not _is_constant(builder, tensor)
        if is_image:
            tensor.shape = [int(tensor.shape[0]), *(_times(int(s), factor) for s in tensor.shape[1:3]), tensor.shape[3]]
            tensor.shapeSignature = None
    for op in builder.graph.operators:
        if isinstance(op.builtinOptions, schema.Pool2DOptionsT) and op.builtinOptions.filterHeight > 2:
            for field in ("filterHeight", "filterWidth", "strideH", "strideW"):
                setattr(op.builtinOptions, field, _times(getattr(op.builtinOptions, field), factor))
    return f"by {factor}"


def _times(size: int, factor: int) -> int:
    return size if size == 1 else max(-(2**31), min(size * factor, 2**31 - 1))


def _is_constant(builder: ModelBuilder, tensor: Any) -> bool:
    if not 0 < tensor.buffer < len(builder.model.buffers):
        return False
    data = builder.model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


CHANGES: tuple[Change, ...] = (
    *(_shape, _shape, _signature, _dtype, _dtype, _dtype_of_all, _variable, _sparse, _scale, _scale, _zero_point),
    *(_zero_point, _axis, _no_quantization, _swapped_tensors, _lost_tensor, _buffer_index, _buffer_data, _buffer_data),
    *(_buffer_offset, _external_buffer, _swapped_buffers, _lost_buffers, _operand, _operand, _options_value),
    *(_options_value, _options_value, _options_kind, _large_options, _code_index, _code, _op_order, _ends),
    *(_inner_outputs, _inner_outputs, _subgraphs, _version, _missing, _name, _all_names, _all_names, _all_names),
    *(_custom_op, _signatures, _metadata, _unused_tensors, _long_chain, _long_chain, _stretched, _stretched),
)
