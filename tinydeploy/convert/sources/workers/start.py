"""The program that `to_float` runs: reads a request and gives it to the worker that it names.

Standard input: .npz with ``request``, a JSON text: ``worker`` (keras, saved_model, torch, onnx_check, onnx) and
``source`` (a path). Standard output: .npz with ``answer``, a JSON text (see `shared.Converted.answer`), and ``model``,
a float .tflite; or, with exit code 3, ``refusal``, a JSON text with ``summary``, ``where`` and ``hint``. Standard
error: a line ``@stage …`` before each step, ``@suspect …`` for each layer that the converter may not survive, and what
the frameworks say.
"""

import importlib
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

# Read when the frameworks are imported. oneDNN's sums depend on the CPU.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

_WORKERS = {
    "keras": "keras_model",
    "saved_model": "saved_model",
    "torch": "torch_program",
    "onnx_check": "onnx_check",
    "onnx": "onnx_model",
}


def main() -> int:
    """Answers one request."""
    import numpy as np

    # What a framework prints to standard output must not get into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as arrays:
        request = json.loads(str(arrays["request"]))
    _make_importable()
    shared = importlib.import_module("workers.shared")
    try:
        work = importlib.import_module(f"workers.{_WORKERS[request['worker']]}").work
        told, model = shared.answered(work, Path(request["source"]))
        arrays = {"answer": np.array(json.dumps(told)), "model": np.frombuffer(model, np.uint8)}
        exit_code = 0
    except shared.Refusal as refusal:
        arrays = {"refusal": np.array(json.dumps(refusal.told()))}
        exit_code = 3
    with answer:
        np.savez(answer, allow_pickle=False, **arrays)
    return exit_code


def _make_importable() -> None:
    """Makes this folder the package ``workers``, without a place on the path from which anything else would come."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "workers", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["workers"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    sys.exit(main())
