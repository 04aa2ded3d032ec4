"""The user's own settings, in a TOML file: what holds on this machine for all models."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tinydeploy.errors import UsageError, near_key

_KEYS = {"tflm": ("library",)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the file says; None where it says nothing. ``path`` is the file, whether there is one or not."""

    path: Path
    tflm_library: str | None = None


def config_path() -> Path:
    """Where the file is looked for: ``TINYDEPLOY_CONFIG``, else config.toml in the user's folder for settings."""
    given = os.environ.get("TINYDEPLOY_CONFIG")
    folder = platformdirs.user_config_path("tinydeploy", appauthor=False)
    return Path(given).expanduser() if given else folder / "config.toml"


def read_config() -> Config:
    """Reads the file. That there is none is no error, unless ``TINYDEPLOY_CONFIG`` names it.

    Raises:
        UsageError: It cannot be read, or has a key or a value that means nothing; the message names the key.
    """
    path = config_path()
    if not path.exists() and not os.environ.get("TINYDEPLOY_CONFIG"):
        return Config(path=path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _invalid(path, f"it cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, f"it is not TOML: {error}") from error
    problem = _problem(tables)
    if problem:
        raise _invalid(path, problem)
    return Config(path=path, tflm_library=tables.get("tflm", {}).get("library") or None)


def _problem(tables: dict[str, object]) -> str:
    """What is wrong with the file's content; empty where nothing is."""
    for table, keys in tables.items():
        if table not in _KEYS:
            return f"{table}: no such key {near_key(table, _KEYS)}"
        if not isinstance(keys, dict):
            return f"{table}: a table is needed"
        for key, value in keys.items():
            if key not in _KEYS[table]:
                return f"{table}.{key}: no such key {near_key(key, _KEYS[table])}"
            if not isinstance(value, str):
                return f"{table}.{key}: text is needed, not {value!r}"
    return ""


def _invalid(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"the file with your settings is not usable: {problem}",
        where={"file": str(path)},
        hint='it may have the table [tflm] with the key library = "SPEC", and nothing else',
    )
