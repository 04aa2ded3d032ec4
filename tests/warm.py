"""Interpreters in which frameworks are imported already (see warm_python.py), for programs that many tests start."""

import atexit
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinydeploy import process, worker

_SERVER = Path(__file__).with_name("warm_python.py")

TENSORFLOW = ("tensorflow", "keras", "ai_edge_litert.interpreter")
TORCH = ("torch", "litert_torch", "ai_edge_litert.interpreter")
OF_FRAMEWORKS = {"tensorflow": TENSORFLOW, "torch": TORCH}
_OF_WORKERS = {"keras": TENSORFLOW, "saved_model": TENSORFLOW, "torch": TORCH, "onnx": ("tensorflow", "onnx2tf")}

_run_cold = worker.run


def run_worker(
    program: Path, request: Mapping[str, worker.Array], *, python: Path | None = None, **options: Any
) -> process.Finished:
    """`worker.run`, in whose place a test puts it: converters and the quantiser find their frameworks imported."""
    modules: tuple[str, ...] = ()
    if program.name == "start.py":
        modules = _OF_WORKERS.get(json.loads(str(request["request"]))["worker"], ())
    elif program.name == "quantize_worker.py":
        modules = TENSORFLOW
    if modules:
        python = interpreter(*modules, python=python)
    return _run_cold(program, request, python=python, **options)


@functools.cache
def interpreter(*modules: str, python: Path | None = None) -> Path:
    """What stands in for this Python, or another one, to run a program by its path, with the modules imported.

    Importing takes its time while this returns: the first program waits for it. Where there are no such modules, or no
    Linux, it is the Python itself.
    """
    is_here = python is not None or all(importlib.util.find_spec(module) for module in modules)
    if not modules or not is_here or not sys.platform.startswith("linux"):
        return python or Path(sys.executable)
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    settings = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    server = subprocess.Popen(
        [python or sys.executable, "-P", _SERVER, "serve", folder / "socket", *modules],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **settings},
        stdin=subprocess.PIPE,
        process_group=0,  # a Ctrl-C is for the tests, whose end ends it
    )
    atexit.register(_end, server)
    launcher = folder / "python"
    launcher.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{_SERVER}' run '{folder}/socket' \"$@\"\n")
    launcher.chmod(0o700)
    return launcher


def _end(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    server.wait()
