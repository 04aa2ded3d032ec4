"""The only place that writes files, and the one that knows where the project's own data are."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TextIO

import platformdirs

from tinydeploy.errors import UsageError

LISTING = PurePosixPath(".tinydeploy-files")
"""In a folder that `write_tree` wrote to: the files that are its own, one in a line."""

_TRY_AGAIN_S = 0.1


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
        temporary = _beside(path)
        try:
            with temporary.open("xb") as stream:
                stream.write(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_writable(path, error) from error


@contextlib.contextmanager
def growing_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A new file, and what writes to it: each piece is there for others at once, whatever becomes of this process.

    Raises:
        UsageError: The place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("wb", buffering=0)
    except OSError as error:
        raise _not_writable(path, error) from error

    def write(piece: bytes) -> None:
        try:
            stream.write(piece)
        except OSError as error:
            raise _not_writable(path, error) from error

    with stream:
        yield write


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
    """Makes ``folder`` hold the files of ``tree``, and none that an earlier call wrote there and this one does not.

    Other files are left alone. The folder's `LISTING` says which ones are not: while this goes on, the earlier and the
    new files, so that the next call puts in order what one that was killed left. Files that have their content already
    keep their time stamp, so that a build tool does not rebuild them. All content is written before the first file
    changes, and where this fails or is interrupted, the folder is made what it was.

    Raises:
        UsageError: The folder cannot be written to.
    """
    stale = _listed(folder) - tree.keys()
    before = {path: _content(folder / path) for path in (*tree, *stale, LISTING)}
    try:
        _swap(folder, {LISTING: _lines({*tree, *stale})})
        _swap(folder, {path: content for path, content in tree.items() if content != before[path]})
        for path in stale:
            _remove(folder / path, above=folder.parent)
        _swap(folder, {LISTING: _lines(tree)})
    except BaseException:
        for path, content in before.items():
            if content is None:
                _take_away(folder / path, above=folder.parent)
            elif content != _content(folder / path):
                write_file(folder / path, content)
        raise


def _listed(folder: Path) -> set[PurePosixPath]:
    """What `LISTING` names: nothing outside the folder, whoever wrote it."""
    content = _content(folder / LISTING) or b""
    paths = {PurePosixPath(line) for line in content.decode(errors="replace").splitlines() if line}
    return {path for path in paths if not path.is_absolute() and ".." not in path.parts}


def _lines(paths: Iterable[PurePosixPath]) -> bytes:
    return "".join(f"{path}\n" for path in sorted(paths)).encode()


def _content(path: Path) -> bytes | None:
    """What is in a file; None where there is none, or none that can be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except PermissionError:
        return None


def _swap(folder: Path, tree: Mapping[PurePosixPath, bytes]) -> None:
    """Writes all files beside their places first, and then only renames them. A link stays a link."""
    staged = []
    path = folder
    try:
        for relative, content in tree.items():
            path = (folder / relative).resolve()
            if path.exists() and not path.is_file():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = _beside(path)
            staged.append((temporary, path))
            temporary.write_bytes(content)
        for temporary, path in staged:
            temporary.replace(path)
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        for temporary, _ in staged:
            _take_away(temporary, above=folder.resolve().parent)


def _remove(path: Path, *, above: Path) -> None:
    """Removes a file of ours like `_take_away`, but tells where that cannot be done."""
    if path.is_file() or path.is_symlink():
        try:
            path.unlink()
        except OSError as error:
            raise _not_writable(path, error) from error
    _take_away(path, above=above)


def _beside(path: Path) -> Path:
    """A name for what is to become ``path``. Chosen before it is made, so that it goes away whenever a Ctrl-C comes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _take_away(path: Path, *, above: Path) -> None:
    """Removes a file where that can be done, and the folders between it and ``above`` that are empty then."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == above:
                return
            parent.rmdir()


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keeps every other process that asks for the same name waiting, until the block ends or this process does."""
    with _lock_file(name).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_one(choices: Sequence[Sequence[str]], *, timeout_s: float) -> Iterator[int]:
    """Like `locked`, with all names of the first choice of which all are free; waits until one is, and gives its place.

    Raises:
        TimeoutError: None has become free in this time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        for place, names in enumerate(choices):
            with contextlib.ExitStack() as held:
                if all(_is_locked(held.enter_context(_lock_file(name).open("w"))) for name in names):
                    yield place
                    return
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{choices} locked for {timeout_s:g} s")
        time.sleep(_TRY_AGAIN_S)


def _is_locked(stream: TextIO) -> bool:
    """Locks a file for this process until it is closed; False where another has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(name: str) -> Path:
    return cache_dir("locks") / hashlib.sha256(name.encode()).hexdigest()[:32]


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


def mark_used(path: Path) -> None:
    """Makes a file the newest of its folder."""
    path.touch()


def remove_tree(folder: Path) -> None:
    """Removes a folder that the tool made; does nothing where there is none."""
    shutil.rmtree(folder, ignore_errors=True)


def _not_writable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {_reason(error)}", hint="choose another place, or free the disk")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
