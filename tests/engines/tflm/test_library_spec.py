from pathlib import Path

import pytest

from tinydeploy.engines.tflm.library_spec import RemoteSpec, parse_spec
from tinydeploy.errors import UsageError


def parsed(text: str, folder: Path) -> Path | RemoteSpec:
    return parse_spec(text, origin="--tflm-lib", relative_to=folder)


@pytest.mark.parametrize(
    "text",
    [
        "spaziochirale/Chirale_TensorFLowLite@2.0.0",
        "owner/name@1.2",
        "owner/name@1.0.0-beta.2+7",
        "https://github.com/owner/name.git",
        "https://github.com/owner/name#v1.2.3",
        "git+https://example.com/name.git#0123abc",
        "git+file:///srv/git/name.git",
        "git@example.com:owner/name.git",
        "https://example.com/archive/tflm-1.0.zip",
    ],
)
def test_what_platformio_fetches_is_left_as_it_is(text, tmp_path):
    assert parsed(text, tmp_path) == RemoteSpec(text=text)
    assert parsed(f" {text}\n", tmp_path) == RemoteSpec(text=text)


def test_a_folder_is_relative_to_a_place_and_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    (tmp_path / "tflm").mkdir()
    assert parsed("tflm", tmp_path) == tmp_path / "tflm"
    assert parsed("../lib/tflm", tmp_path) == tmp_path.parent / "lib" / "tflm"
    assert parsed("/lib/tflm/", tmp_path) == Path("/lib/tflm")
    assert parsed("~/tflm", tmp_path) == Path("/home/ada/tflm")
    assert parsed("file:///lib/tflm", tmp_path) == Path("/lib/tflm")
    assert parsed("symlink://tflm", tmp_path) == tmp_path / "tflm"
    assert parsed("~nobody-of-that-name/tflm", tmp_path) == tmp_path / "~nobody-of-that-name/tflm"


def test_a_folder_that_is_there_goes_before_a_library_of_that_name(tmp_path):
    (tmp_path / "owner" / "name@1.2.3").mkdir(parents=True)
    assert parsed("owner/name@1.2.3", tmp_path) == tmp_path / "owner" / "name@1.2.3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tflm",
        "owner/name",
        "owner/name@^1.2.3",
        "owner/name@latest",
        "name@1.2.3",
        "owner/name@1.2.3\n[env:evil]",
        "owner/name@1.2.3\nextra_scripts = evil.py",
        "owner/name@1.2.3, other/name@1.0.0",
        "owner/name@1.2.3 ; comment",
        "owner/${sysenv.HOME}@1.2.3",
        "https://example.com/${platformio.packages_dir}.git",
        "https://example.com/a.git\nbuild_flags = -DX",
        "https://example.com/%(x)s.zip",
        "https://example.com/a b.zip",
        "-https://example.com/a.git",
        "/tmp/a\nb",
        "/tmp/a\0b",
    ],
)
def test_everything_else_is_refused_so_that_nothing_gets_into_platformio_ini(text, tmp_path):
    with pytest.raises(UsageError, match="this names no TensorFlow Lite Micro library") as failure:
        parsed(text, tmp_path)
    assert failure.value.exit_code == 2
    assert failure.value.where["named by"] == "--tflm-lib"
    assert "its exact version (owner/name@1.2.3)" in failure.value.hint
