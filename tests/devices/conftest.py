import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from stub_project import echo_project

from tinydeploy.boards import find_board
from tinydeploy.build import build_project


@pytest.fixture(scope="session")
def echo_elf(tmp_path_factory) -> Callable[[str], Path]:
    """Builds tests/echo_firmware.c for a board, once."""
    root = tmp_path_factory.mktemp("echo")

    @cache
    def build(board_id: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TINYDEPLOY_CACHE_DIR", str(root / "cache"))
            return build_project(echo_project(find_board(board_id)), root / board_id).elf

    return build


@pytest.fixture
def terminal():
    """A pseudo-terminal: the end of a device, and the name of the other."""
    master, slave = os.openpty()
    yield master, os.ttyname(slave)
    for descriptor in (master, slave):
        os.close(descriptor)
