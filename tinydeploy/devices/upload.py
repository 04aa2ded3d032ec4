"""Writing a firmware to a real board: PlatformIO starts the tool that the board's boot loader or probe needs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinydeploy.build import why_not_built, written
from tinydeploy.devices.ports import PortInfo, group_of, holders
from tinydeploy.errors import DeviceNotFoundError, FlashError, TinydeployError
from tinydeploy.files import locked
from tinydeploy.platformio import run_platformio
from tinydeploy.process import Finished
from tinydeploy.project import FirmwareProject

# The slowest: 2 MB through an ESP32's ROM at 115,200 baud takes four minutes. A Teensy's tool waits for its button.
_TIMEOUT_S = 600.0

_QUOTED_LINES = 5

# What PlatformIO prints between the last step of building and the tool's first words.
_UPLOAD_BEGINS = re.compile(r"^(Configuring upload protocol|Looking for upload |Uploading )", re.MULTILINE)
_SUMMARY = re.compile(r"^=+ \[", re.MULTILINE)
_SAYS_WHY = re.compile(r"error|fail|fatal|cannot|could not|couldn't|no device|not found|unable|denied|busy|press", re.I)


@dataclass(frozen=True, kw_only=True)
class _Cause:
    """A known way to fail: how the tools' words show it, what it means and what to do about it."""

    words: str
    summary: str
    hint: str


# In this order: a chip that is another one is also one that could not be connected to.
_CAUSES = (
    _Cause(
        words=r"This chip is .+ not |Unexpected chip ID|wrong chip|unexpected idcode|expected 1 of 1: 0x",
        summary="the board's chip is another one",
        hint="choose the board that it is: tinydeploy boards",
    ),
    _Cause(
        words=r"Permission denied|Access denied|LIBUSB_ERROR_ACCESS|insufficient permissions",
        summary="no permission to use the board",
        hint="a serial port: sudo usermod -a -G {group} $USER, then log out and in again\n"
        "a probe, or a boot loader that is none: install 99-platformio-udev.rules, see docs.platformio.org",
    ),
    _Cause(
        words=r"Resource busy|resource busy|port is busy|multiple access on port|temporarily unavailable",
        summary="another program uses the board",
        hint="close it; find it with: fuser -v {port}",
    ),
    _Cause(
        words=r"Failed to connect to ESP|No serial data received|Wrong boot mode|Timed out waiting for packet",
        summary="the chip's boot loader does not answer",
        hint="hold the button BOOT (or IO0), press and release RESET (or EN), release BOOT, and start again",
    ),
    _Cause(
        words=r"press the PROGRAM MODE BUTTON|did not respond to a USB-based request",
        summary="the board does not go to its boot loader",
        hint="press the white button on the Teensy, and start again",
    ),
    _Cause(
        words=r"BOOTSEL|RPI-RP2|RP2350 drive|picotool",
        summary="the board does not go to its boot loader",
        hint="unplug it, hold the button BOOTSEL while plugging it in, and start again",
    ),
    _Cause(
        words=r"No device found on|SAM-BA operation failed|bossac|DFU capable USB device|dfu-util: No",
        summary="the board does not go to its boot loader",
        hint="press its reset button twice within half a second, so that its light pulsates, and start again",
    ),
    _Cause(
        words=r"open failed|init mode failed|LIBUSB_ERROR_NO_DEVICE|unable to open .*device|couldn't find .*st-?link",
        summary="the board's debug probe does not answer",
        hint="is the board plugged in at the probe's USB socket, with a cable that carries data?",
    ),
    _Cause(
        words=r"could not open port|doesn't exist|No such file or directory: '?/dev|Couldn't find a board on",
        summary="the board's port is not there",
        hint="is it plugged in? tinydeploy doctor lists the ports that are",
    ),
    _Cause(
        words=r"command not found|: not found|No such file or directory|is not recognized",
        summary="the tool that writes to the board is not there",
        hint="connect to the network and start again: PlatformIO downloads it",
    ),
)


def upload(
    project: FirmwareProject, folder: Path, port: PortInfo | None, on_line: Callable[[str], None] | None = None
) -> None:
    """Writes the project's firmware to the board, built in ``folder`` as by `build_project`.

    Without a ``port``, PlatformIO looks for a board in its boot loader, or for a probe.

    Raises:
        FlashError: The board's tool failed; has its own words, and what to do where the cause is known.
        DeviceNotFoundError: Another program holds the port: two that read it would get half of the bytes each.
        BuildError: The tool is missing and cannot be downloaded, or the firmware does not compile.
    """
    if port is not None:
        _require_free(port.name)
    folder = folder.resolve()
    arguments = ["--target", "upload", *(["--upload-port", port.name] if port else [])]
    with locked(str(folder)), written(project, folder):
        try:
            finished = run_platformio(project.board, folder, arguments, on_line=on_line, timeout_s=_TIMEOUT_S)
        except TimeoutError as error:
            raise FlashError(
                f"writing to the board does not end: nothing after {_TIMEOUT_S:.0f} s",
                where=_where(project, port),
                hint="press the board's reset button, or unplug it and plug it in again",
            ) from error
    if finished.exit_code != 0:
        raise _why_not_uploaded(project, folder, port, finished)


def _require_free(name: str) -> None:
    held_by = holders(name)
    if held_by:
        raise DeviceNotFoundError(
            f"the port {name} is busy", where={"held by": "\n".join(held_by)}, hint="close the program that uses it"
        )


def _where(project: FirmwareProject, port: PortInfo | None) -> dict[str, str]:
    return {"board": f"{project.board.id}, {project.board.title}", **({"port": str(port)} if port else {})}


def _why_not_uploaded(
    project: FirmwareProject, folder: Path, port: PortInfo | None, finished: Finished
) -> TinydeployError:
    if not _UPLOAD_BEGINS.search(finished.stdout.decode(errors="replace")):
        return why_not_built(project.board, folder, finished)
    words = _tool_words(finished)
    cause = next((cause for cause in _CAUSES if any(re.search(cause.words, line, re.I) for line in words)), None)
    where = {**_where(project, port), "tool": "\n".join(_quoted(words))}
    if cause is None:
        return FlashError("the firmware could not be written to the board", where=where, hint="tinydeploy doctor")
    name = port.name if port else "PORT"
    hint = cause.hint.format(port=name, group=group_of(name))
    return FlashError(f"the firmware could not be written to the board: {cause.summary}", where=where, hint=hint)


def _tool_words(finished: Finished) -> list[str]:
    """What was printed from the beginning of the upload on, without what PlatformIO says at its end."""
    complained, printed = (
        _SUMMARY.split(stream.decode(errors="replace"))[0] for stream in (finished.stderr, finished.stdout)
    )
    begin = _UPLOAD_BEGINS.search(printed)
    lines = [*complained.splitlines(), *printed[begin.start() if begin else 0 :].splitlines()]
    told = (line.strip() for line in lines)
    return list(dict.fromkeys(line for line in told if line and not line.startswith("***")))


def _quoted(words: list[str]) -> list[str]:
    """The lines that say why, or else the last ones."""
    return ([line for line in words if _SAYS_WHY.search(line)] or words[-_QUOTED_LINES:])[:_QUOTED_LINES]
