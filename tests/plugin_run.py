"""Runs of pytest as users have them: a process in a folder, with the plugin, and its JUnit file read back."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree as ET

from command_line import CHECKOUT, CommandLine, Finished

_IS_INSTALLED = any(point.value == "tinydeploy.pytest_plugin" for point in entry_points(group="pytest11"))
PLUGIN = () if _IS_INSTALLED else ("-p", "tinydeploy.pytest_plugin")
"""In an environment that was made before there was a plugin, pytest has to be told of it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A test in a JUnit file: how it ended, its message and report, its properties."""

    outcome: str
    message: str
    report: str
    properties: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run of pytest left behind; ``cases`` by the name of the test."""

    code: int
    out: str
    cases: Mapping[str, Case]

    def section(self, test: str) -> str:
        """What the section "tinydeploy" of a test's report says."""
        report = self.out.split(f"_ {test} _")[1].split("\n____")[0]
        return report.partition(" tinydeploy -")[2].partition("\n")[2]


@dataclass(frozen=True, kw_only=True)
class PluginRun:
    """Starts pytest in ``folder``; ``checkout`` is where tinydeploy is imported from."""

    folder: Path
    cache: Path
    checkout: Path = CHECKOUT
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, source: str, name: str = "test_boards.py") -> None:
        """A file of tests."""
        (self.folder / name).write_text(source, encoding="utf-8")

    def start(self, *arguments: object, junit: str = "junit.xml", **env: str) -> subprocess.Popen[str]:
        """A run that goes on; Ctrl-C reaches it as in a terminal. Warnings are errors."""
        command = [sys.executable, "-m", "pytest", *PLUGIN, "-W", "error", "-p", "no:anyio", f"--junitxml={junit}"]
        (self.folder / junit).unlink(missing_ok=True)
        path = os.pathsep.join(map(str, (self.checkout, CHECKOUT / "tests")))
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "TINYDEPLOY_CACHE_DIR": str(self.cache), "COLUMNS": "100", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], junit: str = "junit.xml") -> Run:
        """What it left behind."""
        try:
            out, _ = process.communicate(timeout=300)
        finally:
            process.kill()
        path = self.folder / junit
        return Run(code=process.returncode, out=out, cases=_cases(path) if path.is_file() else {})

    def __call__(self, *arguments: object, **env: str) -> Run:
        """A run, to its end."""
        return self.finish(self.start(*arguments, **env))

    def tool(self, *arguments: object) -> Finished:
        """The command line with the same cache."""
        return CommandLine(folder=self.folder, cache=self.cache)(*arguments)

    def emulators(self) -> list[int]:
        """Virtual boards with firmware out of the cache."""
        return CommandLine(folder=self.folder, cache=self.cache).emulators()


def _cases(path: Path) -> dict[str, Case]:
    return {case.get("name", ""): _case(case) for case in ET.parse(path).iter("testcase")}


def _case(case: ET.Element) -> Case:
    found = [(name, case.find(name)) for name in ("failure", "error", "skipped")]
    outcome, element = next(((name, there) for name, there in found if there is not None), ("passed", None))
    return Case(
        outcome=outcome,
        message="" if element is None else element.attrib.get("message", ""),
        report="" if element is None else element.text or "",
        properties={prop.attrib["name"]: prop.attrib["value"] for prop in case.iter("property")},
    )
