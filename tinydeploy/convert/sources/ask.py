"""Asking one of the worker programs, and what went wrong when it does not answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinydeploy import process, worker
from tinydeploy.errors import ModelError
from tinydeploy.model.text import printable

_START = Path(__file__).parent / "workers" / "start.py"
_TIMEOUT_S = 1200.0
_SUSPECT = "@suspect "
_SHOWN_SUSPECTS = 6

_WHO = {
    "keras": "TensorFlow's converter",
    "saved_model": "TensorFlow's converter",
    "torch": "litert-torch",
    "onnx_check": "ONNX",
    "onnx": "onnx2tf",
}
# As in workers/tensorflow_graph.py, which imports nothing from here.
_UNROLL = (
    "build the recurrent layers with unroll=True, such as LSTM(8, unroll=True), and copy the weights: "
    "new.set_weights(old.get_weights())\n"
    "or build the model with tf-keras (pip install tf-keras), whose LSTM becomes one fused op"
)
_WITHOUT_SUSPECTS = "leave out layers until it converts: the last one that was left out is the one"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a worker answered: ``told`` is its JSON, ``model`` the .tflite."""

    told: dict[str, Any]
    model: bytes


def ask(
    name: str,
    source: Path,
    *,
    program: Path = _START,
    python: Path | None = None,
    timeout_s: float = _TIMEOUT_S,
    on_line: Callable[[str], None] | None = None,
) -> Answer:
    """Has a worker convert the source.

    Args:
        name: Of the worker; see workers/start.py.
        source: The model.
        program: What to run.
        python: The Python to run it with; this one unless given.
        timeout_s: How long it may take.
        on_line: Gets what it says.

    Raises:
        ModelError: It refuses the model, crashes on it, or does not finish; names the likely layers.
    """
    suspects: list[str] = []

    def heard(line: str) -> None:
        if line.startswith(_SUSPECT):
            suspects.append(printable(_unquoted(line.removeprefix(_SUSPECT)), limit=120))
        elif on_line is not None:
            on_line(line.removeprefix("@stage "))

    request = {"request": np.array(json.dumps({"worker": name, "source": str(source.resolve())}))}
    who = _WHO[name]
    try:
        finished = worker.run(program, request, who=who, timeout_s=timeout_s, python=python, on_line=heard)
    except ModelError as error:  # which is that it did not finish
        raise ModelError(error.summary, where=_where(source, suspects), hint=_next_step(suspects)) from error
    if finished.exit_code == worker.REFUSED:
        raise _refusal(finished, source, who)
    if finished.exit_code != 0:
        hint = _next_step(suspects) if finished.exit_code < 0 else "see all that it says: -v"
        raise worker.refusal(finished, who, hint=hint, where=_where(source, suspects))
    answer = worker.answer(finished, who)
    return Answer(told=json.loads(str(answer["answer"])), model=answer["model"].tobytes())


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _refusal(finished: process.Finished, source: Path, who: str) -> ModelError:
    """What a worker told of a model that cannot be converted; names in it are the model's, and untrusted."""
    told = json.loads(str(worker.answer(finished, who)["refusal"]))
    where = {"model": source.name, **{str(label): _shown(text) for label, text in told["where"].items()}}
    return ModelError(printable(told["summary"], limit=200), where=where, hint=told["hint"])


def _shown(text: str) -> str:
    return "\n".join(printable(line, limit=200) for line in text.splitlines())


def _where(source: Path, suspects: list[str]) -> dict[str, str]:
    likely = {"likely": "\n".join(suspects[:_SHOWN_SUSPECTS])} if suspects else {}
    return {"model": source.name, **likely}


def _next_step(suspects: list[str]) -> str:
    return _UNROLL if suspects else _WITHOUT_SUSPECTS
