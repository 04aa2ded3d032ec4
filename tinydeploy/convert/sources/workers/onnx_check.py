"""Looks at an ONNX file, before the environment that converts it is made: what is wrong with it is told at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .onnx_graph import inputs_of, load, loops_of
from .shared import stage


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The file is whole, and its inputs have shapes."""

    data: bytes = b""

    def answer(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return {}


def work(source: Path) -> Checked:
    """Checks the file."""
    stage("reading the file")
    model = load(source)
    inputs_of(model)
    loops_of(model)
    return Checked()
