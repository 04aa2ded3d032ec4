from pathlib import Path

import pytest

from tinydeploy.config import config_path, read_config
from tinydeploy.errors import UsageError


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("TINYDEPLOY_CONFIG", str(path))
    return path


def problem(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as failure:
        read_config()
    assert failure.value.exit_code == 2
    assert failure.value.where == {"file": str(path)}
    assert failure.value.hint == 'it may have the table [tflm] with the key library = "SPEC", and nothing else'
    return failure.value.summary.removeprefix("the file with your settings is not usable: ")


def test_the_library_is_read_from_the_file(file):
    file.write_text('[tflm]\nlibrary = "~/tflm"\n', encoding="utf-8")
    config = read_config()
    assert config.tflm_library == "~/tflm"
    assert config.path == file


@pytest.mark.parametrize("text", ["", "[tflm]\n", '[tflm]\nlibrary = ""\n'])
def test_what_the_file_does_not_say_is_none(file, text):
    file.write_text(text, encoding="utf-8")
    assert read_config().tflm_library is None


def test_the_file_is_in_the_users_folder_for_settings_and_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "tinydeploy" / "config.toml"
    assert read_config().tflm_library is None
    config_path().parent.mkdir()
    config_path().write_text('[tflm]\nlibrary = "/tflm"\n', encoding="utf-8")
    assert read_config().tflm_library == "/tflm"


def test_a_file_that_the_variable_names_has_to_be_there(file):
    with pytest.raises(UsageError, match="it cannot be read: no such file or directory"):
        read_config()
    file.mkdir()
    with pytest.raises(UsageError, match="it cannot be read: is a directory"):
        read_config()


def test_the_home_in_the_variable_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TINYDEPLOY_CONFIG", "~/mine.toml")
    assert config_path() == tmp_path / "mine.toml"


def test_unknown_keys_are_errors_that_name_the_nearest_one(file):
    assert problem(file, "[tfml]\n") == "tfml: no such key (did you mean tflm?)"
    assert problem(file, '[tflm]\nlibary = "x"\n') == "tflm.libary: no such key (did you mean library?)"
    assert problem(file, "[tflm]\nkernels = 1\n") == "tflm.kernels: no such key (there is library)"


def test_values_of_another_kind_are_errors(file):
    assert problem(file, "tflm = 1\n") == "tflm: a table is needed"
    assert problem(file, "[tflm]\nlibrary = 1\n") == "tflm.library: text is needed, not 1"


def test_what_is_not_toml_is_an_error(file):
    assert problem(file, "[tflm\n").startswith("it is not TOML: ")
    assert problem(file, b"\xff\xfe").startswith("it is not TOML: ")
