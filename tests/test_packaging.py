"""What a wheel made from this checkout carries, and that it needs no checkout."""

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = ("boards", "firmware", "templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built as `pip install .` does it, but without the network: hatchling is one of the dev packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(REPOSITORY)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_below(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("name", DATA)
def test_the_wheel_carries_the_package_data_of_the_checkout(unpacked, name):
    in_checkout = files_below(REPOSITORY / name)
    assert in_checkout, f"{name}/ is empty"
    assert files_below(unpacked / "tinydeploy" / "data" / name) == in_checkout


def test_the_wheel_carries_every_module_and_the_type_marker(unpacked):
    in_wheel = {path for path in files_below(unpacked / "tinydeploy") if not path.startswith("data/")}
    assert in_wheel == files_below(REPOSITORY / "tinydeploy")
    assert "py.typed" in in_wheel


def test_the_wheel_carries_nothing_else(unpacked):
    (metadata,) = unpacked.glob("*.dist-info")
    assert {path.name for path in unpacked.iterdir()} == {"tinydeploy", metadata.name}
    assert not [path for path in unpacked.rglob("*") if path.name in {"tests", "__pycache__"} or path.suffix == ".pyc"]


def test_the_wheel_has_licence_python_version_and_command(unpacked):
    (folder,) = unpacked.glob("*.dist-info")
    metadata = email.message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert (folder / "licenses" / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    assert "tinydeploy = tinydeploy.cli:main" in (folder / "entry_points.txt").read_text(encoding="utf-8")


def test_the_unpacked_wheel_finds_its_data_with_no_checkout_near(unpacked, tmp_path):
    script = (
        "from tinydeploy.files import data_dir; print(*map(data_dir, ('boards', 'firmware', 'templates')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert found == [unpacked / "tinydeploy" / "data" / name for name in DATA]
    assert all(path.is_dir() for path in found)


REQUIREMENTS_BY_SYSTEM = [
    # sys_platform, platform_machine, has LiteRT, has TFLM's interpreter
    ("linux", "x86_64", True, True),
    ("linux", "aarch64", True, False),
    ("linux", "armv7l", False, False),
    ("darwin", "arm64", True, False),
    ("darwin", "x86_64", False, False),
    ("win32", "AMD64", True, False),
    ("win32", "ARM64", False, False),
]


@pytest.mark.parametrize(("system", "machine", "litert", "tflm"), REQUIREMENTS_BY_SYSTEM)
def test_pip_is_asked_only_for_wheels_that_the_system_has(unpacked, system, machine, litert, tflm):
    (folder,) = unpacked.glob("*.dist-info")
    metadata = email.message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    environment = {"sys_platform": system, "platform_machine": machine, "python_version": "3.13", "extra": ""}
    required = {
        requirement.name
        for requirement in map(Requirement, metadata.get_all("Requires-Dist"))
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }
    assert ("ai-edge-litert" in required, "tflite-micro" in required) == (litert, tflm)
