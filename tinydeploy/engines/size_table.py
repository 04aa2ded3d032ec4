"""How large the parts of a firmware are that are the same for all models: measured once, and read from firmware/sizes.

The files are written by ``python -m tinydeploy.benchmark.code_sizes``, which says how. An estimate from them is that of
the compiler and libraries that they name; what is built with others is near.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from tinydeploy.boards import Board
from tinydeploy.files import data_dir

_SAME_CODE = {
    "cortex-m0plus": "cortex-m0",
    "cortex-m33": "cortex-m4",
    "cortex-m35p": "cortex-m4",
    "cortex-m85": "cortex-m55",
}
"""Cores that run another's instruction set, as far as the compiler makes use of it here."""

_OTHER_CORES = 1.25
"""What the code of a core that was not measured takes of the largest that was: an upper figure. Of Xtensa and RISC-V
with compressed instructions, whose code is that of Thumb and up to a quarter more."""

_CORE_VECTORS = 16
"""The exceptions of the core itself, in the table of vectors before the interrupts: Armv6-M and later."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Code that is linked as soon as one of its ``users`` is, and its bytes by column."""

    users: frozenset[str]
    bytes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class SizeTable:
    """Bytes of what a firmware consists of, by column: a core, or a core and its kernels (``cortex-m4 cmsis_nn``).

    ``base`` is the flash of all that is always there but the port, ``state`` its RAM without stack, arena and buffers;
    ``ports`` are the sources below firmware/ports that not all boards have, ``parts`` what there is besides.
    ``instances`` are functions that there are as often as a model needs them, ``parameters`` the sizes of kernels'
    parameter structs, the same on all cores.
    """

    base: Mapping[str, int]
    state: Mapping[str, int]
    ports: Mapping[str, Mapping[str, int]]
    parts: tuple[Part, ...]
    instances: Mapping[str, Mapping[str, int]]
    parameters: Mapping[str, int]

    def flash_bytes(self, board: Board, column: str, used: Collection[str]) -> int:
        """What a firmware with these users takes on a board, beside the model."""
        base = _figure(self.base, column)
        return base + self._port_bytes(board, column) + self.parts_bytes(column, used)

    def parts_bytes(self, column: str, used: Collection[str]) -> int:
        """What these users take, and what they call."""
        return sum(_figure(part.bytes, column) for part in self.parts if not part.users.isdisjoint(used))

    def instance_bytes(self, column: str, function: str) -> int:
        """What one instance of a function takes; nothing for what is no such function."""
        return _figure(self.instances.get(function, {}), column)

    def state_bytes(self, column: str) -> int:
        """The firmware's own variables."""
        return _figure(self.state, column)

    def _port_bytes(self, board: Board, column: str) -> int:
        """The port's own sources and its vectors; for a framework's, which is not measured, all that there are."""
        if board.framework:
            return sum(_figure(sizes, column) for sizes in self.ports.values())
        sources = sum(_figure(self.ports.get(source, {}), column) for source in board.port.sources)
        return sources + 4 * (_CORE_VECTORS + board.port.irqs)


def column_of(core: str) -> str:
    """The column with a core's figures, by the name that its board's file gives the core; its own where it has none."""
    return _SAME_CODE.get(core, core)


def _figure(sizes: Mapping[str, int], column: str) -> int:
    """A column's bytes, none where it needs none; of a core that is in no column those of the largest, and more."""
    core, _, kernels = column.partition(" ")
    if core in _MEASURED:
        return sizes.get(column, 0)
    alike = (size for name, size in sizes.items() if name.partition(" ")[2] == kernels)
    return round(_OTHER_CORES * max(alike, default=0))


_MEASURED = frozenset({"cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55"})


def firmware_state_bytes(board: Board) -> int:
    """RAM of link, runner and port beside buffers, arena and stack, whatever the engine."""
    return read_size_table("aot").state_bytes(column_of(board.core))


@cache
def read_size_table(name: str) -> SizeTable:
    """The table firmware/sizes/NAME.json."""
    found = json.loads((data_dir("firmware") / "sizes" / f"{name}.json").read_text(encoding="utf-8"))
    parts = tuple(Part(users=frozenset(part["of"]), bytes=part["bytes"]) for part in found["parts"])
    return SizeTable(
        base=found["base"],
        state=found["state"],
        ports=found["ports"],
        parts=parts,
        instances=found.get("instances", {}),
        parameters=found.get("parameters", {}),
    )
