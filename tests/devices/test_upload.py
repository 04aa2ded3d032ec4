"""Writing to a board: PlatformIO and SCons are real, and what they start is a script that says what a tool says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from stub_project import COPY_MODEL
from tool_project import project_with_tool

from tinydeploy.devices.ports import PortInfo
from tinydeploy.devices.upload import upload
from tinydeploy.errors import BuildError, DeviceNotFoundError, FitError, FlashError

PORT = PortInfo(name="/dev/ttyNONE7", description="CP2102 USB to UART Bridge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all, so that the firmware is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.mktemp("project")


def failure_of(script: str, folder: Path, port: PortInfo | None = PORT, source: bytes = COPY_MODEL) -> FlashError:
    with pytest.raises(FlashError) as caught:
        upload(project_with_tool(script, source), folder, port)
    assert caught.value.exit_code == 6
    return caught.value


def test_the_firmware_of_this_project_is_written_through_this_port(folder):
    lines: list[str] = []
    upload(project_with_tool('echo "port $1"; cp "$2" written.elf'), folder, PORT, lines.append)
    assert "port /dev/ttyNONE7" in lines
    first = (folder / "written.elf").read_bytes()
    other = COPY_MODEL.replace(b"1000", b"2000")
    upload(project_with_tool('cp "$2" written.elf', other), folder, PORT)
    assert (folder / "written.elf").read_bytes() != first


def test_without_a_port_the_tool_looks_for_the_board_itself(folder):
    lines: list[str] = []
    upload(project_with_tool('echo "$# arguments"'), folder, None, lines.append)
    assert "1 arguments" in lines


@pytest.mark.parametrize(
    ("words", "summary", "hint"),
    [
        (
            "A fatal error occurred: Failed to connect to ESP32: Wrong boot mode detected (0x13)!",
            "the chip's boot loader does not answer",
            "hold the button BOOT",
        ),
        (
            "A fatal error occurred: This chip is ESP32-S3 not ESP32. Wrong --chip argument?",
            "the board's chip is another one",
            "tinydeploy boards",
        ),
        (
            "A fatal error occurred: Could not open /dev/ttyNONE7, the port doesn't exist",
            "the board's port is not there",
            "tinydeploy doctor lists the ports",
        ),
        (
            "could not open port '/dev/ttyNONE7': [Errno 13] Permission denied: '/dev/ttyNONE7'",
            "no permission to use the board",
            "sudo usermod -a -G dialout $USER",
        ),
        ("Error: libusb_open() failed with LIBUSB_ERROR_ACCESS", "no permission to use the board", "udev"),
        (
            "could not open port '/dev/ttyNONE7': [Errno 16] Device or resource busy: '/dev/ttyNONE7'",
            "another program uses the board",
            "fuser -v /dev/ttyNONE7",
        ),
        (
            "Teensy did not respond to a USB-based request to enter program mode.",
            "the board does not go to its boot loader",
            "the white button",
        ),
        (
            "No accessible RP2040 devices in BOOTSEL mode were found.",
            "the board does not go to its boot loader",
            "hold the button BOOTSEL",
        ),
        ("No device found on ttyNONE7", "the board does not go to its boot loader", "reset button twice"),
        ("Error: open failed", "the board's debug probe does not answer", "probe's USB socket"),
    ],
)
def test_what_a_tool_says_is_quoted_with_what_to_do(words, summary, hint, folder):
    """The words are those of esptool 4.8 and 5, bossac 1.9, openocd 0.12, teensy_loader_cli and picotool 2."""
    error = failure_of(f"echo 'Connecting...'\necho {shell_quoted(words)} >&2\nexit 2", folder)
    assert error.summary == f"the firmware could not be written to the board: {summary}"
    assert words in error.where["tool"].splitlines()
    assert error.where["port"].startswith("/dev/ttyNONE7  CP2102")
    assert hint in error.hint


def shell_quoted(words: str) -> str:
    return "'" + words.replace("'", "'\\''") + "'"


def test_a_tool_that_fails_in_a_way_of_its_own_is_quoted(folder):
    error = failure_of("echo one; echo two; exit 1", folder, None)
    assert error.summary == "the firmware could not be written to the board"
    assert error.where["tool"].endswith("one\ntwo")
    assert "port" not in error.where


def test_a_tool_that_is_not_there_is_told(folder):
    error = failure_of("esptool.py --chip esp32", folder)
    assert error.summary.endswith(": the tool that writes to the board is not there")
    assert re.search(r"esptool\.py: (command )?not found", error.where["tool"])


def test_a_firmware_that_does_not_compile_or_fit_is_no_failure_of_flashing(folder):
    with pytest.raises(BuildError, match="does not build"):
        upload(project_with_tool("exit 0", COPY_MODEL + b"int x = undeclared;\n"), folder, PORT)
    with pytest.raises(FitError, match="does not fit into FLASH"):
        upload(project_with_tool("exit 0", COPY_MODEL.replace(b"1000", b"5000000")), folder, PORT)


def test_a_port_that_another_program_reads_is_not_written_through(terminal, folder):
    _, name = terminal
    hold = "import sys, time; port = open(sys.argv[1]); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, name], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        with pytest.raises(DeviceNotFoundError) as caught:
            upload(project_with_tool("exit 0"), folder, PortInfo(name=name))
        holder.kill()
    assert caught.value.exit_code == 7
    assert caught.value.summary == f"the port {name} is busy"
    assert re.fullmatch(rf"python\S* \(process {holder.pid}\)", caught.value.where["held by"])
