"""What a project asks of its budgets: tinydeploy.toml, or the table [tool.tinydeploy] of its pyproject.toml.

max-arena = "64K"            # the most that holds on every board
max-growth = "2%"            # how much a figure may grow with --against
engine = "both"              # what --engine is without it

[boards.nucleo_f446re]       # a board that is looked at without --board,
max-ram = "100K"             # and the most that holds there
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tinydeploy.budget.figures import QUANTITIES, Quantity
from tinydeploy.budget.limits import Limits, parse_limit
from tinydeploy.engines import BOTH, ENGINES
from tinydeploy.errors import UsageError, near_key

FILE = "tinydeploy.toml"
PYPROJECT = "pyproject.toml"

_LIMITS: Mapping[str, Quantity] = {f"max-{quantity}": quantity for quantity in QUANTITIES}
_ENGINES = (*ENGINES, BOTH)
_KEYS = (*_LIMITS, "max-growth", "engine", "boards")
_T = TypeVar("_T")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """What the file says; nothing where there is none. ``boards`` are those that it has a table of."""

    path: Path | None = None
    limits: Limits = field(default_factory=Limits)
    boards: tuple[str, ...] = ()
    engine: str | None = None
    growth: float | None = None


class _InvalidError(Exception):
    """What is wrong with the file, and with which key."""


def read_project_file(folder: Path) -> ProjectFile:
    """What holds in a folder: of the nearest folder at or above it that has such a file.

    Where a folder has both, tinydeploy.toml is it.

    Raises:
        UsageError: The file cannot be read, or has a key or a value that means nothing; the message names it.
    """
    for place in (folder.absolute(), *folder.absolute().parents):
        for path, table_of in ((place / FILE, _whole), (place / PYPROJECT, _tool_table)):
            if path.is_file() and (found := _read(path, table_of)) is not None:
                return found
    return ProjectFile()


def parse_share(text: str) -> float:
    """A share as people write it: ``2%``, ``0.5 %``.

    Raises:
        UsageError: It is none.
    """
    found = _SHARE.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{text!r} is no share to grow by", hint="a percentage such as 2%")
    return float(found[1]) / 100


def _whole(tables: Mapping[str, Any]) -> object:
    return tables


def _tool_table(tables: Mapping[str, Any]) -> object:
    tools = tables.get("tool")
    return tools.get("tinydeploy") if isinstance(tools, dict) else None


def _read(path: Path, table_of: Callable[[Mapping[str, Any]], object]) -> ProjectFile | None:
    """None where the file has no such table."""
    try:
        table = table_of(tomllib.loads(path.read_text(encoding="utf-8")))
        return None if table is None else _project_file(path, table)
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(path, f"it is not TOML: {error}") from error
    except _InvalidError as error:
        raise _unusable(path, str(error)) from error


def _project_file(path: Path, table: object) -> ProjectFile:
    found = _known(table, _KEYS, "")
    engine, growth = found.get("engine"), found.get("max-growth")
    if engine is not None and engine not in _ENGINES:
        raise _InvalidError(f"engine: {engine!r} is not one of {', '.join(_ENGINES)}")
    boards = found.get("boards", {})
    if not isinstance(boards, dict):
        raise _InvalidError("boards: a table for each board is needed, such as [boards.pico]")
    return ProjectFile(
        path=path,
        limits=Limits(
            most=_limits(found, ""),
            boards={
                board: _limits(_known(limits, tuple(_LIMITS), f"boards.{board}."), f"boards.{board}.")
                for board, limits in boards.items()
            },
        ),
        boards=tuple(boards),
        engine=engine,
        growth=None if growth is None else _parsed(parse_share, "max-growth", growth),
    )


def _known(table: object, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The table with its keys as they are known, with dashes."""
    if not isinstance(table, dict):
        raise _InvalidError(f"{where.rstrip('.') or 'tool.tinydeploy'}: a table is needed, not {table!r}")
    found = {key.replace("_", "-"): value for key, value in table.items()}
    for key in found:
        if key not in keys:
            raise _InvalidError(f"{where}{key}: no such key {near_key(key, keys)}")
    return found


def _limits(table: Mapping[str, Any], where: str) -> dict[Quantity, int]:
    return {
        quantity: _parsed(partial(parse_limit, quantity), f"{where}{key}", table[key])
        for key, quantity in _LIMITS.items()
        if key in table
    }


def _parsed(parse: Callable[[str], _T], key: str, value: object) -> _T:
    """What a key's number or text means."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _InvalidError(f"{key}: a number or a text is needed, not {value!r}")
    try:
        return parse(str(value))
    except UsageError as error:
        raise _InvalidError(f"{key}: {error.summary}; {error.hint}") from error


def _unusable(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"the project's settings are not usable: {problem}",
        where={"file": str(path)},
        hint="docs/budget.md has all keys with examples",
    )
