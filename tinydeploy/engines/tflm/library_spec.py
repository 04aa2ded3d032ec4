"""What a user may name as the TensorFlow Lite Micro library: a folder, or something that PlatformIO fetches."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tinydeploy.errors import UsageError

_REGISTRY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.+-]+@\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.+-]+)?")
_URL = re.compile(r"([a-z]+\+)?[a-z]+://[A-Za-z0-9/][A-Za-z0-9@:/._~+#?&=-]*|git@[A-Za-z0-9@:/._~+#-]+")
_LOCAL = re.compile(r"(?:file|symlink)://(.*)")


@dataclass(frozen=True, kw_only=True)
class RemoteSpec:
    """A library of PlatformIO's registry, with its exact version, or the URL of a git repository or an archive."""

    text: str


def parse_spec(text: str, *, origin: str, relative_to: Path) -> Path | RemoteSpec:
    """A folder, or what PlatformIO fetches. ``origin`` says who named it, for messages.

    What begins like a path (``.``, ``/``, ``~``) is a folder, there or not; anything else only if it is there. The
    text of a `RemoteSpec` has nothing in it that platformio.ini gives a meaning to: no white space or line break, no
    quote, ``;``, ``%`` or ``$``.

    Raises:
        UsageError: It is neither.
    """
    text = text.strip()
    local = _LOCAL.fullmatch(text)
    path = os.path.expanduser(local[1] if local else text)  # noqa: PTH111 - Path raises where there is no such user
    if path and path.isprintable():
        folder = Path(os.path.normpath(relative_to / path))
        if local or text.startswith((".", "/", "~")) or folder.is_dir():
            return folder
        if _REGISTRY.fullmatch(text) or _URL.fullmatch(text):
            return RemoteSpec(text=text)
    raise UsageError(
        "this names no TensorFlow Lite Micro library",
        where={"library": text, "named by": origin},
        hint="a folder that is there, a library of PlatformIO's registry with its exact version (owner/name@1.2.3),\n"
        "or the URL of a git repository or an archive",
    )
