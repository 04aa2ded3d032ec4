"""Boards that are not ready yet: that answer late, talk first, or vanish and come back. Lines are pseudo-terminals."""

import contextlib
import os
import threading
import time
import tty
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tinydeploy.boards import SerialLine, find_board
from tinydeploy.devices.ports import PortInfo
from tinydeploy.devices.serial_port import open_port
from tinydeploy.errors import DeviceNotFoundError
from tinydeploy.link.frame import Decoder, encode
from tinydeploy.link.messages import PROTOCOL_VERSION, REPLY, HelloReply, Message
from tinydeploy.link.session import Session

BOARD = find_board("qemu-cortex-m4")
LINE = SerialLine(baud=115_200, on_open="off", reset="esp", boot_ms=2000)

# What the ROM and the second boot loader of an ESP32 print (esp-idf, docs/en/api-guides/startup.rst and its examples).
BOOT_LOG = (
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
    b"configsip: 0, SPIWP:0xee\r\nclk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00\r\n"
    b"mode:DIO, clock div:2\r\nload:0x3fff0030,len:1184\r\nentry 0x400805f0\r\n"
)
# The same at 74,880 baud, read at 115,200: anything at all, zeros and half a frame among it.
GARBAGE = bytes((37 * i * i + 11 * i) % 256 for i in range(300)) + b"\0\x07\x81\x01"

REPLY_TO_HELLO = HelloReply(
    version=PROTOCOL_VERSION, engine=1, buffers=1, inputs=0, outputs=0, layers=1, chunk_bytes=16, model_status=0,
    arena_used_bytes=0, arena_reserved_bytes=0, arena_smallest_bytes=0, input_bytes=4, output_bytes=2, clock_hz=1,
    tick_hz=1, build_id=bytes(8), model_sha256=bytes(32), board=b"x",
).pack()  # fmt: skip


@dataclass
class Device:
    """The other end of a port with a fixed name: a link to whichever terminal there is at the time."""

    link: Path
    heard: int = 0
    ends: list[int] = field(default_factory=list)

    def plug_in(self) -> int:
        """A new terminal behind the name; the end of the device."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self.ends = [master, slave]
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        return master

    def vanish(self) -> None:
        """What a USB port does when its board restarts."""
        self.link.unlink(missing_ok=True)
        for end in self.ends:
            os.close(end)
        self.ends = []

    def answer(self, master: int) -> None:
        """Answers each HELLO until the terminal goes away."""
        decoder = Decoder()
        with contextlib.suppress(OSError):
            while True:
                for frame in decoder.feed(os.read(master, 4096)):
                    assert frame.message == Message.HELLO
                    self.heard += 1
                    os.write(master, encode(replace(frame, message=Message.HELLO | REPLY, payload=REPLY_TO_HELLO)))

    def run(self, *steps) -> threading.Thread:
        thread = threading.Thread(target=lambda: [step() for step in steps], daemon=True)
        thread.start()
        return thread


@pytest.fixture
def device(tmp_path):
    device = Device(link=tmp_path / "ttyACM0")
    yield device
    device.vanish()


def connect(device: Device, timeout_s: float = 60.0, *, starting: bool = False) -> Session:
    port = PortInfo(name=str(device.link))
    return Session.connect(
        lambda wait_s: open_port(port, BOARD, LINE, wait_s=wait_s), timeout_s, name=port.name, starting=starting
    )


@pytest.mark.parametrize("words", [BOOT_LOG, GARBAGE], ids=["text", "garbage"])
def test_a_board_that_prints_a_boot_log_and_answers_after_two_seconds_is_waited_for(words, device):
    master = device.plug_in()
    begin = time.monotonic()
    ignored = lambda: os.read(master, 4096)  # noqa: E731 - what is sent while it boots is lost
    talk = lambda: (time.sleep(0.2), os.write(master, words))  # noqa: E731
    device.run(talk, lambda: time.sleep(1.8), ignored, lambda: device.answer(master))
    with connect(device) as session:
        assert session.hello.board == "x"
    assert 1.9 < time.monotonic() - begin < 30


def test_a_port_that_vanishes_while_the_board_boots_is_opened_again(device):
    device.plug_in()
    come_back = lambda: device.answer(device.plug_in())  # noqa: E731
    device.run(lambda: time.sleep(0.5), device.vanish, lambda: time.sleep(0.7), come_back)
    with connect(device) as session:
        assert session.hello.board == "x"


def test_the_port_of_a_board_that_was_just_restarted_may_not_be_there_yet(device):
    device.run(lambda: time.sleep(0.5), lambda: device.answer(device.plug_in()))
    with connect(device, starting=True) as session:
        assert session.hello.board == "x"


def test_a_port_that_is_not_there_is_not_waited_for_where_nothing_was_restarted(device):
    begin = time.monotonic()
    with pytest.raises(DeviceNotFoundError, match="there is no port"):
        connect(device)
    assert time.monotonic() - begin < 30


def test_a_port_that_does_not_come_back_is_given_up(device):
    device.plug_in()
    device.run(lambda: time.sleep(0.3), device.vanish)
    begin = time.monotonic()
    with pytest.raises(DeviceNotFoundError, match="has not come back within"):
        connect(device, 1.5)
    assert 1.2 < time.monotonic() - begin < 30


def test_a_board_that_never_answers_is_given_up_after_its_time_and_its_port_given_back(device):
    device.plug_in()
    with pytest.raises(DeviceNotFoundError) as caught:
        connect(device, 0.5)
    assert caught.value.summary == "no answer within 0.5 s"
    open_port(PortInfo(name=str(device.link)), BOARD, LINE).close()


def test_a_port_without_control_lines_can_be_told_to_reset_its_board(device):
    device.plug_in()
    port = open_port(PortInfo(name=str(device.link)), BOARD, LINE)
    port.reset_board(LINE)
    port.reset_board(SerialLine(baud=115_200))
    port.close()
