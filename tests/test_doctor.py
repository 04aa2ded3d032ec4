import importlib.metadata

import pytest

from tinydeploy.doctor import Check, check_tools


def checks() -> dict[str, Check]:
    return {check.name: check for check in check_tools()}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))


def test_what_is_there_is_told_with_its_version():
    found = checks()
    assert list(found) == [
        "Python", "LiteRT", "PlatformIO", "SCons", "Arm GCC", "C library for Arm", "C++ library for Arm", "QEMU",
        "Reference", "TensorFlow Lite Micro", "TensorFlow", "PyTorch", "ONNX", "Serial ports", "Cache folder",
    ]  # fmt: skip
    for name in ("Python", "LiteRT", "PlatformIO", "SCons", "Arm GCC", "QEMU"):
        assert found[name].ok
        assert found[name].found[0].isdigit(), found[name]
    assert found["C library for Arm"].ok
    assert found["Cache folder"].ok
    assert not any(check.missing for check in found.values() if check.ok)


def test_each_missing_tool_is_named_with_its_package_and_what_it_is_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = checks()
    for name, package, why in (
        ("Arm GCC", "gcc-arm-none-eabi", "no firmware can be built for Arm boards"),
        ("C library for Arm", "libnewlib-arm-none-eabi", "no firmware can be linked"),
        ("QEMU", "qemu-system-arm", "virtual boards do not run"),
    ):
        assert not found[name].ok
        assert found[name].required
        assert f"sudo apt install {package} " in found[name].hint
        assert found[name].missing == why


def test_the_cpp_library_is_for_tensorflow_lite_micro_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    library = checks()["C++ library for Arm"]
    assert not library.required
    assert library.missing == "no TensorFlow Lite Micro on virtual boards"
    assert "sudo apt install libstdc++-arm-none-eabi-newlib " in library.hint


def test_the_extras_for_conversion_are_named_where_they_are_missing_and_not_required(monkeypatch):
    version = importlib.metadata.version

    def without_extras(distribution: str) -> str:
        if distribution in {"tensorflow", "litert-torch", "onnx"}:
            raise importlib.metadata.PackageNotFoundError(distribution)
        return version(distribution)

    monkeypatch.setattr(importlib.metadata, "version", without_extras)
    found = checks()
    for name, extra in (("TensorFlow", "convert"), ("PyTorch", "torch"), ("ONNX", "onnx")):
        assert not found[name].required
        assert found[name].hint.endswith(f" -m pip install 'tinydeploy[{extra}]'")
    assert found["TensorFlow"].missing == "models that are not int8 yet cannot be converted"


def test_a_tool_that_does_not_run_is_not_there(tmp_path, monkeypatch):
    broken = tmp_path / "qemu-system-arm"
    broken.write_text("#!/bin/sh\nexit 127\n", encoding="ascii")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks()["QEMU"].missing == "qemu-system-arm does not run"


def test_the_library_that_is_named_is_told_with_its_version_and_who_named_it(monkeypatch, tflm_library):
    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", str(tflm_library))
    found = checks()["TensorFlow Lite Micro"]
    assert found.found.startswith(f"tflite-micro 90b983c2b in {tflm_library}, with reference ")
    assert found.found.endswith("kernels, by TINYDEPLOY_TFLM_LIB")


def test_a_library_that_is_not_usable_is_told_and_that_none_is_named_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", str(tmp_path / "tflm"))
    found = checks()["TensorFlow Lite Micro"]
    assert not found.ok
    assert not found.required
    assert found.missing == "the TensorFlow Lite Micro library does not exist"
    assert found.hint == f"library: {tmp_path}/tflm\nnamed by: TINYDEPLOY_TFLM_LIB"
    monkeypatch.setenv("TINYDEPLOY_TFLM_LIB", "")
    assert checks()["TensorFlow Lite Micro"].found == "none named; boards without one of their own run aot"


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "file" / "cache"))
    found = checks()["Cache folder"]
    assert not found.ok
    assert found.missing == f"nothing can be built: cannot make {tmp_path}/file/cache/doctor: not a directory"
    assert found.hint == "set TINYDEPLOY_CACHE_DIR to a folder that can be written to"
