"""`tinydeploy monitor` on a virtual board that goes on running."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from command_line import DIGITS, DIGITS_SAMPLES, CommandLine, facts, wait_for
from small_models import small_model

BOARD = "qemu-cortex-m4"


@pytest.fixture(scope="module")
def port(tmp_path_factory, cache):
    """A board that `flash --keep` has left."""
    tool = CommandLine(folder=tmp_path_factory.mktemp("kept"), cache=cache)
    finished = tool("flash", DIGITS, "--board", BOARD, "--keep", "--json", "-")
    assert finished.code == 0, finished.err
    device = json.loads(finished.out)["device"]
    yield device["port"]
    os.kill(device["pid"], signal.SIGTERM)
    wait_for(lambda: not tool.emulators())


def watched(tool, port, *options, code=0):
    """What a run of 24 inferences says as JSON."""
    finished = tool("monitor", "--port", port, "--inferences", "24", *options, "--json", "-")
    assert finished.code == code, finished.err
    return json.loads(finished.out), finished.err


def test_it_tells_what_runs_there_and_how_fast_without_a_model(tool, port):
    values, err = watched(tool, port)
    assert values["ok"] is True
    assert (values["board"], values["engine"], values["inferences"]) == (BOARD, "aot", 24)
    assert values["latency"]["unit"] == "instructions"
    assert 80_000 < values["latency"]["p50"] < 90_000
    assert sum(row["count"] for row in values["latency"]["histogram"]) == 24
    assert sum(values["shares"].values()) == pytest.approx(1)
    assert values["shares"]["computing"] > 0
    assert values["device"]["dropped"] == 0
    assert re.search(r"^\S+ s  1 inferences .* class \d", err, re.MULTILINE), "a line where there is no terminal"


def test_names_of_classes_are_shown_with_their_values(tool, port):
    (tool.folder / "names.txt").write_text("".join(f"digit {number}\n" for number in range(10)), encoding="utf-8")
    values, _ = watched(tool, port, "--labels", "names.txt", "--samples", DIGITS_SAMPLES, "--top", "2")
    first, second = values["top"]
    assert re.fullmatch(r"digit \d", first["class"])
    assert 1 >= first["value"] >= second["value"] >= 0
    (tool.folder / "names.txt").write_text("one\n", encoding="utf-8")
    said = tool.refuses("monitor", "--port", port, "--labels", "names.txt", "--json", "r.json", code=2)
    assert "there are 1 labels, but the first output has 10 values" in said


def test_a_record_compares_with_the_next_run_and_shows_what_has_changed(tool, port):
    record = tool.folder / "run.jsonl"
    watched(tool, port, "--record", record)
    lines = record.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 25
    assert json.loads(lines[0])["board"] == BOARD
    values, _ = watched(tool, port, "--against", record)
    assert values["against"]["compared"] == 24
    assert values["against"]["differ"] == 0
    changed = json.loads(lines[8])
    changed["output"] = "AAAA" + changed["output"][4:]
    record.write_text("\n".join([*lines[:8], json.dumps(changed), *lines[9:]]) + "\n", encoding="utf-8")
    values, _ = watched(tool, port, "--against", record, code=1)
    assert (values["ok"], values["against"]["differ"], values["against"]["first"]) == (False, 1, 7)
    finished = tool("monitor", "--port", port, "--samples", DIGITS_SAMPLES, "--inferences", "2", "--against", record)
    assert finished.code == 2
    assert "error: the earlier record is of other samples" in finished.err


def test_another_model_than_the_one_that_was_given_is_told(tool, port):
    (tool.folder / "small.tflite").write_bytes(small_model())
    finished = tool("monitor", "small.tflite", "--port", port)
    assert finished.code == 9
    assert "runs another model" in finished.err
    assert "leave out MODEL" in facts(finished.err[finished.err.index("error: ") :])["try"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing says which board to watch"),
        (("--board", BOARD), f"{BOARD} is a virtual board, and nothing says what it is to run"),
        (("--port", "x", "--against", "none.jsonl"), "cannot read none.jsonl: no such file or directory"),
    ],
)
def test_what_is_missing_is_told(tool, options, message):
    finished = tool("monitor", *options)
    assert finished.code == 2
    assert message in finished.err


def test_with_a_model_a_virtual_board_is_started_and_ended(tool):
    before = tool.emulators()
    finished = tool("monitor", DIGITS, "--board", BOARD, "--inferences", "4")
    assert finished.code == 0, finished.err
    assert "4 in " in finished.out
    wait_for(lambda: tool.emulators() == before)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_a_view_that_ctrl_c_ends_with_the_summary(tool, port, columns):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "TINYDEPLOY_CACHE_DIR": str(tool.cache), "TERM": "xterm-256color"}
    env.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "tinydeploy", "monitor", "--port", port],
        cwd=tool.folder,
        env=env,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    os.close(slave)
    text, asked, deadline = "", False, time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            text += os.read(master, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
        if not asked and text.count("inferences") >= 3:
            asked = True
            process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    os.close(master)
    assert process.returncode == 0
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    assert max(map(len, seen.splitlines())) <= columns
    assert "waiting " in seen
    summary = out.decode()
    assert re.search(r"inferences  [\d,]+ in [\d.]+ s", summary)
    assert "Traceback" not in summary + seen
