"""A PlatformIO or Arduino library that is built the way its author meant it to be: every file, as it is."""

import json
import os
import re
from pathlib import Path, PurePosixPath

from tinydeploy.engines.tflm.library_folder import OpaqueFolder
from tinydeploy.errors import BuildError

_SKIPPED = {"docs", "example", "examples", "test", "tests"}
_PROPERTY_NAME = re.compile(r"^name=(.*)$", re.MULTILINE)
_USABLE_NAME = re.compile(r"[A-Za-z0-9_.+ -]+")


def read_opaque(folder: OpaqueFolder) -> dict[PurePosixPath, bytes]:
    """All files but hidden ones, examples, tests and documentation."""
    files = {}
    for place, folders, names in os.walk(folder.folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if path.is_file():
                files[PurePosixPath(path.relative_to(folder.folder).as_posix())] = path.read_bytes()
    return files


def library_name(folder: OpaqueFolder) -> str:
    """What the library's manifest calls it, which is what it is called in platformio.ini.

    Raises:
        BuildError: The manifest has no name, or none that can stand there.
    """
    text = (folder.folder / folder.manifest).read_text(encoding="utf-8", errors="replace")
    name = _json_name(text) if folder.manifest.endswith(".json") else "".join(_PROPERTY_NAME.findall(text)[:1]).strip()
    if not _USABLE_NAME.fullmatch(name):
        raise BuildError(
            "the TensorFlow Lite Micro library's manifest has no usable name",
            where={"file": str(folder.folder / folder.manifest), "name": name},
            hint="letters, digits, spaces and . _ + - can stand in it",
        )
    return name


def _json_name(text: str) -> str:
    try:
        manifest = json.loads(text)
    except ValueError:
        return ""
    return str(manifest.get("name", "")) if isinstance(manifest, dict) else ""
