"""How large the parts of a firmware are that are the same for all models: measured once, and read from firmware/sizes.

The files are written by ``python -m tinydeploy.benchmark.code_sizes``, which says how. An estimate from them is that of
the compiler and libraries that they name; what is built with others is near.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tinydeploy.boards import Board
from tinydeploy.files import data_dir
from tinydeploy.model.graph import Graph

_ALIKE = {
    "cortex-m0plus": "cortex-m0",
    "cortex-m7": "cortex-m4",
    "cortex-m33": "cortex-m4",
    "cortex-m35p": "cortex-m4",
    "cortex-m85": "cortex-m55",
}
"""Cores with the instruction set of another, as far as the compiler makes use of it here; tables may have both."""

_OTHER_CORES = 1.25
"""What the code of a core of which nothing was measured takes of the largest that was: a figure from above. For RV32IMC
(GCC 12.2), the plain kernels take 0.87 of it together, the larger ones at most 1.18; Xtensa's are not known."""

_CORE_VECTORS = 16
"""The exceptions of the core itself, in the table of vectors before the interrupts: Armv6-M and later."""

_GAPS_BYTES = 24
"""RAM that is lost where the arena and the buffers begin, each at a multiple of 16: half of that at each, about."""

_MODEL_BYTES = 64
"""``struct td_model`` and the model's SHA-256: firmware/include/td_model.h, 32 bytes each."""

_TENSOR_BYTES = 36
"""``struct td_tensor``, there; the name, of which so many characters are kept, is apart."""

_NAME_CHARS = 31


@dataclass(frozen=True, kw_only=True)
class Part:
    """Code or variables that are linked as soon as one of their ``users`` is, and their bytes by column."""

    users: frozenset[str]
    bytes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class SizeTable:
    """Bytes of what a firmware consists of, by column: a core, or a core and its kernels (``cortex-m4 cmsis_nn``).

    ``base`` is the flash of all that is always there but the port, ``state`` its RAM without stack, arena and buffers;
    ``ports`` are the sources below firmware/ports that not all boards have, by core; ``parts`` is what there is in
    flash besides, ``variables`` in RAM.
    ``instances`` are functions that there are as often as a model needs them, ``parameters`` the sizes of kernels'
    parameter structs, the same on all cores.
    """

    base: Mapping[str, int]
    state: Mapping[str, int]
    ports: Mapping[str, Mapping[str, int]]
    parts: tuple[Part, ...]
    variables: tuple[Part, ...]
    instances: Mapping[str, Mapping[str, int]]
    parameters: Mapping[str, int]

    def column(self, core: str, kernels: str = "") -> str:
        """The column with a core's figures, by the name that its board's file gives the core; or one like it."""
        columns = [f"{name} {kernels}".strip() for name in (core, _ALIKE.get(core, core))]
        return next((column for column in columns if column in self.base), columns[0])

    def flash_bytes(self, board: Board, column: str, used: Collection[str]) -> int:
        """What a firmware with these users takes on a board, beside the model."""
        return self._figure(self.base, column) + self._port_bytes(board) + self.parts_bytes(column, used)

    def parts_bytes(self, column: str, used: Collection[str]) -> int:
        """What these users take, and what they call."""
        return self._sum(self.parts, column, used)

    def instance_bytes(self, column: str, function: str) -> int:
        """What one instance of a function takes; nothing for what is no such function."""
        return self._figure(self.instances.get(function, {}), column)

    def state_bytes(self, column: str, used: Collection[str] = ()) -> int:
        """The firmware's own variables, and those of these users."""
        return self._figure(self.state, column) + self._sum(self.variables, column, used)

    def _sum(self, parts: tuple[Part, ...], column: str, used: Collection[str]) -> int:
        return sum(self._figure(part.bytes, column) for part in parts if not part.users.isdisjoint(used))

    def _port_bytes(self, board: Board) -> int:
        """The port's own sources and its vectors; a framework's port, which is not measured, as the largest of ours."""
        largest = {source: max(sizes.values()) for source, sizes in self.ports.items()}
        if board.framework:
            return max(largest.values())
        sources = sum(self.ports.get(s, {}).get(board.core, largest.get(s, 0)) for s in board.port.sources)
        return sources + 4 * (_CORE_VECTORS + board.port.irqs)

    def _figure(self, sizes: Mapping[str, int], column: str) -> int:
        """A column's bytes, none where it needs none; of a column that is not there those of the largest, and more."""
        if column in self.base:
            return sizes.get(column, 0)
        kernels = column.partition(" ")[2]
        alike = (size for name, size in sizes.items() if name.partition(" ")[2] == kernels)
        return round(_OTHER_CORES * max(alike, default=0))


def model_tables_bytes(graph: Graph) -> int:
    """Flash of what both engines' sources say of a model: what it is, and its inputs and outputs."""
    ends = (graph.tensors[index] for index in (*graph.inputs, *graph.outputs))
    return _MODEL_BYTES + sum(_TENSOR_BYTES + min(len(end.name), _NAME_CHARS) + 1 for end in ends)


def firmware_state_bytes(board: Board) -> int:
    """RAM of link, runner and port beside buffers, arena and stack, whatever the engine."""
    table = read_size_table("aot")
    return table.state_bytes(table.column(board.core)) + _GAPS_BYTES


@cache
def read_size_table(name: str) -> SizeTable:
    """The table firmware/sizes/NAME.json. The ports, which are the same for all engines, are in that of `aot`."""
    found = json.loads((data_dir("firmware") / "sizes" / f"{name}.json").read_text(encoding="utf-8"))
    return SizeTable(
        base=found["base"],
        state=found["state"],
        ports=found.get("ports") or read_size_table("aot").ports,
        parts=_parts(found["parts"]),
        variables=_parts(found.get("variables", ())),
        instances=found.get("instances", {}),
        parameters=found.get("parameters", {}),
    )


def _parts(rows: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(users=frozenset(row["of"]), bytes=row["bytes"]) for row in rows)
