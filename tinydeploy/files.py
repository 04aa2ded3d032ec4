"""The only place that writes files, and the one that knows where the project's own data are."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import platformdirs

from tinydeploy.errors import UsageError


def data_dir(name: str) -> Path:
    """The folder ``templates``, ``boards`` or ``firmware``, in an installed package or in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "data" / name
    return installed if installed.is_dir() else package.parent / name


def cache_dir(*parts: str) -> Path:
    """A folder below the user's cache folder for this project, made where it is missing.

    ``TINYDEPLOY_CACHE_DIR`` overrides the place.

    Raises:
        UsageError: It cannot be made.
    """
    root = os.environ.get("TINYDEPLOY_CACHE_DIR") or platformdirs.user_cache_dir("tinydeploy", appauthor=False)
    folder = Path(root).joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "set TINYDEPLOY_CACHE_DIR to a folder that can be written to"
        raise UsageError(f"cannot make {folder}: {_reason(error)}", hint=hint) from error
    return folder


def write_file(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: a reader, or a Ctrl-C, never sees half of it.

    A link stays a link. What is not a regular file, such as /dev/null or a pipe, is written to as it is.

    Raises:
        UsageError: The place cannot be written to.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Named before it is made, so that it goes away whenever a Ctrl-C comes.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as stream:
                stream.write(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_writable(path, error) from error


def require_place(path: Path) -> None:
    """Tells beforehand, as far as it can be known, that `write_file` would fail: before work whose result goes there.

    Raises:
        UsageError: The place cannot be written to.
    """
    try:
        there = next(place for place in (path, *path.absolute().parents) if place.exists())
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if there != path and not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _not_writable(path, error) from error


def write_tree(folder: Path, tree: Mapping[PurePosixPath, bytes]) -> None:
    """Makes ``folder`` hold the files of ``tree``, leaving alone those that already have that content.

    Unchanged files keep their time stamp, so that a build tool does not rebuild them. Where this fails or is
    interrupted, what it added is taken away again.

    Raises:
        UsageError: The folder cannot be written to.
    """
    added = []
    try:
        for relative, content in tree.items():
            path = folder / relative
            if not path.exists():
                added.append(path)
            elif path.is_file() and path.read_bytes() == content:
                continue
            write_file(path, content)
    except BaseException:
        for path in added:
            _take_away(path, above=folder.parent)
        raise


def _take_away(path: Path, *, above: Path) -> None:
    """Removes a file, and the folders between it and ``above`` that are empty then."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == above:
                return
            parent.rmdir()


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keeps every other process that asks for the same name waiting, until the block ends or this process does."""
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    with (cache_dir("locks") / key).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def tree_digest(tree: Mapping[PurePosixPath, bytes]) -> bytes:
    """SHA-256 over the names and the content of all files, independent of their order."""
    digest = hashlib.sha256()
    for relative in sorted(tree):
        name, content = str(relative).encode(), tree[relative]
        digest.update(len(name).to_bytes(4, "little") + name + len(content).to_bytes(8, "little") + content)
    return digest.digest()


def remove_file(path: Path) -> None:
    """Removes a file that the tool made; does nothing where there is none."""
    path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Removes a folder that the tool made; does nothing where there is none."""
    shutil.rmtree(folder, ignore_errors=True)


def _not_writable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {_reason(error)}", hint="choose another place, or free the disk")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
