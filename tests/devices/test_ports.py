"""Which port is a board's. Ports are data, so those that no machine has can be made up."""

import grp
import subprocess
import sys
from dataclasses import replace

import pytest
from serial.tools.list_ports_common import ListPortInfo

from tinydeploy.boards import Usb, find_board
from tinydeploy.devices.ports import (
    PortInfo,
    choose_port,
    find_again,
    group_of,
    holders,
    named_port,
    port_info,
    wait_for_port,
)
from tinydeploy.errors import DeviceNotFoundError

CP2102 = Usb(vendor=0x10C4, product=0xEA60)
CH340 = Usb(vendor=0x1A86, product=0x7523)
APP = Usb(vendor=0x2341, product=0x805A)
BOOT = Usb(vendor=0x2341, product=0x005A)
BOARD = replace(find_board("qemu-cortex-m4"), id="mine", emulator=None, usb=(CP2102, CH340))
NATIVE = replace(BOARD, id="native", usb=(APP, BOOT))

BUILT_IN = PortInfo(name="/dev/ttyS0", description="ttyS0")
ADAPTER = PortInfo(name="/dev/ttyUSB0", description="CP2102", usb=CP2102, serial_number="0001", location="1-2")
PHONE = PortInfo(name="/dev/ttyACM3", description="Phone", usb=Usb(vendor=0x18D1, product=0x4EE1), location="1-4:1.0")


def test_what_pyserial_finds_is_taken_over():
    found = ListPortInfo("/dev/ttyUSB0")
    found.vid, found.pid, found.serial_number, found.location = 0x10C4, 0xEA60, "0001", "1-2"
    found.description = "CP2102"
    assert port_info(found) == ADAPTER
    assert str(ADAPTER) == "/dev/ttyUSB0  CP2102, USB 10C4:EA60, serial number 0001"


def test_a_port_that_is_none_of_usb_is_taken_over():
    assert port_info(ListPortInfo("/dev/ttyS0")) == PortInfo(name="/dev/ttyS0")
    assert str(PortInfo(name="/dev/ttyS0")) == "/dev/ttyS0, not USB"


def test_the_only_port_with_the_boards_ids_is_the_boards():
    assert choose_port([BUILT_IN, ADAPTER, PHONE], BOARD) == ADAPTER


def failure_of(ports, board) -> DeviceNotFoundError:
    with pytest.raises(DeviceNotFoundError) as caught:
        choose_port(ports, board)
    assert caught.value.exit_code == 7
    return caught.value


def test_of_several_that_match_one_has_to_be_chosen():
    second = replace(ADAPTER, name="/dev/ttyUSB1", usb=CH340, serial_number="")
    assert str(failure_of([PHONE, ADAPTER, second], BOARD)) == (
        "2 serial ports may be the mine\n"
        "  ports  /dev/ttyUSB0  CP2102, USB 10C4:EA60, serial number 0001\n"
        "         /dev/ttyUSB1  CP2102, USB 1A86:7523\n"
        "  try    choose one: --port /dev/ttyUSB0"
    )


def test_where_none_matches_it_is_told_what_was_wanted_and_what_is_there():
    assert str(failure_of([BUILT_IN, PHONE], BOARD)) == (
        "no serial port is known to be the mine's\n"
        "  wanted  USB 10C4:EA60 or USB 1A86:7523\n"
        "  ports   /dev/ttyS0  ttyS0, not USB\n"
        "          /dev/ttyACM3  Phone, USB 18D1:4EE1\n"
        "  try     is it plugged in, with a cable that carries data and not power alone?\n"
        "          if it is connected in another way, or through another adapter: --port PORT"
    )
    assert failure_of([], BOARD).where["ports"] == "none"


def test_a_board_file_without_ids_needs_a_port_from_the_user():
    error = failure_of([ADAPTER], replace(BOARD, usb=()))
    assert error.summary == "the board file of mine does not say how its serial port is known"
    assert error.hint == "choose one: --port PORT"


def test_a_port_may_be_given_by_another_of_its_names(tmp_path):
    """As /dev/serial/by-id has them."""
    device, link = tmp_path / "ttyUSB0", tmp_path / "usb-Silicon_Labs_CP2102-if00"
    device.touch()
    link.symlink_to(device)
    port = replace(ADAPTER, name=str(device))
    assert named_port([PHONE, port], str(link)) == port
    assert named_port([PHONE], str(link)) == PortInfo(name=str(link))


def native(name: str, **changes) -> PortInfo:
    return replace(
        PortInfo(name=name, description="Nano 33 BLE", usb=APP, serial_number="AB12", location="1-2:1.0"), **changes
    )


@pytest.mark.parametrize(
    "now",
    [
        native("/dev/ttyACM0"),
        native("/dev/ttyACM7"),
        native("/dev/ttyACM1", usb=BOOT, serial_number=""),
        native("/dev/ttyACM1", location="3-1:1.0"),
    ],
    ids=["as before", "by another name", "in its boot loader", "in another socket"],
)
def test_a_board_that_restarts_is_found_again(now):
    before = native("/dev/ttyACM0")
    others = [BUILT_IN, PHONE, native("/dev/ttyACM9", serial_number="CD34", location="1-3:1.0")]
    assert find_again([*others, now], before, NATIVE) == now


def test_of_several_ports_of_one_board_the_same_is_found_again():
    before = native("/dev/ttyACM0")
    debug = native("/dev/ttyACM1", location="1-2:1.2")
    assert find_again([debug, before], before, NATIVE) == before


def test_another_board_of_the_same_kind_is_not_taken_for_it():
    other = native("/dev/ttyACM0", serial_number="CD34", location="1-3:1.0")
    assert find_again([other, BUILT_IN], native("/dev/ttyACM0"), NATIVE) is None


def test_a_port_that_is_none_of_usb_keeps_its_name(terminal, tmp_path):
    port = PortInfo(name=terminal[1])
    assert find_again([], port, NATIVE) == port
    assert wait_for_port(port, NATIVE, 0.0) == port
    assert find_again([], PortInfo(name=str(tmp_path / "gone")), NATIVE) is None


def test_a_port_that_does_not_come_back_is_given_up_in_time():
    with pytest.raises(DeviceNotFoundError) as caught:
        wait_for_port(native("/dev/ttyACM0"), NATIVE, 0.25)
    assert caught.value.summary == "the port of the native has not come back within 0.25 s"
    assert caught.value.where["port"] == "/dev/ttyACM0  Nano 33 BLE, USB 2341:805A, serial number AB12"
    assert "reset button" in caught.value.hint


def test_the_programs_that_hold_a_port_are_named(terminal):
    name = terminal[1]
    assert holders(name) == ()  # this process has it open, but is not in the way
    hold = "import sys, time; port = open(sys.argv[1]); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, name], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        (held_by,) = holders(name)
        holder.kill()
    assert held_by.endswith(f" (process {holder.pid})")


def test_the_group_to_join_is_that_of_the_port_where_it_may_open_it(tmp_path):
    port = tmp_path / "port"
    port.touch()
    port.chmod(0o660)
    own = grp.getgrgid(port.stat().st_gid).gr_name
    assert group_of(str(port)) == ("dialout" if own == "root" else own)
    port.chmod(0o600)
    assert group_of(str(port)) == group_of("/dev/ttyNONE7") == "dialout"
