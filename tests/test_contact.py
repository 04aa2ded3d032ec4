"""A real board's way, with an emulator as the board: PlatformIO's upload step starts it, and its port appears then."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tool_project import BOARD, project_with_tool

from tinydeploy.contact import make_contact
from tinydeploy.devices.ports import PortInfo
from tinydeploy.devices.upload import upload
from tinydeploy.errors import DeviceNotFoundError, WrongFirmwareError

# The board restarts: its port goes away, and is there again a moment after the tool has ended.
START = """
rm -f "$1"
qemu="qemu-system-arm -machine mps2-an385 -display none -monitor none -serial pty -kernel $2"
setsid sh -c "sleep 1; exec $qemu" > qemu.log 2>&1 &
echo $! > qemu.pid
setsid sh -c "until grep -q /dev/pts qemu.log; do sleep 0.1; done; ln -s \\$(grep -o '/dev/pts/[0-9]*' qemu.log) $1" &
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("project")
        yield folder
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((folder / "qemu.pid").read_text()), signal.SIGKILL)


def test_a_board_is_written_to_waited_for_and_asked_who_it_is(folder):
    project = project_with_tool(START)
    port = PortInfo(name=str(folder / "ttyBOARD"))
    upload(project, folder, port)
    with make_contact(BOARD, port, flashed=True) as session:
        session.expect(project.build_id, "00" * 32)
        assert [result.output for result in session.run([bytes(range(16))])] == [bytes(range(16))]
    with make_contact(BOARD, port) as session:
        assert session.stats().inferences == 1, "it goes on running when its port is closed and opened"
        with pytest.raises(WrongFirmwareError):
            session.expect(bytes(8), "00" * 32)


def test_a_board_that_does_not_come_back_is_told(tmp_path):
    port = PortInfo(name=str(tmp_path / "ttyBOARD"))
    with pytest.raises(DeviceNotFoundError) as caught:
        make_contact(BOARD, port, flashed=True)
    assert caught.value.summary == "the port of the qemu-cortex-m3 has not come back within 5.5 s"
