"""Python with frameworks imported already: what takes seconds each time takes them once.

A server imports, then forks for each program that it is asked to run; the program has a process of its own, with the
streams, the folder, the environment and the exit of the launcher, which stands in for the interpreter. Where one of
the two dies, so does the other. Only what a program would import first thing is there before; Linux only.

    python warm_python.py serve SOCKET MODULE...        until standard input ends; takes the socket's folder with it
    python warm_python.py run SOCKET PROGRAM ARGUMENT...
"""

import array
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress

_MOST_BYTES = 1 << 20


def run(address: str, *command: str) -> None:
    """Ends as the program does. Options of the interpreter, such as -P, hold already."""
    program, *arguments = [word for word in command if not word.startswith("-")]
    request = json.dumps({"program": program, "arguments": arguments, "cwd": os.getcwd(), "env": {**os.environ}})  # noqa: PTH109 - starts fast
    with _connected(address) as server:
        server.sendmsg([request.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
        exit_code = int(server.recv(100) or b"1")
    if exit_code < 0:
        signal.signal(-exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_code)
    os._exit(exit_code)


def _connected(address: str) -> socket.socket:
    """To the server, which may be importing yet."""
    for _ in range(3000):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            server.connect(address)
        except OSError:
            server.close()
            time.sleep(0.1)
        else:
            return server
    sys.exit(f"nobody serves at {address}")


def serve(address: str, *modules: str) -> None:
    """Answers any number of launchers at once."""
    import importlib
    import selectors
    import shutil

    for module in modules:
        importlib.import_module(module)
    running: dict[socket.socket, tuple[int, int]] = {}  # of each launcher the process, and a descriptor of that
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    for pid, _ in running.values():
                        os.kill(pid, signal.SIGKILL)
                    shutil.rmtree(os.path.dirname(address))  # noqa: PTH120 - as it came
                    return
                if key.fileobj is listener:
                    launcher, _ = listener.accept()
                    pid = _fork(launcher)
                    running[launcher] = pid, os.pidfd_open(pid)
                    selector.register(launcher, selectors.EVENT_READ, launcher)
                    selector.register(running[launcher][1], selectors.EVENT_READ, launcher)
                elif key.data in running:  # the program has ended, or its launcher has: it says nothing any more
                    selector.unregister(key.data)
                    selector.unregister(running[key.data][1])
                    _end(key.data, *running.pop(key.data))


def _end(launcher: socket.socket, pid: int, descriptor: int) -> None:
    """Tells a launcher how its program ended, which it does now at the latest."""
    os.kill(pid, signal.SIGKILL)
    exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(descriptor)
    with launcher, suppress(OSError):
        launcher.send(str(exit_code).encode())


def _fork(launcher: socket.socket) -> int:
    """The process of the program that a launcher asks for."""
    request, descriptors, _, _ = socket.recv_fds(launcher, _MOST_BYTES, 3)
    pid = os.fork()
    if pid == 0:
        for stream, descriptor in enumerate(descriptors):
            os.dup2(descriptor, stream)
        os._exit(_program(**json.loads(request)))
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _program(program: str, arguments: list[str], cwd: str, env: dict[str, str]) -> int:
    """Runs a program as ``python -P`` would, and returns its exit code."""
    import runpy
    import traceback

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - descriptors
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    sys.argv = [program, *arguments]
    try:
        runpy.run_path(program, run_name="__main__")
        exit_code = 0
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return exit_code


if __name__ == "__main__":
    {"run": run, "serve": serve}[sys.argv[1]](*sys.argv[2:])
