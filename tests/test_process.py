import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tinydeploy.errors import BuildError
from tinydeploy.process import run, spawn


def sh(script: str, **kwargs):
    return run(["sh", "-c", script], package="dash", timeout_s=kwargs.pop("timeout_s", 20.0), **kwargs)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_program_leaves_its_exit_code_and_both_streams_apart():
    finished = sh("echo out; echo err >&2; exit 3")
    assert (finished.exit_code, finished.stdout, finished.stderr) == (3, b"out\n", b"err\n")


def test_a_program_gets_its_input_whole():
    data = bytes(range(256)) * 4096
    assert run(["cat"], package="coreutils", timeout_s=20.0, stdin=data).stdout == data


def test_lines_of_both_streams_are_told_as_they_come():
    lines: list[tuple[float, str]] = []
    sh(
        "echo first; sleep 0.3; echo second >&2; printf last",
        on_line=lambda line: lines.append((time.monotonic(), line)),
    )
    assert sorted(line for _, line in lines) == ["first", "last", "second"]
    assert lines[-1][0] - lines[0][0] > 0.2


def test_lines_of_standard_error_alone_are_told_where_the_output_is_no_text():
    lines: list[str] = []
    finished = sh("printf 'a\\000b\\nc'; echo step >&2; printf last >&2", on_error_line=lines.append)
    assert lines == ["step", "last"]
    assert finished.stdout == b"a\0b\nc"


def test_a_program_that_is_not_installed_is_named_with_its_package():
    with pytest.raises(BuildError) as caught:
        run(["no-such-tool"], package="some-package", timeout_s=1.0)
    assert caught.value.exit_code == 5
    assert caught.value.summary == "no-such-tool is not installed"
    assert "sudo apt install some-package" in caught.value.hint


def test_a_timeout_ends_the_program_and_what_it_started(tmp_path):
    with pytest.raises(TimeoutError):
        sh(f"sleep 60 & echo $! > {tmp_path}/pid; wait", timeout_s=2.0)
    assert wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text(encoding="ascii"))))


def test_an_error_in_the_listener_ends_the_program():
    def refuse(line: str) -> None:
        raise ValueError(line)

    begin = time.monotonic()
    with pytest.raises(ValueError, match="hello"):
        sh("echo hello; sleep 60", on_line=refuse)
    assert time.monotonic() - begin < 10


def python(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_a_program_and_what_it_started_end_with_this_process(how, tmp_path):
    pid_file = tmp_path / "pid"
    script = f"""
from tinydeploy.process import run
run(["sh", "-c", "sleep 60 & echo $! > {pid_file}; wait"], package="dash", timeout_s=60)
"""
    with python(script) as ours:
        assert wait_until(lambda: pid_file.exists() and pid_file.read_text(encoding="ascii"))
        ours.send_signal(how)
        assert ours.wait(30) != 0
    assert wait_until(lambda: not is_alive(int(pid_file.read_text(encoding="ascii"))))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_a_child_does_not_survive_this_process_however_it_dies(how):
    script = """
import sys, tempfile, time
from tinydeploy.process import spawn
child = spawn(["sleep", "60"], package="coreutils", output=tempfile.TemporaryFile())
print(child.pid, flush=True)
time.sleep(60)
"""
    with python(script) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        assert is_alive(pid)
        ours.send_signal(how)
    assert wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("call", ["run(command, package='coreutils', timeout_s=60)", "spawn(command, **kept)"])
def test_a_program_does_not_survive_a_ctrl_c_in_the_moment_after_it_was_started(call):
    """The exception comes as Popen returns, before its caller has anything that it could end."""
    script = f"""
import subprocess, sys, tempfile, time
from tinydeploy.process import run, spawn
command, kept = ["sleep", "60"], {{"package": "coreutils", "output": tempfile.TemporaryFile()}}
def interrupt(frame, event, _):
    if event == "return" and frame.f_code is subprocess.Popen.__init__.__code__ and frame.f_locals["args"] == command:
        print(frame.f_locals["self"].pid, flush=True)
        raise KeyboardInterrupt
sys.setprofile(interrupt)
try:
    {call}
except KeyboardInterrupt:
    sys.setprofile(None)
    time.sleep(60)
"""
    with python(script) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        try:
            assert wait_until(lambda: not is_alive(pid))
            assert ours.poll() is None
        finally:
            ours.kill()


def test_a_child_that_was_released_outlives_this_process_alone():
    script = """
import tempfile
from tinydeploy.process import spawn
child = spawn(["sleep", "60"], package="coreutils", output=tempfile.TemporaryFile())
child.release()
child.kill()
print(child.pid, child.guard.pid, flush=True)
"""
    with python(script) as ours:
        assert ours.stdout is not None
        pid, guard = map(int, ours.stdout.readline().split())
    time.sleep(0.2)
    assert is_alive(pid)
    assert not is_alive(guard)
    os.kill(pid, signal.SIGKILL)


def test_a_child_that_was_released_outlives_its_terminal():
    """The leader of a session without a terminal gets the first one that it opens."""
    master, terminal = os.openpty()
    script = f"""
import os, tempfile, time
from tinydeploy.process import spawn
os.setsid()
os.open({os.ttyname(terminal)!r}, os.O_RDWR)
child = spawn(["sleep", "60"], package="coreutils", output=tempfile.TemporaryFile())
child.release()
print(child.pid, flush=True)
time.sleep(60)
"""
    with python(script) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        os.close(terminal)
        os.close(master)
        assert ours.wait(30) == -signal.SIGHUP
    time.sleep(0.2)
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_program_that_cannot_be_executed_leaves_no_guard(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text(encoding="ascii")
    with pytest.raises(OSError, match="Exec format error"):
        run([broken], package="none", timeout_s=1.0)
    assert children.read_text(encoding="ascii") == before


def test_a_child_can_be_killed_twice():
    with tempfile.TemporaryFile() as output:
        child = spawn(["sleep", "60"], package="coreutils", output=output)
        assert not child.ends_within(0.01)
        child.kill()
        child.kill()
        assert child.ends_within(0.01)
