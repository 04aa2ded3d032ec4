"""The only place that starts PlatformIO: with which settings, for how long, and what its failures mean."""

import importlib
import os
import re
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path

from tinydeploy.boards import Board
from tinydeploy.errors import BuildError
from tinydeploy.files import cache_dir
from tinydeploy.process import Finished, run

# The first build for a chip downloads and unpacks its compiler and framework: 1 to 2 GB for an ESP32.
_TIMEOUT_S = 3600.0

_CONNECT_S = 4.0

_QUOTED_LINES = 5

# Printed before PlatformIO asks the network; where it has the package already, it prints nothing.
_INSTALLING = re.compile(r"(?:Platform|Tool|Library) Manager: Installing (.+)")
_LOCAL = re.compile(r"(symlink|file)://|[./]")

_OFFLINE = re.compile(
    r"HTTPClientError|not connected to the Internet|Could not resolve host|name resolution|getaddrinfo failed"
    r"|Network is unreachable|Max retries exceeded|NewConnectionError"
)

_ERROR_LINE = re.compile(r"error:|undefined reference|cannot find|^Error|fatal error", re.IGNORECASE)
_SUMMARY = re.compile(r"^=+ \[", re.MULTILINE)

# What of the user's own settings counts where a board needs downloads: where they are, and how the network is reached.
_KEPT_SETTINGS = (
    "PLATFORMIO_CORE_DIR",
    "PLATFORMIO_PLATFORMS_DIR",
    "PLATFORMIO_PACKAGES_DIR",
    "PLATFORMIO_CACHE_DIR",
    "PLATFORMIO_SETTING_ENABLE_PROXY_STRICT_SSL",
)


def platformio_environment(board: Board) -> dict[str, str]:
    """The environment in which PlatformIO asks the network for nothing but packages that are missing.

    Without these settings, an offline call stalls (PlatformIO 6.2: up to 61 s), and the user's own settings change the
    build. Boards that need no download have a private core folder, always the same: PlatformIO drops existing builds
    when it changes. The others use the user's own, so that what is there is not downloaded again.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORMIO_")}
    if board.framework is None:
        packages = {"PLATFORMIO_CORE_DIR": str(cache_dir("platformio"))}
    else:
        packages = {name: os.environ[name] for name in _KEPT_SETTINGS if name in os.environ}
    return {
        **inherited,
        **packages,
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "100000",
        "PLATFORMIO_SETTING_CHECK_PRUNE_SYSTEM_THRESHOLD": "0",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_DISABLE_COLOR": "true",
        "PYTHONUNBUFFERED": "1",
    }


def run_platformio(
    board: Board,
    folder: Path,
    arguments: Sequence[str] = (),
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Finished:
    """Runs ``pio run`` in a project's folder, to its end, whether it succeeds or not.

    Raises:
        BuildError: PlatformIO is not installed, or needs something from the network, which is not there.
        TimeoutError: It did not end.
    """
    command: list[str | Path] = [sys.executable, "-m", "platformio", "run", "--project-dir", folder, *arguments]

    def look_at(line: str) -> None:
        if on_line is not None:
            on_line(line)
        missing = _INSTALLING.match(line)
        if missing and not is_reachable(missing[1]):
            raise _not_downloaded(board, missing[1])

    finished = run(
        command,
        package="platformio",
        timeout_s=timeout_s,
        cwd=folder,
        env=platformio_environment(board),
        on_line=look_at,
    )
    if finished.exit_code != 0:
        output = words_of(finished)
        if "No module named platformio" in output:
            raise BuildError("PlatformIO is not installed", hint=f"{sys.executable} -m pip install platformio scons")
        if _OFFLINE.search(output):
            installing = _INSTALLING.findall(output)
            raise _not_downloaded(board, installing[-1] if installing else "something that the build needs", output)
    return finished


def words_of(finished: Finished) -> str:
    """All that PlatformIO and what it started wrote: some tools complain on one stream, some on the other."""
    return (finished.stderr + finished.stdout).decode(errors="replace")


def first_errors(output: str) -> list[str]:
    """The lines to quote, each once: those that speak of errors, or where none do, the first ones."""
    lines = [line.strip() for line in _SUMMARY.split(output)[0].splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.search(line)] or lines
    return list(dict.fromkeys(errors))[:_QUOTED_LINES]


def is_reachable(package: str) -> bool:
    """Whether the server of a package answers, told within seconds: PlatformIO itself gives up after a minute (6.2).

    ``package`` is what it says that it installs: a URL, a folder, or the name of something in its registry.
    """
    from urllib.request import getproxies

    if _LOCAL.match(package):
        return True
    url = urllib.parse.urlsplit(package[package.find("http") :] if "http" in package else "")
    hosts = [url.hostname] if url.hostname else _registry_hosts()
    proxy = getproxies().get("https")
    if proxy:
        through = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        return _any_answers([(str(through.hostname), through.port or 80)])
    return _any_answers([(host, 443) for host in hosts])


def _registry_hosts() -> list[str]:
    """PlatformIO's own list of its servers."""
    return list(importlib.import_module("platformio").__registry_mirror_hosts__)


def _any_answers(places: Sequence[tuple[str, int]]) -> bool:
    """Tries all at once: looking up a name has no time limit of its own."""
    answered = threading.Event()

    def attempt(place: tuple[str, int]) -> None:
        try:
            socket.create_connection(place, timeout=_CONNECT_S).close()
        except (OSError, ValueError):
            return
        answered.set()

    threads = [threading.Thread(target=attempt, args=[place], daemon=True) for place in places]
    deadline = time.monotonic() + _CONNECT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return answered.is_set()


def _not_downloaded(board: Board, what: str, output: str = "") -> BuildError:
    reasons = [line.strip() for line in output.splitlines() if _OFFLINE.search(line)]
    return BuildError(
        f"{what} has to be downloaded, and there is no connection to its server",
        where={"board": f"{board.id}, {board.title}", **({"reason": reasons[0]} if reasons else {})},
        hint="connect to the network once: what is there is not downloaded again\n"
        "behind a proxy: set HTTPS_PROXY\n"
        "without any network: --board qemu-cortex-m4 --engine aot",
    )
