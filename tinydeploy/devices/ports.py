"""Serial ports, and which of them is a board's. Choosing is pure: it works on facts that `list_ports` has gathered."""

import grp
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import serial.tools.list_ports
from serial.tools.list_ports_common import ListPortInfo

from tinydeploy.boards import Board, Usb
from tinydeploy.errors import DeviceNotFoundError

_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, kw_only=True)
class PortInfo:
    """What the system knows of a serial port.

    ``usb`` is None where it is none of USB, such as a pseudo-terminal. ``serial_number`` and ``location`` (the socket
    that it is plugged into, and the interface: ``1-2:1.0``) are empty where they are not known.
    """

    name: str
    description: str = ""
    usb: Usb | None = None
    serial_number: str = ""
    location: str = ""

    def __str__(self) -> str:
        """A line for people to choose by."""
        number = f"serial number {self.serial_number}" if self.serial_number else ""
        usb = f"USB {usb_text(self.usb)}" if self.usb else "not USB"
        return ", ".join(filter(None, [f"{self.name}  {self.description}".rstrip(), usb, number]))


def usb_text(usb: Usb) -> str:
    """Vendor and product as everybody writes them: ``10C4:EA60``."""
    return f"{usb.vendor:04X}:{usb.product:04X}"


def list_ports() -> tuple[PortInfo, ...]:
    """The serial ports that the system knows, sorted by name. Pseudo-terminals are not among them."""
    return tuple(port_info(port) for port in sorted(serial.tools.list_ports.comports()))


def port_info(port: ListPortInfo) -> PortInfo:
    """What pyserial found, in this project's terms."""
    return PortInfo(
        name=port.device,
        description=port.description if port.description != "n/a" else "",
        usb=None if port.vid is None or port.pid is None else Usb(vendor=port.vid, product=port.pid),
        serial_number=port.serial_number or "",
        location=port.location or "",
    )


def find_port(board: Board, given: str | None) -> PortInfo:
    """The port that was given, or the only one that is the board's.

    Raises:
        DeviceNotFoundError: None is, or several are: the message has those that are there.
    """
    return choose_port(list_ports(), board) if given is None else named_port(list_ports(), given)


def named_port(ports: Iterable[PortInfo], name: str) -> PortInfo:
    """What is known of the port with this name, or with another name of the same port: a link in /dev/serial/by-id."""
    path = Path(name).resolve()
    return next((port for port in ports if Path(port.name).resolve() == path), PortInfo(name=name))


def choose_port(ports: Sequence[PortInfo], board: Board) -> PortInfo:
    """The only one of the ports that is the board's, by its USB ids.

    Raises:
        DeviceNotFoundError: None is, or several are.
    """
    matching = [port for port in ports if port.usb in board.usb]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise DeviceNotFoundError(
            f"{len(matching)} serial ports may be the {board.id}",
            where={"ports": ports_text(matching)},
            hint=f"choose one: --port {matching[0].name}",
        )
    if not board.usb:
        raise DeviceNotFoundError(
            f"the board file of {board.id} does not say how its serial port is known",
            where={"ports": ports_text(ports)},
            hint="choose one: --port PORT",
        )
    raise DeviceNotFoundError(
        f"no serial port is known to be the {board.id}'s",
        where={"wanted": " or ".join(f"USB {usb_text(usb)}" for usb in board.usb), "ports": ports_text(ports)},
        hint="is it plugged in, with a cable that carries data and not power alone?\n"
        "if it is connected in another way, or through another adapter: --port PORT",
    )


def ports_text(ports: Iterable[PortInfo]) -> str:
    """The ports in lines, for a message."""
    return "\n".join(str(port) for port in ports) or "none"


def find_again(ports: Iterable[PortInfo], before: PortInfo, board: Board) -> PortInfo | None:
    """The port of a board that has restarted: a board with a USB port of its own comes back, maybe by another name.

    Its boot loader may have had another product number and another serial number than its firmware; the socket that it
    is plugged into stays. None where it is not there. A port that is none of USB keeps its name.
    """
    if before.usb is None:
        return before if Path(before.name).exists() else None

    def likeness(port: PortInfo) -> tuple[bool, bool, bool]:
        return port.usb in (*board.usb, before.usb), port.location == before.location, port.name == before.name

    same = [port for port in ports if port.usb is not None and _is_same_device(port, before)]
    return max(same, key=likeness, default=None)


def _is_same_device(port: PortInfo, before: PortInfo) -> bool:
    """Of the ports of one device only the interface, behind the colon, is different."""
    socket, socket_before = port.location.partition(":")[0], before.location.partition(":")[0]
    if socket and socket == socket_before:
        return True
    assert port.usb is not None
    assert before.usb is not None
    is_same_number = bool(port.serial_number) and port.serial_number == before.serial_number
    return is_same_number and port.usb.vendor == before.usb.vendor


def wait_for_port(before: PortInfo, board: Board, timeout_s: float) -> PortInfo:
    """The port of a board that restarts, as soon as it is there again and may be opened.

    The system makes a port first and gives it to its users a moment later.

    Raises:
        DeviceNotFoundError: It has not come back in this time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        ports = list_ports()
        port = find_again(ports, before, board)
        if port is not None and (os.access(port.name, os.R_OK | os.W_OK) or time.monotonic() >= deadline):
            return port  # what else keeps it from being opened is told by who opens it
        if time.monotonic() >= deadline:
            raise DeviceNotFoundError(
                f"the port of the {board.id} has not come back within {timeout_s:g} s",
                where={"port": str(before), "ports": ports_text(ports)},
                hint="press the board's reset button, or unplug it and plug it in again",
            )
        time.sleep(_LOOK_AGAIN_S)


def group_of(name: str) -> str:
    """The group whose members may open a port, as far as its permissions tell: dialout on Debian, uucp elsewhere."""
    try:
        status = Path(name).stat()
        has_group = status.st_gid != 0 and status.st_mode & 0o060 == 0o060
        return grp.getgrgid(status.st_gid).gr_name if has_group else "dialout"
    except (OSError, KeyError):
        return "dialout"


def holders(name: str) -> tuple[str, ...]:
    """The programs that have the port open, as far as this user may know: other users' programs are not told."""
    path = os.path.realpath(name)
    return tuple(
        f"{_program(process)} (process {process.name})"
        for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda found: int(found.name))
        if process.name != str(os.getpid()) and _has_open(process, path)
    )


def _has_open(process: Path, path: str) -> bool:
    try:
        return any(str(descriptor.readlink()) == path for descriptor in (process / "fd").iterdir())
    except OSError:  # it has ended, or is another user's
        return False


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
