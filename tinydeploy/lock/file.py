"""Lock ↔ TOML. The standard library reads TOML and does not write it: the few forms that are needed are made here."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from tinydeploy.errors import UsageError
from tinydeploy.files import write_file
from tinydeploy.lock.entry import Lock, LockEntry

LOCK_FILE = Path("tinydeploy.lock")
"""Where it is: in the folder that tinydeploy is started in."""

_VERSION = 1
_TABLE = "deployment"
_HEADER = f"[[{_TABLE}]]"
_COMMENT = """\
# What boards reported of the models that were verified on them. Written by tinydeploy; commit it, do not edit it.
# flash, verify and bench say which figure moved; --update-lock takes the new ones, --locked fails where one moved.
# In a merge conflict keep both sides' entries; where both have the same one, either, and run it with --update-lock.
"""

_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class _InvalidEntryError(Exception):
    """What is wrong with an entry, and with which of its keys."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


def read_lock(path: Path) -> Lock:
    """Reads the lock file; where there is none, or nothing in it, a lock without entries.

    Nothing in it is overlooked: what is not understood is an error, so that writing the file again loses nothing.

    Raises:
        UsageError: It cannot be read, is damaged (the message has the line), or is of a newer version.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise _unusable(path, problem, hint="check its permissions") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unusable(path, "is damaged: not UTF-8", line=line) from error
    return _lock_from(path, text) if text.strip() else Lock()


def write_lock(path: Path, lock: Lock) -> None:
    """Writes the lock file, whole or not at all.

    Raises:
        UsageError: The place cannot be written to.
    """
    write_file(path, lock_text(lock).encode())


def lock_text(lock: Lock) -> str:
    """The file's text: equal locks give equal text."""
    return "\n".join((f"{_COMMENT}version = {_VERSION}\n", *map(_entry_text, lock.entries)))


def _entry_text(entry: LockEntry) -> str:
    values = ((field.name, getattr(entry, field.name)) for field in fields(entry))
    return f"{_HEADER}\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values if value is not None)


def _toml(value: str | int) -> str:
    """A TOML integer, or a basic string on one line."""
    return f"{value:_}" if isinstance(value, int) else f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if "\ud800" <= char <= "\udfff":  # half a pair, as in file names that are not UTF-8: no TOML can have it
        return "\N{REPLACEMENT CHARACTER}"
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08X}"


def _lock_from(path: Path, text: str) -> Lock:
    conflict = _CONFLICT.search(text)
    if conflict:
        raise _unusable(
            path,
            "has a merge conflict",
            line=text.count("\n", 0, conflict.start()) + 1,
            hint="keep both sides' entries; where both have the same one, either, and run it with --update-lock",
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        raise _unusable(path, f"is damaged: {_AT_LINE.sub('', str(error)).lower()}", line=line) from error
    _check_version(path, text, table)
    entries: dict[object, LockEntry] = {}
    for number, values in enumerate(table.get(_TABLE, [])):
        try:
            entry = _entry_from(values)
        except _InvalidEntryError as error:
            raise _unusable(path, f"is damaged: {error}", line=_line_of(text, number, error.key)) from error
        if entry.key in entries:
            raise _unusable(
                path,
                f"has two entries for {entry.model} on {entry.board} ({entry.engine}, {entry.kernels})",
                line=_line_of(text, number),
                hint="remove one of them",
            )
        entries[entry.key] = entry
    return Lock(entries=tuple(entries.values()))


def _check_version(path: Path, text: str, table: Mapping[str, object]) -> None:
    version = table.get("version")
    if type(version) is not int or version < 1:
        line = _line_of(text, -1, "version")
        raise _unusable(path, "is damaged: version: a whole number is needed", line=line)
    if version > _VERSION:
        raise UsageError(
            f"{path.name} was written by a newer tinydeploy (version {version} of the file; this one knows {_VERSION})",
            where={"file": str(path)},
            hint="update tinydeploy",
        )
    for key, value in table.items():
        if key not in ("version", _TABLE) or (key == _TABLE and not isinstance(value, list)):
            raise _unusable(path, f"is damaged: {key}: no such key", line=_line_of(text, -1, key))


def _entry_from(values: object) -> LockEntry:
    if not isinstance(values, dict):
        raise _InvalidEntryError(_TABLE, "a table is needed")
    known = {field.name: field for field in fields(LockEntry)}
    for key in values:
        if key not in known:
            raise _InvalidEntryError(key, "no such key")
    for key, field in known.items():
        if key in values:
            _check_value(key, values[key], field.type)
        elif type(None) not in get_args(field.type):
            raise _InvalidEntryError(key, "missing")
    return LockEntry(**values)


def _check_value(key: str, value: object, kind: Any) -> None:  # noqa: ANN401 - a type annotation as an object
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise _InvalidEntryError(key, f"{value!r} is not one of {', '.join(get_args(kind))}")
    elif kind is str or str in get_args(kind):
        if not isinstance(value, str):
            raise _InvalidEntryError(key, "text is needed")
    elif type(value) is not int or value < 0:
        raise _InvalidEntryError(key, "a whole number is needed, 0 or more")
    if key == "model_sha256" and not _SHA256.fullmatch(str(value)):
        raise _InvalidEntryError(key, "64 hexadecimal digits are needed")


def _line_of(text: str, number: int, key: str = "") -> int | None:
    """The line of a key, or of the heading, in the ``number``-th entry, -1 being what is before all entries.

    None where the entries are not laid out as `lock_text` does it.
    """
    found, line = -1, 0
    heading = None if number >= 0 else 1
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip() == _HEADER:
            found += 1
            heading = line if found == number else heading
        elif found == number and key and re.match(rf'\s*\[*"?{re.escape(key)}"?\s*[]=.]', content):
            return line
    return heading


def _unusable(path: Path, problem: str, *, line: int | None = None, hint: str = "") -> UsageError:
    place = f"{path}, line {line}" if line else str(path)
    return UsageError(
        f"{path.name} {problem}",
        where={"file": place},
        hint=hint or f"take it from version control again (git checkout {path}), or delete it: it is made anew",
    )
