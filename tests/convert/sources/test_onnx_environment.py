"""The environment of onnx2tf: made once, never used half made."""

import os
import sys
import zipfile

import pytest

from tinydeploy.convert.sources import onnx_environment as module
from tinydeploy.convert.sources.onnx_environment import onnx_environment
from tinydeploy.errors import BuildError
from tinydeploy.process import run

OURS = (3, 11) <= sys.version_info[:2] <= (3, 12)
only_where_it_can_be_made = pytest.mark.skipif(not OURS, reason="onnx2tf needs Python 3.11 or 3.12")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "environments"


@pytest.fixture
def tiny(tmp_path):
    """A list of one package, which is at hand."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "answer = 42\n")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"# one\ntiny @ {wheel.as_uri()}\n", encoding="utf-8")
    return requirements


@only_where_it_can_be_made
def test_it_is_made_once_with_its_packages_and_made_anew_where_it_was_left_half_made(cache, tiny):
    steps = []
    python = onnx_environment(requirements=tiny, on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert run([python, "-c", "import tiny; print(tiny.answer)"], package="python3", timeout_s=60).stdout == b"42\n"
    folder = python.parent.parent
    assert folder.parent == cache
    again = []
    assert onnx_environment(requirements=tiny, on_line=again.append) == python
    assert not again
    (folder / "complete").unlink()
    (folder / "bin" / "pip").unlink()
    onnx_environment(requirements=tiny, on_line=again.append)
    assert again
    assert (folder / "bin" / "pip").is_file()


@only_where_it_can_be_made
def test_without_a_network_it_says_so_and_leaves_nothing(cache, tmp_path, monkeypatch):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("onnx2tf==1.29.24\n", encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(BuildError) as caught:
        onnx_environment(requirements=requirements)
    assert caught.value.exit_code == 5
    assert caught.value.summary == "the environment of onnx2tf cannot be made: there is no way to the package index"
    assert "onnx2tf" in caught.value.where["says"]
    assert caught.value.hint.startswith("connect to the network, once: 2.6 GB")
    assert not list(cache.iterdir())


@only_where_it_can_be_made
def test_what_pip_says_is_told(cache, tmp_path, monkeypatch):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("no-such-package-of-tinydeploy\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BuildError) as caught:
        onnx_environment(requirements=requirements)
    assert caught.value.summary == "the environment of onnx2tf cannot be made"
    assert "No matching distribution found for no-such-package-of-tinydeploy" in caught.value.where["says"]
    assert not list(cache.iterdir())


def test_another_python_is_looked_for_where_this_one_is_too_new(monkeypatch, tmp_path):
    (tmp_path / "python3.11").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module.sys, "version_info", (3, 14, 0))
    assert module._python() == tmp_path / "python3.11"


def test_no_python_that_fits_is_an_error(monkeypatch, tmp_path):
    class TooNew(tuple):
        major, minor = 3, 14

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module.sys, "version_info", TooNew((3, 14, 0)))
    with pytest.raises(BuildError) as caught:
        module._python()
    assert (
        caught.value.summary
        == "converting ONNX models needs Python 3.11 or 3.12 for onnx2tf, and there is none on PATH"
    )
    assert caught.value.where == {"this": "Python 3.14"}


def test_every_package_of_it_is_pinned():
    lines = module._REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert "onnx2tf==1.29.24" in packages
    assert all("==" in line for line in packages)
