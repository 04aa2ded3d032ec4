"""Results ⇄ JSON: a line for each model and each run, so that a change of one figure is a change of one line."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinydeploy.benchmark.figures import BenchModel, Cost, ModelLayer, Origin, Results, Run
from tinydeploy.errors import UsageError
from tinydeploy.files import write_file

_NOTE = "Instructions are emulated: counted by QEMU, exact and repeatable, but not cycles. Made by `make bench`."


def write_results(results: Results, path: Path) -> None:
    """Writes all of them.

    Raises:
        UsageError: The place cannot be written to.
    """
    write_file(path, results_text(results).encode())


def results_text(results: Results) -> str:
    """The file's text; what `parse_results` reads."""
    models, runs = (_lines(map(asdict, values)) for values in (results.models, results.runs))
    return f'{{\n"note": {json.dumps(_NOTE)},\n"models": [\n{models}\n],\n"runs": [\n{runs}\n]\n}}\n'


def read_results(path: Path) -> Results:
    """What was written there; nothing where there is no such file.

    Raises:
        UsageError: The file is not one of this kind.
    """
    if not path.is_file():
        return Results()
    try:
        return parse_results(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"not the results of a benchmark: {path}",
            where={"reason": f"{type(error).__name__}: {error}"},
            hint="restore the file, or remove it and run the benchmark anew",
        ) from error


def parse_results(text: str) -> Results:
    """The results in a file's text; ValueError, TypeError or KeyError where it is another."""
    found = json.loads(text)
    return Results(models=tuple(map(_model, found["models"])), runs=tuple(map(_run, found["runs"])))


def _lines(values: Iterable[Mapping[str, object]]) -> str:
    return ",\n".join(json.dumps(value) for value in values)


def _model(found: Mapping[str, Any]) -> BenchModel:
    return BenchModel(**{**found, "layers": tuple(ModelLayer(**layer) for layer in found["layers"])})


def _run(found: Mapping[str, Any]) -> Run:
    cost = found["cost"]
    return Run(**{**found, "origin": Origin(**found["origin"]), "cost": None if cost is None else _cost(cost)})


def _cost(found: Mapping[str, Any]) -> Cost:
    return Cost(**{**found, "layers": tuple(found["layers"]), "layer_macs": tuple(found["layer_macs"])})
