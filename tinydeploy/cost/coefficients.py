"""What the amounts of a layer's work take in instructions: fitted figures, read from a file that is committed.

``python -m tinydeploy.benchmark.fit`` makes the file, from networks that are none of those that the project is judged
by; it says with which compiler, emulator and library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinydeploy.cost.setting import Setting
from tinydeploy.cost.work import Work

COEFFICIENTS = Path(__file__).with_name("instructions.json")


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Of one setting: instructions for each amount of each row, and for what is around the layers.

    ``rows`` has only what was measured. ``removed`` is what a layer takes that exact passes have removed,
    ``per_inference`` and ``per_layer`` what an inference takes beside its layers. ``error`` is the share by which the
    estimate of a network is off, of which the coefficients know nothing: the root mean square over the networks, each
    left out of a fit of the others.
    """

    rows: Mapping[str, Mapping[str, float]]
    removed: float
    per_inference: float
    per_layer: float
    error: float

    def instructions(self, work: Work) -> float | None:
        """Of one layer; None where nothing like it was measured."""
        row = self.rows.get(work.row)
        return None if row is None else sum(each * work.amounts.get(name, 0.0) for name, each in row.items())


@cache
def coefficients() -> Mapping[Setting, Coefficients]:
    """All that the committed file has."""
    return parse_coefficients(COEFFICIENTS.read_text(encoding="utf-8"))


def parse_coefficients(text: str) -> Mapping[Setting, Coefficients]:
    """What `coefficients_text` has written."""
    found: Mapping[str, Any] = json.loads(text)["settings"]
    return {_setting(name): Coefficients(**table) for name, table in found.items()}


def _setting(name: str) -> Setting:
    core, engine, kernels = name.split(" ")
    return Setting(core=core, engine=engine, kernels="reference" if kernels == "reference" else "optimized")


def coefficients_text(fitted: Mapping[Setting, Coefficients], note: str) -> str:
    """The file's text: a line for each row, so that a change of one is a change of one line."""
    tables = ",\n".join(f'"{setting}": {{\n{_table(found)}\n}}' for setting, found in fitted.items())
    return f'{{\n"note": {json.dumps(note)},\n"settings": {{\n{tables}\n}}\n}}\n'


def _table(found: Coefficients) -> str:
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(found.rows.items()))
    rest = ("removed", "per_inference", "per_layer", "error")
    return f'"rows": {{\n{rows}\n}},\n' + ", ".join(f'"{name}": {getattr(found, name)}' for name in rest)
