"""Board files: found, read and put into dataclasses."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from tinydeploy.boards.board import Board, SerialLine
from tinydeploy.boards.check import InvalidBoardError, check_board
from tinydeploy.errors import UsageError, near_key
from tinydeploy.files import data_dir


@cache
def load_boards() -> tuple[Board, ...]:
    """All boards that come with the project, in the order of their ids."""
    return tuple(sorted((read_board(path) for path in data_dir("boards").glob("*.toml")), key=lambda b: b.id))


def find_board(name: str) -> Board:
    """The board with this id, or the one that the .toml file of this path describes.

    Raises:
        UsageError: There is no such board (the message has the nearest ids), or its file is not valid.
    """
    if name.endswith(".toml"):
        return replace(read_board(Path(name)), path=Path(name))
    boards = {board.id: board for board in load_boards()}
    if name in boards:
        return boards[name]
    near = difflib.get_close_matches(name.lower(), boards, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(boards)}"
    raise UsageError(f"unknown board {name!r}", hint=f"{hint}\nor the path of your own board.toml")


def read_board(path: Path) -> Board:
    """Reads and checks one board file.

    Raises:
        UsageError: The file cannot be read or is not a valid board; the message names the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _invalid(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, f"is not TOML: {error}") from error
    try:
        board = _with_line(_with_own_sources(_build(Board, table, ""), path.resolve().parent), table)
        check_board(board)
    except InvalidBoardError as error:
        raise _invalid(path, str(error)) from error
    return board


def _invalid(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"not a board file: {problem}",
        where={"file": str(path)},
        hint=f"compare it with one that is: {data_dir('boards') / 'qemu-cortex-m4.toml'}",
    )


T = TypeVar("T")


def _build(kind: type[T], table: object, place: str) -> T:
    """A dataclass from a TOML table, or an error that names the key."""
    if not isinstance(table, dict):
        raise InvalidBoardError(f"{place.rstrip('.')}: a table is needed")
    known = {f.name: f for f in fields(kind) if f.compare}  # type: ignore[arg-type]  # Board.path is not in the file
    for key in table:
        if key not in known:
            raise InvalidBoardError(f"{place}{key}: no such key {near_key(key, known)}")
    for name, expected in known.items():
        if name not in table and expected.default is MISSING:
            raise InvalidBoardError(f"{place}{name}: missing")
    return kind(**{key: _convert(value, known[key].type, place + key) for key, value in table.items()})


def _convert(value: object, kind: Any, place: str) -> object:  # noqa: ANN401 - a type annotation as an object
    """A TOML value as the type of a dataclass's field."""
    if get_origin(kind) in (Union, UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise InvalidBoardError(f"{place}: a list is needed")
        return tuple(_convert(item, get_args(kind)[0], f"{place}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise InvalidBoardError(f"{place}: {value!r} is not one of {', '.join(get_args(kind))}")
        return value
    if kind not in (str, int):
        return _build(kind, value, f"{place}.")
    if type(value) is not kind:
        raise InvalidBoardError(f"{place}: {'text' if kind is str else 'a whole number'} is needed, not {value!r}")
    return value


def _with_own_sources(board: Board, folder: Path) -> Board:
    """The board, its sources that begin with ``./`` or ``../`` found from the folder of its file."""
    sources = (str((folder / s).resolve()) if s.startswith(("./", "../")) else s for s in board.port.sources)
    return replace(board, port=replace(board.port, sources=tuple(sources)))


def _with_line(board: Board, table: Mapping[str, object]) -> Board:
    """Where the file says nothing of the line, it is as fast as the UART, and its control lines do nothing."""
    if "line" in table:
        return board
    if board.uart is None:
        raise InvalidBoardError("line: missing" if board.framework else "uart: missing")
    return replace(board, line=SerialLine(baud=board.uart.baud))
