"""Program and Layout → model.c: one function a kernel call, with its constants in it, and the list of calls.

Only the form of the text is decided here. Nothing that stands in a model file reaches the source but numbers and names
cut down to harmless characters.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.kernel_sets import kernel_header
from tinydeploy.engines.aot.layout import Layout, Memory
from tinydeploy.engines.aot.plain import PLAIN
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter, Program, arrays_of
from tinydeploy.engines.c_source import byte_lines, float_literal, lines_of, tensor_tables
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.macs import graph_macs, op_macs
from tinydeploy.model.text import shape_text
from tinydeploy.templates import render

_SHARED_BYTES = 32
"""Arrays of at least this size that calls have in common stand in flash once; smaller ones stay with each call."""


def emit_model(
    model: Graph, compiled: Compiled, layout: Layout, *, observable: bool = False
) -> dict[PurePosixPath, bytes]:
    """The generated files by their places in the project: the C source that defines ``td_model``, and its headers.

    ``model`` is the graph as it was before the exact passes. ``observable``: the arena is to be shown to the host.
    """
    graph, program = compiled.graph, compiled.program
    functions = _function_names(model, program)
    shared = _shared_names(program)
    source = render(
        "aot/model.c.j2",
        title=f"{len(model.ops)} layers, {graph_macs(graph):,} multiply-accumulates",
        sha256=model.sha256,
        sha256_bytes=byte_lines(bytes.fromhex(model.sha256)),
        summary=f"Arena {layout.arena_bytes:,} bytes, constants {constant_bytes(compiled):,} bytes.",
        headers=sorted({kernel_header(compiled.kernels, kernel) for kernel in program.kernels}),
        arena_bytes=layout.arena_bytes,
        constants=_file_scope_arrays(graph, program, shared),
        calls=[_function(compiled, layer, call, functions[id(call)], shared) for layer, call in _calls(program)],
        steps=_steps(model, program, layout, functions),
        reads_inputs=_reads_inputs(program, layout),
        layers=len(program.layers),
        observable=observable,
        sides=list(
            tensor_tables(
                graph,
                [layout.places[index].offset for index in graph.inputs],
                [layout.places[index].offset for index in graph.outputs],
            )
        ),
    )
    files = {PurePosixPath("src/model.c"): source}
    if compiled.kernels == "dsp":
        files[PurePosixPath("include/td_shifts.h")] = render("aot/td_shifts.h.j2", shifts=program.shifts)
    return files


def constant_bytes(compiled: Compiled) -> int:
    """Bytes of all constant arrays in flash, without parameter structs."""
    return layer_constant_bytes(compiled.graph, compiled.program.layers)


def layer_constant_bytes(graph: Graph, layers: tuple[Layer, ...]) -> int:
    """Bytes of the constant arrays that these layers use; what stands in flash once counts once."""
    keyed = _keyed_arrays(layers)
    large = sum(array.nbytes for array in dict(keyed).values() if array.nbytes >= _SHARED_BYTES)
    small = sum(array.nbytes for _, array in keyed if array.nbytes < _SHARED_BYTES)
    return large + small + sum(tensor.nbytes for tensor in _constant_operands(graph, Program(layers=layers)))


def _calls(program: Program) -> Iterator[tuple[Layer, Call]]:
    return ((layer, call) for layer in program.layers for call in layer.calls)


def _keyed_arrays(layers: Sequence[Layer]) -> list[tuple[bytes, Array]]:
    """All arrays of the calls, each with a key that equal ones have in common."""
    arrays = (array for layer in layers for call in layer.calls for _, array in arrays_of(call.parameters))
    return [(_key(array), array) for array in arrays]


def _key(array: Array) -> bytes:
    return array.values.dtype.str.encode() + array.values.tobytes()


def _shared_names(program: Program) -> dict[bytes, str]:
    """C names for the arrays that stand in flash once for several calls, by their keys."""
    count = Counter(key for key, array in _keyed_arrays(program.layers) if array.nbytes >= _SHARED_BYTES)
    return {key: f"shared_{number}" for number, key in enumerate(key for key in count if count[key] > 1)}


def _constant_operands(graph: Graph, program: Program) -> list[Tensor]:
    """Constant tensors that calls read as operands, each once."""
    indices = {operand.tensor for _, call in _calls(program) for operand in call.inputs}
    return [graph.tensors[index] for index in sorted(indices) if graph.tensors[index].is_constant]


def _file_scope_arrays(graph: Graph, program: Program, shared: Mapping[bytes, str]) -> list[dict[str, object]]:
    """What stands outside the functions: constant tensors that calls read, and arrays that several calls share."""
    tensors = [(t, t.data) for t in _constant_operands(graph, program) if t.data is not None]
    arrays = {shared[key]: array.values for key, array in _keyed_arrays(program.layers) if key in shared}
    named = [(f"Tensor {t.index}, {shape_text(t.shape)}", _array(f"tensor_{t.index}", data)) for t, data in tensors]
    named += [("Of several layers", _array(name, values)) for name, values in arrays.items()]
    return [{"comment": comment, "array": array} for comment, array in named]


def _function_names(graph: Graph, program: Program) -> dict[int, str]:
    """A C function name for each call, by the call's identity.

    It says the op (``layer_3_conv_2d``); of several calls the kernel (``layer_3_plane_border``), numbered where one is
    called again.
    """
    names = {}
    for layer in program.layers:
        kernels = Counter(call.kernel for call in layer.calls)
        what = {kernel: kernel if len(layer.calls) > 1 else graph.ops[layer.op].kind.lower() for kernel in kernels}
        for number, call in enumerate(layer.calls):
            name = f"layer_{layer.op}_{what[call.kernel]}"
            names[id(call)] = f"{name}_{number}" if kernels[call.kernel] > 1 else name
    return names


def _function(
    compiled: Compiled, layer: Layer, call: Call, name: str, shared: Mapping[bytes, str]
) -> dict[str, object]:
    arrays = arrays_of(call.parameters)
    names = {array_name: shared.get(_key(array), array_name) for array_name, array in arrays}
    inputs = ["input"] if len(call.inputs) == 1 else [f"input_{i}" for i in range(len(call.inputs))]
    results = ["output", "scratch"] if call.scratch_bytes else ["output"]
    return {
        "comment": _layer_comment(compiled, layer),
        "function": name,
        "signature": ", ".join([*(f"const int8_t *{i}" for i in inputs), *(f"int8_t *{o}" for o in results)]),
        "kernel": call.kernel,
        "arrays": [_array(array_name, array.values) for array_name, array in arrays if names[array_name] == array_name],
        "fields": "\n".join(_fields(call.parameters, names)),
        "arguments": ", ".join([f"&{call.kernel}", *inputs, *results]),
    }


def _layer_comment(compiled: Compiled, layer: Layer) -> str:
    graph = compiled.graph
    choice = next(choice for choice in compiled.choices if choice.op == layer.op)
    op = next(op for op in graph.ops if op.index == layer.op)
    macs = op_macs(graph, op)
    shapes = " + ".join(
        shape_text(graph.tensors[i].shape) for i in op.inputs if i >= 0 and not graph.tensors[i].is_constant
    )
    outputs = " + ".join(shape_text(graph.tensors[i].shape) for i in op.outputs)
    facts = [f"{op.kind}, {shapes or 'constant'} -> {outputs}"]
    facts += [f"{macs:,} multiply-accumulates"] if macs else []
    facts += [choice.chosen.name] if choice.chosen.name != PLAIN else []
    return f"Layer {layer.op}: {', '.join(facts)}"


def _steps(model: Graph, program: Program, layout: Layout, functions: Mapping[int, str]) -> list[dict[str, object]]:
    """The lines of each layer in the function that runs them all."""
    numbers = {id(call): number for number, (_, call) in enumerate(_calls(program))}
    steps: list[dict[str, object]] = []
    for layer in program.layers:
        lines = []
        for call in layer.calls:
            arguments = [_address(operand, layout) for operand in (*call.inputs, call.output)]
            if call.scratch_bytes:
                arguments.append(_in_arena(layout.scratch[numbers[id(call)]]))
            lines.append(f"{functions[id(call)]}({', '.join(arguments)});")
        kind = model.ops[layer.op].kind
        nothing = "only renames its input" if layer.aliases else "is not needed: other layers do its part"
        steps.append({"layer": layer.op, "lines": lines or [f"/* Layer {layer.op}: {kind} {nothing}. */"]})
    return steps


def _address(operand: Operand, layout: Layout) -> str:
    place = layout.places[operand.tensor]
    base = {
        Memory.INPUT: "in",
        Memory.OUTPUT: "out",
        Memory.ARENA: "arena",
        Memory.FLASH: f"tensor_{operand.tensor}",
    }[place.memory]
    return _plus(base, place.offset + operand.byte_offset)


def _in_arena(offset: int) -> str:
    return _plus("arena", offset)


def _plus(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def _reads_inputs(program: Program, layout: Layout) -> bool:
    return any(
        layout.places[operand.tensor].memory is Memory.INPUT for _, call in _calls(program) for operand in call.inputs
    )


def _fields(parameters: Mapping[str, Parameter], names: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """Designated initialisers, a line each, nested structs indented; ``names`` says how each array is called in C."""
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield f".{name} = {{"
            yield from (f"    {line}" for line in _fields(value, names, f"{prefix}{name}_"))
            yield "},"
        elif isinstance(value, Array):
            yield f".{name} = {names[prefix + name]},"
        else:
            yield f".{name} = {_value(value)},"


def _value(value: float | str | tuple[int, ...]) -> str:
    match value:
        case tuple():
            return f"{{{', '.join(str(item) for item in value)}}}"
        case float():
            return float_literal(value)
        case _:
            return str(value)


def _array(name: str, values: npt.NDArray[np.generic]) -> dict[str, object]:
    flat = values.reshape(-1)
    literals = [float_literal(v) for v in flat.tolist()] if flat.dtype.kind == "f" else _int_literals(flat)
    ctype = {"f": "float"}.get(flat.dtype.kind, f"{flat.dtype.name}_t")
    return {
        "ctype": ctype,
        "name": name,
        "length": " * ".join(map(str, values.shape)) or "1",
        "body": lines_of(literals),
    }


def _int_literals(values: npt.NDArray[np.generic]) -> list[str]:
    """The values as C literals; INT32_MIN by name, since -2147483648 is not an int in C."""
    return ["INT32_MIN" if value == -(2**31) else str(value) for value in values.tolist()]
