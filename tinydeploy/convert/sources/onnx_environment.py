"""The Python environment of onnx2tf, whose packages exclude those of this one. It is made once."""

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tinydeploy import process
from tinydeploy.errors import BuildError
from tinydeploy.files import cache_dir, locked, remove_tree, write_file

_REQUIREMENTS = Path(__file__).with_name("onnx_requirements.txt")
# TensorFlow 2.19 has wheels for no later Python; the workers need 3.11.
_PYTHONS = ((3, 12), (3, 11))
_TIMEOUT_S = 3600.0
_SIZE = "2.6 GB"
_COMPLETE = "complete"
_OFFLINE = re.compile(
    r"Failed to establish a new connection|NewConnectionError|name resolution|Name or service not known|timed out|"
    r"Network is unreachable|ProxyError|Connection refused"
)


def onnx_environment(
    *,
    on_line: Callable[[str], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    requirements: Path = _REQUIREMENTS,
) -> Path:
    """The Python of the environment, in the user's cache folder; made where it is not there or half made.

    Args:
        on_line: Gets what pip says.
        on_step: Gets how many packages have been fetched, of how many; installing them is the last step.
        requirements: The packages. Another list, or another Python, makes another environment.

    Raises:
        BuildError: It cannot be made: there is no fitting Python, no network, or no space.
    """
    base = _python()
    content = requirements.read_bytes()
    digest = hashlib.sha256(b"\n".join([str(base.resolve()).encode(), content])).hexdigest()[:12]
    folder = cache_dir("environments") / f"onnx2tf-{digest}"
    with locked(f"environment {folder}"):
        if not (folder / _COMPLETE).is_file():
            remove_tree(folder)
            try:
                _make(base, folder, requirements, on_line or _ignore, on_step or _ignore_step)
                write_file(folder / _COMPLETE, content)
            except BaseException:
                remove_tree(folder)
                raise
    return folder / "bin" / "python"


def _python() -> Path:
    if sys.version_info[:2] in _PYTHONS:
        return Path(sys.executable)
    for major, minor in _PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return Path(found)
    raise BuildError(
        "converting ONNX models needs Python 3.11 or 3.12 for onnx2tf, and there is none on PATH",
        where={"this": f"Python {sys.version_info.major}.{sys.version_info.minor}"},
        hint="install Python 3.12 beside this one",
    )


def _make(
    base: Path,
    folder: Path,
    requirements: Path,
    on_line: Callable[[str], None],
    on_step: Callable[[int, int], None],
) -> None:
    total = 1 + sum(1 for line in requirements.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    done = 0

    def heard(line: str) -> None:
        nonlocal done
        if line.startswith(("Collecting ", "Processing ")):
            done = min(done + 1, total - 1)
            on_step(done, total)
        on_line(line)

    on_step(0, total)
    _run([base, "-m", "venv", folder], on_line, hint="sudo apt install python3-venv")
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    install: list[str | Path] = [
        "install",
        "--progress-bar",
        "off",
        "--only-binary",
        ":all:",
        "--requirement",
        requirements,
    ]
    _run([*pip, *install], heard, hint=f"it is made once and takes {_SIZE}: see that there is space, then try again")
    on_step(total, total)


def _run(command: list[str | Path], on_line: Callable[[str], None], *, hint: str) -> None:
    try:
        finished = process.run(command, package="python3", timeout_s=_TIMEOUT_S, on_line=on_line)
    except TimeoutError as error:
        raise BuildError(
            f"the environment of onnx2tf was not made within {_TIMEOUT_S:g} s", hint="try again, it starts anew"
        ) from error
    if finished.exit_code == 0:
        return
    said = (finished.stdout + finished.stderr).decode(errors="replace")
    errors = [line.strip() for line in said.splitlines() if line.strip().lower().startswith("error")]
    where = {"says": "\n".join(line[:200] for line in errors[-3:]) or process.ending(finished.exit_code)}
    if _OFFLINE.search(said):
        raise BuildError(
            "the environment of onnx2tf cannot be made: there is no way to the package index",
            where=where,
            hint=f"connect to the network, once: {_SIZE} in the user's cache folder\n"
            "or tell pip of an index that it can reach: pip config set global.index-url URL",
        )
    raise BuildError("the environment of onnx2tf cannot be made", where=where, hint=hint)


def _ignore(_line: str) -> None:
    pass


def _ignore_step(_done: int, _total: int) -> None:
    pass
