"""What a running device takes, as figures on which a test can set limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tinydeploy.budget.limits import parse_amount
from tinydeploy.errors import UsageError

Quantity = Literal["arena", "ram", "flash", "stack", "instructions", "us"]
"""Bytes; instructions of one inference on a virtual board, or microseconds of one on a real board."""

BYTES: tuple[Quantity, ...] = ("arena", "ram", "flash", "stack")

_NAMES: Mapping[Quantity, str] = {"ram": "RAM", "us": "microseconds"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure, None where it is not known; ``origin`` says in a few words where it is from, or why it is not there."""

    value: int | None
    origin: str


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the firmware takes, in bytes.

    ``arena_bytes`` is what the device says that it uses of the ``arena_reserved_bytes`` of its arena; ``ram_bytes``,
    ``flash_bytes`` and ``code_bytes`` (flash without the model's constants, None where they cannot be told apart) are
    read from the firmware's ELF; ``stack_bytes`` is the device's high-water mark since it started, None where it
    cannot tell.
    """

    arena_bytes: int
    arena_reserved_bytes: int
    ram_bytes: int
    flash_bytes: int
    code_bytes: int | None
    stack_bytes: int | None


def limit_of(quantity: Quantity, limit: float | str) -> int:
    """A limit as `tinydeploy budget` takes it: a number, or ``"64K"``; of bytes K is 1024, of the others 1000.

    Raises:
        UsageError: It is none.
    """
    if isinstance(limit, str):
        return parse_amount(_NAMES.get(quantity, quantity), limit, is_count=quantity not in BYTES)
    if limit < 0:
        raise UsageError(f"{limit!r} is no limit of {_NAMES.get(quantity, quantity)}", hint='a number, or "64K"')
    return int(limit)
