"""PlatformIO for boards that need downloads. No test needs a network, or uses one: a proxy that is not there is one way
to have none."""

import socket
import time
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from stub_project import stub_project

from tinydeploy.boards import Framework, find_board
from tinydeploy.build import build_project
from tinydeploy.errors import BuildError
from tinydeploy.files import tree_digest
from tinydeploy.platformio import is_reachable, platformio_environment

VIRTUAL = find_board("qemu-cortex-m3")
REAL = replace(
    VIRTUAL,
    id="real",
    title="A real board",
    emulator=None,
    framework=Framework(platform="espressif32@6.13.0", board="esp32dev", framework="arduino"),
)
MANIFEST = b"""
[env:real]
platform = espressif32@6.13.0
board = esp32dev
framework = arduino
"""


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))


@pytest.fixture
def offline(monkeypatch):
    for name in ("https_proxy", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def real_project():
    """What PlatformIO needs to see of a project for a board that it has to download something for."""
    project = stub_project(VIRTUAL)
    files = {PurePosixPath("platformio.ini"): MANIFEST, PurePosixPath("src/main.c"): b"int main(void) { return 0; }\n"}
    return replace(project, board=REAL, files=files, build_id=tree_digest(files)[:8])


@pytest.mark.usefixtures("offline")
def test_without_a_network_it_is_told_within_seconds_what_cannot_be_downloaded(tmp_path):
    lines: list[str] = []
    begin = time.monotonic()
    with pytest.raises(BuildError) as caught:
        build_project(real_project(), tmp_path / "project", lines.append)
    assert time.monotonic() - begin < 20  # 2 s on an idle machine; PlatformIO itself takes 61 s
    assert caught.value.exit_code == 5
    assert str(caught.value) == (
        "espressif32 @ 6.13.0 has to be downloaded, and there is no connection to its server\n"
        "  board  real, A real board\n"
        "  try    connect to the network once: what is there is not downloaded again\n"
        "         behind a proxy: set HTTPS_PROXY\n"
        "         without any network: --board qemu-cortex-m4 --engine aot"
    )
    assert any("Installing espressif32" in line for line in lines), "its progress is shown"


def test_a_server_is_looked_for_where_the_package_is(monkeypatch):
    monkeypatch.setattr("urllib.request.getproxies", dict)
    begin = time.monotonic()
    assert not is_reachable("https://nowhere.invalid/platform.zip")
    assert not is_reachable("git+https://nowhere.invalid/library.git#v1")
    assert time.monotonic() - begin < 20
    for package in ("symlink:///home/me/library", "file:///home/me/library", "/home/me/library", "./library"):
        assert is_reachable(package)


def test_a_proxy_is_a_way_to_every_server(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert is_reachable("https://nowhere.invalid/platform.zip")
        assert is_reachable("espressif32 @ 6.13.0")


def test_boards_that_need_downloads_use_what_the_user_has_and_no_other_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-DSURPRISE")
    monkeypatch.setenv("PLATFORMIO_SETTING_ENABLE_PROXY_STRICT_SSL", "no")
    real, virtual = platformio_environment(REAL), platformio_environment(VIRTUAL)
    assert real["PLATFORMIO_CORE_DIR"] == str(tmp_path / "core")
    assert virtual["PLATFORMIO_CORE_DIR"] == str(tmp_path / "cache" / "platformio")
    assert real["PLATFORMIO_SETTING_ENABLE_PROXY_STRICT_SSL"] == "no"
    for environment in (real, virtual):
        assert "PLATFORMIO_BUILD_FLAGS" not in environment
        assert environment["PLATFORMIO_SETTING_ENABLE_TELEMETRY"] == "no"
        assert environment["PLATFORMIO_DISABLE_UPGRADE_CHECK"] == "true"
