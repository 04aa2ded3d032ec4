import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tinydeploy.devices.ports import list_ports, ports_text
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.errors import DeviceNotFoundError, LinkError


def test_bytes_go_through_unchanged_in_both_directions(terminal):
    master, name = terminal
    data = bytes(range(256))
    port = SerialPort(name)
    port.write(data)
    assert os.read(master, 1000) == data
    os.write(master, data)
    time.sleep(0.05)
    assert port.read(1000, 1.0) == data
    port.close()
    port.close()


def test_a_read_gives_what_is_there_at_once_and_no_more_than_asked(terminal):
    master, name = terminal
    port = SerialPort(name)
    os.write(master, b"abc")
    time.sleep(0.05)
    begin = time.monotonic()
    assert port.read(2, 60.0) == b"ab"
    assert port.read(2, 60.0) == b"c"
    assert time.monotonic() - begin < 30


def test_a_read_waits_for_the_next_bytes(terminal):
    master, name = terminal
    port = SerialPort(name)
    threading.Timer(0.1, os.write, (master, b"late")).start()
    assert port.read(1, 10.0) == b"l"


def test_a_read_without_anything_is_empty_after_its_timeout(terminal):
    port = SerialPort(terminal[1])
    begin = time.monotonic()
    assert port.read(10, 0.2) == b""
    assert 0.15 < time.monotonic() - begin < 30


def test_what_arrived_before_the_port_was_opened_is_dropped(terminal):
    master, name = terminal
    os.write(master, b"stale")
    port = SerialPort(name)
    assert port.read(10, 0.05) == b""


def test_a_port_that_goes_away_is_a_broken_link():
    master, slave = os.openpty()
    port = SerialPort(os.ttyname(slave))
    os.close(slave)
    os.close(master)
    for action in (lambda: port.read(1, 1.0), lambda: port.write(b"x")):
        with pytest.raises(LinkError) as caught:
            action()
        assert caught.value.exit_code == 8
        assert caught.value.summary == "the connection to the device broke"
        assert caught.value.where == {"port": port.name, "reason": "input/output error"}
        assert "still plugged in" in caught.value.hint


def test_a_port_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(DeviceNotFoundError) as caught:
        SerialPort("/dev/ttyNONE7")
    assert caught.value.exit_code == 7
    assert caught.value.summary == "there is no port /dev/ttyNONE7"
    assert caught.value.where["ports"] == ports_text(list_ports())
    assert caught.value.hint == "is the board plugged in?"


def test_a_port_that_somebody_holds_is_busy(terminal):
    port = SerialPort(terminal[1])
    with pytest.raises(DeviceNotFoundError) as caught:
        SerialPort(terminal[1])
    assert caught.value.summary == f"the port {terminal[1]} is busy"
    assert f"fuser -v {terminal[1]}" in caught.value.hint
    port.close()
    SerialPort(terminal[1]).close()


@pytest.mark.parametrize("name", ["a file", "a folder"])
def test_what_is_not_a_serial_port_is_refused(name, tmp_path):
    path = tmp_path / name
    path.touch() if name == "a file" else path.mkdir()
    with pytest.raises(DeviceNotFoundError, match="cannot be opened as a serial port") as caught:
        SerialPort(str(path))
    assert caught.value.where["reason"] in ("inappropriate ioctl for device", "is a directory")


def test_a_port_of_somebody_else_is_answered_with_the_group_to_join(terminal):
    """Root may open everything, so it tries as somebody else."""
    Path(terminal[1]).chmod(0)
    script = f"""
import os
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.errors import DeviceNotFoundError
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    SerialPort({terminal[1]!r})
except DeviceNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert f"no permission to open {terminal[1]}" in done.stdout, done.stderr
    assert "sudo usermod -a -G dialout $USER" in done.stdout
