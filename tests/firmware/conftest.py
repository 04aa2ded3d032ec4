"""Compiled firmware."""

from collections.abc import Callable
from pathlib import Path

import pytest
from host_firmware import compile_firmware


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles the firmware on a port (``port_threads`` unless told) with macros; each variant once."""
    programs: dict[str, Path] = {}

    def compiled(port: str = "port_threads", **options: int | str) -> Path:
        name = "-".join([port, *(f"{key}={value}" for key, value in sorted(options.items()))])
        if name not in programs:
            programs[name] = compile_firmware(tmp_path_factory.mktemp("firmware") / "firmware", port, **options)
        return programs[name]

    return compiled
