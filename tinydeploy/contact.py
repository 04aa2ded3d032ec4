"""First contact with a board: its port is opened as it needs it, and it is waited for while it boots."""

from contextlib import closing

from tinydeploy.boards import Board
from tinydeploy.devices.ports import PortInfo
from tinydeploy.devices.serial_port import SerialPort, open_port
from tinydeploy.errors import DeviceNotFoundError
from tinydeploy.link.channel import Transport
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.session import Session

_HELLO_S = 5.0
"""How long a board that has booted is asked before it counts as silent."""

_SILENCE_S = 5.0
_EMULATED_SILENCE_S = 30.0
"""How long one may say nothing while it computes; an emulator has to share its machine, and its end is seen at once."""


def make_contact(board: Board, port: PortInfo, *, flashed: bool = False, log: FrameLog | None = None) -> Session:
    """A session with whatever firmware of ours the board runs.

    ``flashed`` says that the board was just written to: it restarts, its port may have gone for a while and come back
    by another name, and where it does not answer, it is reset through the port's control lines if its file says how.
    ``log`` gets what goes over the line.

    Raises:
        DeviceNotFoundError: Its port cannot be opened, or it does not answer.
        LinkError: The connection keeps breaking.
        WrongFirmwareError: What answers speaks another version of the protocol.
    """
    line = board.line
    timeout_s = _HELLO_S + (0.0 if board.is_virtual else line.boot_ms / 1000)
    silence_s = _EMULATED_SILENCE_S if board.is_virtual else _SILENCE_S

    def open_serial(wait_s: float) -> SerialPort:
        return open_port(port, board, line, wait_s=wait_s)

    def open_line(wait_s: float) -> Transport:
        opened = open_serial(wait_s)
        return opened if log is None else log.around(opened, opened.name)

    try:
        return Session.connect(open_line, timeout_s, name=port.name, starting=flashed, silence_s=silence_s)
    except DeviceNotFoundError:
        if not flashed or line.reset == "none":
            raise
    with closing(open_serial(timeout_s)) as serial_port:
        serial_port.reset_board(line)
    return Session.connect(open_line, timeout_s, name=port.name, starting=True, silence_s=silence_s)
