"""What the command line says about ports, and about what answers there."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import tty

import pytest
from command_line import BOARD, CommandLine, facts, finish, wait_for, wait_for_stage
from small_models import small_model

HOLD = "import serial, sys, time; port = serial.Serial(sys.argv[1], exclusive=True); print(flush=True); time.sleep(60)"
BABBLE = "import os, time\nwhile True: os.write(1, os.urandom(64)); time.sleep(0.005)"
ECHO = "import os\nwhile True: os.write(1, os.read(0, 4096))"


@contextlib.contextmanager
def terminal(program):
    """A port at whose other end a Python program runs, or nothing."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    command = [sys.executable, "-c", program] if program else ["sleep", "60"]
    with subprocess.Popen(command, stdin=master, stdout=master) as process:
        try:
            yield os.ttyname(slave)
        finally:
            process.kill()
            os.close(master)
            os.close(slave)


@pytest.fixture(scope="module")
def answers(tmp_path_factory, cache):
    """What `verify` says of three ports that no board is behind; each takes its time, so all at once."""
    tool = CommandLine(folder=tmp_path_factory.mktemp("ports"), cache=cache)
    (tool.folder / "small.tflite").write_bytes(small_model())
    programs = {"silence": None, "nonsense": BABBLE, "echo": ECHO}
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(terminal(program)) for name, program in programs.items()}
        started = {
            name: tool.start("verify", "small.tflite", "--board", BOARD, "--port", port) for name, port in ports.items()
        }
        return {name: (finish(process), ports[name]) for name, process in started.items()}


def told(finished):
    message = finished.err[finished.err.index("error: ") :]
    return message.splitlines()[0], facts(message)


def test_a_silent_port_is_given_up_after_five_seconds(answers):
    finished, port = answers["silence"]
    assert finished.code == 7
    assert told(finished) == (
        "error: no answer within 5 s",
        {
            "port": port,
            "received": "not a single byte",
            "try": "is it the right port, is the board powered, and has it been flashed?",
        },
    )


def test_nonsense_is_told_from_silence(answers):
    finished, _ = answers["nonsense"]
    assert finished.code == 7
    summary, rows = told(finished)
    assert summary == "error: no answer within 5 s"
    assert "but no valid frame" in rows["received"]
    assert rows["try"].startswith("something else talks on this port, or at another speed")


def test_a_port_that_sends_everything_back_is_recognised(answers):
    finished, _ = answers["echo"]
    assert finished.code == 7
    assert told(finished)[1]["received"] == "everything that is sent comes back"


def test_a_port_that_does_not_exist_is_told_with_those_that_do(tool, model):
    finished = tool("verify", model, "--board", BOARD, "--port", "/dev/ttyNONE7")
    assert finished.code == 7
    summary, rows = told(finished)
    assert summary == "error: there is no port /dev/ttyNONE7"
    assert rows["ports"]
    assert rows["try"] == "is the board plugged in?"


def test_a_port_that_another_program_holds_is_busy(tool, model):
    with terminal(None) as port:
        holder = subprocess.Popen([sys.executable, "-c", HOLD, port], stdout=subprocess.PIPE)
        with holder:
            assert holder.stdout.readline()
            finished = tool("verify", model, "--board", BOARD, "--port", port)
            holder.kill()
    assert finished.code == 7
    summary, rows = told(finished)
    assert summary == f"error: the port {port} is busy"
    assert rows["try"] == f"close the program that uses it; find it with: fuser -v {port}"


def test_a_file_is_no_port(tool, model):
    finished = tool("verify", model, "--board", BOARD, "--port", model)
    assert finished.code == 7
    assert told(finished)[0] == f"error: {model} cannot be opened as a serial port"


@pytest.fixture
def kept(tool, model):
    """The port of a virtual board that runs ``small.tflite`` and was left running."""
    finished = tool("flash", model, "--board", BOARD, "--keep")
    assert finished.code == 0, finished.err
    (pid,) = tool.emulators()
    port = finished.out.split("--port ")[1].split()[0]
    assert f"kill {pid}" in finished.out
    yield port
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not tool.emulators())


def test_another_firmware_is_noticed_and_not_disturbed(tool, model, kept):
    (tool.folder / "other.tflite").write_bytes(small_model(seed=1))
    finished = tool("verify", "other.tflite", "--board", BOARD, "--port", kept)
    assert finished.code == 9
    summary, rows = told(finished)
    assert summary == "error: the device runs another firmware"
    for place in ("device", "expected"):
        assert re.search(r"^model [0-9a-f]{64}$.*^build [0-9a-f]{16}$", rows[place], re.MULTILINE | re.DOTALL)
    assert rows["try"].startswith("flash it again: tinydeploy flash MODEL --board ")

    finished = tool("verify", model, "--board", BOARD, "--port", kept, "--buffers", "1")
    assert finished.code == 9, "the firmware for one buffer is another one"
    summary, rows = told(finished)
    assert summary == "error: the device runs another firmware of the same model"
    assert rows["try"].startswith("give the options that it was flashed with")
    assert tool("verify", model, "--board", BOARD, "--port", kept).code == 0


def test_a_board_that_vanishes_in_the_middle_breaks_the_link(tool, model):
    process = tool.start("bench", model, "--board", BOARD, "--inferences", "100000")
    wait_for_stage(process, "verify")  # it has said hello
    (pid,) = tool.emulators()
    os.kill(pid, signal.SIGKILL)
    finished = finish(process)
    assert finished.code == 8, finished.err
    summary, rows = told(finished)
    assert summary.startswith("error: the connection")
    assert rows["port"].startswith("/dev/pts/")
    assert rows["emulator"].startswith("has ended")
    assert rows["try"]
