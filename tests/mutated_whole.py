"""Changes to a model as a whole: its ends, its names, what hangs on it, and bombs: see `mutated_structure`."""

import random

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hostile_names import hostile_text
from mutated_parts import COUNTS, Change, a_tensor, an_index, an_op, is_constant
from tflite_builder import ModelBuilder


def _ends(builder: ModelBuilder, rng: random.Random) -> str:
    indices = [an_index(builder, rng) for _ in range(rng.choice((0, 1, 1, 2, 300)))]
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
    table = rng.choice((builder.model, builder.graph, a_tensor(builder, rng), an_op(builder, rng)))
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
    a_tensor(builder, rng).name = name
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
    an_op(builder, rng).opcodeIndex = len(builder.model.operatorCodes) - 1
    return repr(code.customCode[:40])


def _signatures(builder: ModelBuilder, rng: random.Random) -> str:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = hostile_text(rng), rng.choice((0, 1, 2**32 - 1))
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = hostile_text(rng)[:1000], rng.choice((0, 2**32 - 1))
    signature.inputs = signature.outputs = [entry] * rng.choice(COUNTS)
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
    count = 5 * rng.choice(COUNTS)
    builder.graph.tensors.extend([extra] * count)
    return f"{count} of shape {extra.shape}"


def _long_chain(builder: ModelBuilder, rng: random.Random) -> str:
    """The output goes through many more ops, each of the same shape and quantisation; or all of them are outputs."""
    if builder.graph.outputs is None or not len(builder.graph.outputs):
        return "none"
    kind, count, fans = rng.choice(("RELU", "RELU", "ABS", "TANH")), rng.choice(COUNTS), rng.random() < 0.3
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
        is_image = tensor.shape is not None and len(tensor.shape) == 4 and not is_constant(builder, tensor)
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


WHOLE: tuple[Change, ...] = (
    *(_ends, _inner_outputs, _inner_outputs, _subgraphs, _version, _missing, _name, _all_names, _all_names, _all_names),
    *(_custom_op, _signatures, _metadata, _unused_tensors, _long_chain, _long_chain, _stretched, _stretched),
)
