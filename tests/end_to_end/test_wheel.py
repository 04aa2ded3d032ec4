"""The wheel, installed as a user installs it: no checkout, no cache, no development tools."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from command_line import CHECKOUT, DIGITS, DIGITS_SAMPLES

REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of the programs of a fresh environment with the wheel and what it requires, nothing else.

    The versions are those of this environment: pip has them in its cache, and both test the same.
    """
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    constraints = folder / "constraints.txt"
    constraints.write_text(
        "".join(
            f"{found.name}=={found.version}\n"
            for found in importlib.metadata.distributions()
            if REQUIREMENT.fullmatch(found.name) and found.name != "tinydeploy"
        ),
        encoding="utf-8",
    )
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "--quiet", "-c", constraints, wheel, cwd=folder)
    return python.parent


def test_the_installed_wheel_deploys_a_model_from_any_folder(installed, tmp_path):
    model = shutil.copy(DIGITS, tmp_path / "model.tflite")
    samples = shutil.copy(DIGITS_SAMPLES, tmp_path / "samples.npz")
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = {**keep, "HOME": str(tmp_path), "TINYDEPLOY_CACHE_DIR": str(tmp_path / "cache")}
    arguments = ("flash", model, "--board", "qemu-cortex-m4", "--samples", samples, "--json", "-")
    finished = run(installed / "tinydeploy", *arguments, cwd=tmp_path, env=environment)
    report = json.loads(finished.stdout)
    assert report["ok"]
    assert report["verification"]["exact"]
    assert report["verification"]["samples"] == 116
    assert report["verification"]["accuracy"]["device_correct"] == 99
    assert str(CHECKOUT) not in finished.stdout + finished.stderr


def test_nothing_in_the_environment_comes_from_the_checkout(installed, tmp_path):
    script = "import sys, tinydeploy; print(tinydeploy.__file__, *sys.path, sep='\\n')"
    lines = run(installed / "python", "-I", "-c", script, cwd=tmp_path).stdout.splitlines()
    assert Path(lines[0]).is_relative_to(installed.parent)
    assert not [line for line in lines if Path(line).is_relative_to(CHECKOUT)]
