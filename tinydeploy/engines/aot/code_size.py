"""How much flash a firmware takes beside the model's arrays: an estimate, within 5 % of what is built (GCC 12.2).

The sizes of kernels and firmware are measured by core (firmware/sizes/aot.json), those of the generated source are
counted here. docs/budget-accuracy.md says how near it comes.
"""

import re
from collections.abc import Iterator, Mapping

from tinydeploy.boards import Board
from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.kernel_sets import KernelSet, kernel_files
from tinydeploy.engines.aot.program import Parameter, arrays_of
from tinydeploy.engines.size_table import SizeTable, model_tables_bytes, read_size_table

_USUAL_COLUMN: Mapping[KernelSet, str] = {
    "reference": "cortex-m4",
    "scalar": "cortex-m3",
    "dsp": "cortex-m4",
    "mve": "cortex-m55",
}
"""A core that runs a set of kernels: where programs are compared and no board is named yet."""

_INVOKE_CODE_BYTES = 34
"""What calls all layers, before it calls any, at -Os. Fitted to the six models of docs/benchmark.md, as is the next."""

_CALL_CODE_BYTES = 24
"""To call a kernel with its operands and to say that its layer is done, at -Os."""

_ARENA_BYTES = 12
"""``struct td_arena``: firmware/include/td_model.h."""

_SHIFT = re.compile(r"_shift_\d+$")


def code_bytes(compiled: Compiled, board: Board) -> int:
    """What a firmware with this program has in flash beside the model's constant arrays, in bytes."""
    table = _table()
    column = table.column(board.core)
    return table.flash_bytes(board, column, _files(compiled)) + _model_bytes(compiled, column)


def usual_code_bytes(compiled: Compiled) -> int:
    """The same on a core that runs such kernels, without a port: to compare programs, before a board is named."""
    column, table = _USUAL_COLUMN[compiled.kernels], _table()
    return table.base[column] + table.parts_bytes(column, _files(compiled)) + _model_bytes(compiled, column)


def _table() -> SizeTable:
    return read_size_table("aot")


def _files(compiled: Compiled) -> tuple[str, ...]:
    return kernel_files(compiled.kernels, compiled.program.kernels)


def _model_bytes(compiled: Compiled, column: str) -> int:
    """The generated source without its arrays: calls, parameter structs, gaps, tables; and what it instantiates."""
    table = _table()
    calls = [call for layer in compiled.program.layers for call in layer.calls]
    functions = {name for call in calls for name in _constants(call.parameters)}
    return (
        _INVOKE_CODE_BYTES
        + _CALL_CODE_BYTES * len(calls)
        + sum(_aligned(table.parameters[call.kernel]) for call in calls)
        + sum(_aligned(array.nbytes) - array.nbytes for call in calls for _, array in arrays_of(call.parameters))
        + _ARENA_BYTES
        + model_tables_bytes(compiled.graph)
        + sum(table.instance_bytes(column, _SHIFT.sub("_shift", name)) for name in functions)
    )


def _aligned(size: int) -> int:
    """What it takes in flash where the next array begins at a multiple of 4."""
    return -(-size // 4) * 4


def _constants(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """The C constants and functions that parameters name."""
    for value in parameters.values():
        if isinstance(value, Mapping):
            yield from _constants(value)
        elif isinstance(value, str):
            yield value
