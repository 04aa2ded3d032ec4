"""Trials → the coefficients of `cost`: ``python -m tinydeploy.benchmark.fit`` makes tinydeploy/cost/instructions.json."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from tinydeploy.benchmark.least_squares import non_negative_least_squares
from tinydeploy.benchmark.synthetic import synthetic_network
from tinydeploy.benchmark.trials import Trial
from tinydeploy.cost.coefficients import Coefficients
from tinydeploy.cost.setting import Setting
from tinydeploy.cost.work import Work, layer_work
from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

_ENOUGH = 3
"""Layers without which a row is not fitted."""

_SMALL = 300.0
"""Instructions that are added to what a layer takes when its error is made relative: small layers count less."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that was measured, with the work that it is; None of one that passes have removed."""

    seed: int
    work: Work | None
    instructions: int
    planned: int | None


def fit(trials: Sequence[Trial]) -> Mapping[Setting, Coefficients]:
    """The coefficients of every setting that was measured."""
    by_setting = defaultdict(list)
    for trial in trials:
        by_setting[trial.setting].append(trial)
    return {setting: _fit_setting(found) for setting, found in sorted(by_setting.items())}


def _fit_setting(trials: Sequence[Trial]) -> Coefficients:
    every = _fitted(trials)
    errors = [
        abs(estimated(_fitted([other for other in trials if other is not trial]), trial) / trial.instructions - 1)
        for trial in trials
    ]
    return replace(every, error=round(max(errors), 3))


def _fitted(trials: Sequence[Trial]) -> Coefficients:
    layers = [layer for trial in trials for layer in layers_of(trial)]
    rows = defaultdict(list)
    for layer in layers:
        if layer.work is not None and layer.planned is None:
            rows[layer.work.row].append(layer)
    removed = [layer.instructions for layer in layers if layer.work is None]
    around = [trial.instructions - sum(trial.layers) for trial in trials]
    counts = np.array([[1.0, len(trial.layers)] for trial in trials])
    (per_inference, per_layer), *_ = np.linalg.lstsq(counts, np.array(around, np.float64), rcond=None)
    return Coefficients(
        rows={name: _fit_row(found) for name, found in rows.items() if len(found) >= _ENOUGH},
        removed=round(float(np.mean(removed)), 1) if removed else 0.0,
        per_inference=round(float(per_inference), 1),
        per_layer=round(float(per_layer), 2),
        error=0.0,
    )


def _fit_row(layers: Sequence[Layer]) -> Mapping[str, float]:
    works = [layer.work for layer in layers if layer.work is not None]
    names = list(dict.fromkeys(name for work in works for name in work.amounts))
    measured = np.array([layer.instructions for layer in layers], np.float64)
    weights = 1 / (measured + _SMALL)
    matrix = np.array([[work.amounts.get(name, 0) for name in names] for work in works], np.float64)
    found = non_negative_least_squares(matrix * weights[:, None], measured * weights)
    return {name: float(f"{each:.4g}") for name, each in zip(names, found, strict=True) if each > 0}


def estimated(found: Coefficients, trial: Trial) -> float:
    """The instructions of a network by its layers; one like which there was none counts as it was measured."""
    total = found.per_inference + found.per_layer * len(trial.layers)
    for layer in layers_of(trial):
        known = found.removed if layer.work is None else layer.planned
        if known is None and layer.work is not None:
            known = found.instructions(layer.work)
        total += layer.instructions if known is None else known
    return total


def layers_of(trial: Trial) -> Iterator[Layer]:
    """All layers of a trial."""
    works = _works(trial.seed, trial.setting)
    planned = trial.planned or (None,) * len(trial.layers)
    for work, instructions, known in zip(works, trial.layers, planned, strict=True):
        yield Layer(seed=trial.seed, work=work, instructions=instructions, planned=known)


@cache
def _works(seed: int, setting: Setting) -> tuple[Work | None, ...]:
    graph = _network(seed)
    executed = _reduced(seed) if setting.engine == "aot" and setting.kernels != "reference" else graph
    works = {op.index: layer_work(executed, op, setting) for op in executed.ops}
    return tuple(works.get(op.index) for op in graph.ops)


@cache
def _network(seed: int) -> Graph:
    return parse_model(synthetic_network(seed), name=f"synthetic{seed}")


@cache
def _reduced(seed: int) -> Graph:
    return run_passes(_network(seed))
