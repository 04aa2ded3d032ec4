"""A serial port as the link's transport: a USB adapter, a board's own USB port, or an emulator's pseudo-terminal."""

import errno
import os
import re

import serial
import serial.tools.list_ports

from tinydeploy.errors import DeviceNotFoundError, LinkError

# A port takes at least 11,000 bytes in this time at 115,200 baud; longer means that nobody reads at the other end.
_WRITE_TIMEOUT_S = 10.0


class SerialPort:
    """An open serial port, held exclusively.

    Args:
        name: ``/dev/ttyACM0``, ``/dev/pts/3``, or what else the system calls it.
        baud: Bits per second; without meaning on a pseudo-terminal.

    Raises:
        DeviceNotFoundError: There is no such port, another program holds it, or this user may not open it.
    """

    def __init__(self, name: str, *, baud: int = 115_200) -> None:
        self.name = name
        try:
            self._port = serial.Serial(name, baudrate=baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
            self._port.reset_input_buffer()
        except (OSError, ValueError) as error:
            raise _cannot_open(name, error) from error

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


def list_ports() -> tuple[tuple[str, str], ...]:
    """The serial ports that the system knows: name and description. Pseudo-terminals are not among them."""
    return tuple((port.device, port.description) for port in sorted(serial.tools.list_ports.comports()))


def _cannot_open(name: str, error: OSError | ValueError) -> DeviceNotFoundError:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return DeviceNotFoundError(f"there is no port {name}", where=_ports_there(), hint="is the board plugged in?")
    if code in (errno.EBUSY, errno.EAGAIN):
        return DeviceNotFoundError(
            f"the port {name} is busy",
            where=_ports_there(),
            hint=f"close the program that uses it; find it with: fuser -v {name}",
        )
    if code in (errno.EACCES, errno.EPERM):
        return DeviceNotFoundError(
            f"no permission to open {name}",
            hint="sudo usermod -a -G dialout $USER\nthen log out and in again",
        )
    return DeviceNotFoundError(
        f"{name} cannot be opened as a serial port", where={"reason": _reason(error), **_ports_there()}
    )


def _ports_there() -> dict[str, str]:
    ports = [f"{name}  {description}" for name, description in list_ports()]
    return {"ports": "\n".join(ports) or "none"}


def _reason(error: Exception) -> str:
    """The system's own words; pyserial has its own around them, and the error number sometimes only in its text."""
    number = re.search(r"(?:\(|\[Errno )(\d+)", str(error))
    code = getattr(error, "errno", None) or (int(number[1]) if number else 0)
    if "returned no data" in str(error):  # pyserial's way to say that reading came to an end
        return "disconnected"
    return (os.strerror(code) if code else str(error)).lower()
