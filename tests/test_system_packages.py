"""What `make` does about missing system packages; installing them for real is what the first run on a machine does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "system-packages"


def run(*arguments, path):
    return subprocess.run(
        [shutil.which("sh"), str(SCRIPT), *arguments],
        env={"PATH": path, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def machine(tmp_path):
    """Makes a PATH with nothing on it but the given programs."""

    def with_programs(**programs):
        for name, content in programs.items():
            (tmp_path / name.replace("_", "-")).write_text(f"#!/bin/sh\n{content}\n")
            (tmp_path / name.replace("_", "-")).chmod(0o755)
        return str(tmp_path)

    return with_programs


@pytest.mark.parametrize("purpose", ["firmware", "tests"])
def test_where_nothing_is_missing_it_is_silent(purpose):
    done = run(purpose, path=os.environ["PATH"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_browser_is_asked_for_with_a_font_to_write_with(machine):
    done = run("browser", path=machine(apt_get="exit 1", id="echo 1000"))
    assert "chromium" in done.stderr.splitlines()[1]
    assert "as root: apt-get install --yes --no-install-recommends chromium" in done.stderr


def test_without_apt_it_names_what_is_missing(machine):
    done = run("firmware", path=machine())
    assert done.returncode == 1
    assert done.stderr == (
        "error: system packages are missing, and there is no apt-get here\n"
        "  missing  gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm\n"
        "  try      install what Debian calls by these names with this system's package manager, then run make again\n"
    )


def test_without_root_and_sudo_it_prints_the_command_for_root(machine):
    done = run("tests", path=machine(apt_get="exit 1", id="echo 1000"))
    assert done.returncode == 1
    assert done.stderr == (
        "error: system packages are missing, and installing them takes root\n"
        "  missing  gcc libc6-dev g++ arduino-core-avr clang libclang-rt-dev\n"
        "  try      as root: apt-get install --yes --no-install-recommends"
        " gcc libc6-dev g++ arduino-core-avr clang libclang-rt-dev\n"
    )


def test_what_is_still_missing_after_installing_is_an_error(machine):
    done = run("tests", path=machine(apt_get="exit 0", id="echo 0", env='shift; exec "$@"'))
    assert done.returncode == 1
    assert done.stdout == "installing system packages: gcc libc6-dev g++ arduino-core-avr clang libclang-rt-dev\n"
    assert done.stderr.startswith("error: system packages are missing even after apt-get install\n")


def test_a_failing_apt_ends_it(machine):
    done = run("tests", path=machine(apt_get="echo no network >&2; exit 100", id="echo 0", env='shift; exec "$@"'))
    assert done.returncode == 100
    assert done.stderr == "no network\n"


def test_another_purpose_is_a_usage_error(machine):
    done = run("everything", path=machine())
    assert (done.returncode, done.stderr) == (2, "usage: system-packages firmware|tests|browser\n")
