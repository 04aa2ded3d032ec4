"""A serial port as the link's transport: a USB adapter, a board's own USB port, or an emulator's pseudo-terminal."""

import contextlib
import errno
import fcntl
import os
import re
import struct
import termios
import time
from collections.abc import Iterator

import serial

from tinydeploy.boards import Board, SerialLine
from tinydeploy.devices.ports import PortInfo, group_of, holders, list_ports, ports_text, wait_for_port
from tinydeploy.errors import DeviceNotFoundError, LinkError

# A port takes at least 11,000 bytes in this time at 115,200 baud; longer means that nobody reads at the other end.
_WRITE_TIMEOUT_S = 10.0

# esptool 4.8, reset.py, HardReset: long enough for the capacitor at the chip's enable pin.
_ESP_RESET_S = 0.1

_TRY_AGAIN_S = 0.1


class SerialPort:
    """An open serial port, held exclusively.

    Opening it does not reset a board whose ``line`` says how to avoid that, and neither does closing it.

    Args:
        name: ``/dev/ttyACM0``, ``/dev/pts/3``, or what else the system calls it.
        line: Speed and control lines; both without meaning on a pseudo-terminal.

    Raises:
        DeviceNotFoundError: There is no such port, another program holds it, or this user may not open it.
    """

    def __init__(self, name: str, *, line: SerialLine = SerialLine(baud=115_200)) -> None:  # noqa: B008 - it is frozen
        self.name = name
        try:
            self._port = serial.Serial(
                name, baudrate=line.baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
            )
            _settle_lines(self._port.fileno(), line)
            self._port.reset_input_buffer()
        except (OSError, ValueError) as error:
            raise _cannot_open(name, error) from error

    def reset_board(self, line: SerialLine) -> None:
        """Restarts the board through the control lines, where its file says how; does nothing elsewhere.

        Raises:
            LinkError: The port has gone.
        """
        if line.reset != "esp":
            return
        try:
            with _no_control_lines():  # with DTR off, RTS pulls the chip's enable pin down
                _set_lines(self._port.fileno(), termios.TIOCMBIC, termios.TIOCM_DTR)
                _set_lines(self._port.fileno(), termios.TIOCMBIS, termios.TIOCM_RTS)
                time.sleep(_ESP_RESET_S)
                _set_lines(self._port.fileno(), termios.TIOCMBIC, termios.TIOCM_RTS)
        except OSError as error:
            raise self._broken(error) from error

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """What has arrived, at most ``max_bytes``: at once if there is something, else the next that comes.

        Empty after ``timeout_s`` without anything.

        Raises:
            LinkError: The port has gone.
        """
        try:
            if self._port.timeout != timeout_s:
                self._port.timeout = timeout_s
            data: bytes = self._port.read(max(1, min(max_bytes, self._port.in_waiting)))
        except OSError as error:
            raise self._broken(error) from error
        return data

    def write(self, data: bytes) -> None:
        """Sends everything; waits while the other end takes no more.

        Raises:
            LinkError: The port has gone, or takes nothing for 10 s.
        """
        try:
            self._port.write(data)
        except OSError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Gives the port back. May be called more than once."""
        self._port.close()

    def _broken(self, error: OSError) -> LinkError:
        return LinkError(
            "the connection to the device broke",
            where={"port": self.name, "reason": _reason(error)},
            hint="is it still plugged in, or its emulator still running?",
        )


def open_port(port: PortInfo, board: Board, line: SerialLine, *, wait_s: float = 0.0) -> SerialPort:
    """Opens a board's port. For up to ``wait_s`` waits for it to come back, by whatever name, and to be free.

    Raises:
        DeviceNotFoundError: It is not there, or cannot be opened.
    """
    if wait_s <= 0:
        return SerialPort(port.name, line=line)
    deadline = time.monotonic() + wait_s
    while True:
        there = wait_for_port(port, board, max(0.0, deadline - time.monotonic()))
        try:
            return SerialPort(there.name, line=line)
        except DeviceNotFoundError:  # it has just gone again, or the system's own programs look at a new port first
            if time.monotonic() >= deadline:
                raise
        time.sleep(_TRY_AGAIN_S)


def _settle_lines(descriptor: int, line: SerialLine) -> None:
    """Leaves DTR and RTS as the board needs them.

    Linux activates both together whenever a port is opened (drivers/tty/tty_port.c, tty_port_raise_dtr_rts), and
    pyserial leaves them so unless told otherwise. The reset circuit of an ESP32 bears both on and both off; it resets
    the chip when RTS is on and DTR is off. So both go off in one request: pyserial's own ``dtr`` and ``rts`` would go
    one after the other, with a reset between them.

    HUPCL would deactivate them when the port is closed: the next time that it is opened would then be an edge, which
    resets boards that have a capacitor at DTR. Boards that want DTR to be on take its end as the end of the
    conversation, and keep HUPCL.
    """
    with _no_control_lines():
        if line.on_open == "off":
            _set_lines(descriptor, termios.TIOCMBIC, termios.TIOCM_DTR | termios.TIOCM_RTS)
    if line.on_open == "on":
        return
    with contextlib.suppress(termios.error):
        attributes = termios.tcgetattr(descriptor)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _set_lines(descriptor: int, request: int, lines: int) -> None:
    """Activates (TIOCMBIS) or deactivates (TIOCMBIC) control lines, all at once."""
    fcntl.ioctl(descriptor, request, struct.pack("I", lines))


@contextlib.contextmanager
def _no_control_lines() -> Iterator[None]:
    """Lets a port have none: pseudo-terminals, for one."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise


def _cannot_open(name: str, error: OSError | ValueError) -> DeviceNotFoundError:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return DeviceNotFoundError(f"there is no port {name}", where=_ports_there(), hint="is the board plugged in?")
    if code in (errno.EBUSY, errno.EAGAIN):
        held_by = "\n".join(holders(name))
        return DeviceNotFoundError(
            f"the port {name} is busy",
            where={"held by": held_by} if held_by else {},
            hint=f"close the program that uses it; find it with: fuser -v {name}",
        )
    if code in (errno.EACCES, errno.EPERM):
        return DeviceNotFoundError(
            f"no permission to open {name}",
            hint=f"sudo usermod -a -G {group_of(name)} $USER\nthen log out and in again",
        )
    return DeviceNotFoundError(
        f"{name} cannot be opened as a serial port", where={"reason": _reason(error), **_ports_there()}
    )


def _ports_there() -> dict[str, str]:
    return {"ports": ports_text(list_ports())}


def _reason(error: Exception) -> str:
    """The system's own words; pyserial has its own around them, and the error number sometimes only in its text."""
    number = re.search(r"(?:\(|\[Errno )(\d+)", str(error))
    code = getattr(error, "errno", None) or (int(number[1]) if number else 0)
    if "returned no data" in str(error):  # pyserial's way to say that reading came to an end
        return "disconnected"
    return (os.strerror(code) if code else str(error)).lower()
