"""Trials → the coefficients of `cost`, in tinydeploy/cost/instructions.json.

    TINYDEPLOY_TFLM_LIB=... python -m tinydeploy.benchmark.fit

measures the synthetic networks on the virtual boards, which takes an hour or two, and fits. What was measured is kept
in docs/latency-trials.jsonl, so that another run measures only what is new to it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click
import numpy as np

from tinydeploy.benchmark.least_squares import non_negative_least_squares
from tinydeploy.benchmark.start import start
from tinydeploy.benchmark.synthetic import synthetic_network
from tinydeploy.benchmark.trials import SETTINGS, Trial, read_trials, trials_of, write_trials
from tinydeploy.cost.coefficients import COEFFICIENTS, Coefficients, coefficients_text
from tinydeploy.cost.setting import Setting
from tinydeploy.cost.work import Work, layer_work
from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.engines.tflm.library import describe_named_library
from tinydeploy.files import write_file
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

TRIALS = Path(__file__).resolve().parents[2] / "docs" / "latency-trials.jsonl"

_NOTE = (
    "Instructions for each amount of a layer's work (tinydeploy/cost/work.py), fitted to synthetic networks on "
    "emulated cores: tflite-micro 90b983c2b with its CMSIS-NN, GCC 12.2.1, QEMU 7.2. Made by python -m "
    "tinydeploy.benchmark.fit."
)

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
    """The coefficients of every setting that was measured with two networks or more."""
    by_setting = defaultdict(list)
    for trial in trials:
        by_setting[trial.setting].append(trial)
    fitted = {
        setting: _with_rest(_fit_setting(found), setting, trials)
        for setting, found in sorted(by_setting.items())
        if len(found) > 1
    }
    for setting, like in _LIKE.items():
        if setting in fitted and like in fitted:
            rows = {**fitted[like].rows, **fitted[setting].rows}
            rows |= {name: row for name, row in fitted[like].rows.items() if name.startswith(_WEIGHTED)}
            fitted[setting] = replace(fitted[setting], rows=rows)
    return fitted


_LIKE = {
    Setting(core="cortex-m4", engine="aot", kernels="optimized"): Setting(
        core="cortex-m3", engine="aot", kernels="optimized"
    )
}
"""The DSP extension's cores have kernels of their own for nearly all layers with weights. Where they take the plain
ones, it is the same C as on a Cortex-M3, whose figures come of many more layers."""

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def _with_rest(found: Coefficients, setting: Setting, trials: Sequence[Trial]) -> Coefficients:
    """The same with what is around the layers, to which the kernels make no difference, by all trials that tell."""
    alike = [trial for trial in trials if replace(trial.setting, kernels=setting.kernels) == setting]
    per_inference, per_layer = _around(alike)
    return replace(found, per_inference=per_inference, per_layer=per_layer)


def _fit_setting(trials: Sequence[Trial]) -> Coefficients:
    every = _fitted(trials)
    errors = [
        estimated(_fitted([other for other in trials if other is not trial]), trial) / trial.instructions - 1
        for trial in trials
    ]
    return replace(every, error=round(float(np.sqrt(np.mean(np.square(errors)))), 3))


def _fitted(trials: Sequence[Trial]) -> Coefficients:
    layers = [layer for trial in trials for layer in layers_of(trial)]
    rows = defaultdict(list)
    for layer in layers:
        if layer.work is not None and layer.planned is None:
            rows[layer.work.row].append(layer)
    removed = [layer.instructions for layer in layers if layer.work is None]
    per_inference, per_layer = _around(trials)
    return Coefficients(
        rows={name: _fit_row(found) for name, found in rows.items() if len(found) >= _ENOUGH},
        removed=round(float(np.mean(removed)), 1) if removed else 0.0,
        per_inference=per_inference,
        per_layer=per_layer,
        error=0.0,
    )


def _around(trials: Sequence[Trial]) -> tuple[float, float]:
    """What is beside the layers: for an inference, and for each layer."""
    counts = np.array([[1.0, len(trial.layers)] for trial in trials])
    beside = np.array([trial.instructions - sum(trial.layers) for trial in trials], np.float64)
    weights = 1 / counts[:, 1]  # in a small network it is a larger share
    (per_inference, per_layer), *_ = np.linalg.lstsq(counts * weights[:, None], beside * weights, rcond=None)
    return round(float(per_inference), 1), round(float(per_layer), 2)


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


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--trials",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=TRIALS,
    metavar="FILE",
    help="What was measured before; more is added. Default: docs/latency-trials.jsonl.",
)
@click.option("--measure/--no-measure", default=True, help="Or only fit what was measured before.")
def main(*, path: Path, measure: bool) -> None:
    """Fit the model of instructions per layer to synthetic networks, and write tinydeploy/cost/instructions.json.

    TensorFlow Lite Micro is measured where TINYDEPLOY_TFLM_LIB names its sources.
    """
    trials = read_trials(path)
    if measure:
        has_library = describe_named_library() is not None
        settings = [setting for setting in SETTINGS if setting.engine == "aot" or has_library]
        for trial in trials_of(settings, trials):
            trials = (*trials, trial)
            write_trials(trials, path)
            click.echo(f"{trial.setting}, network {trial.seed}: {trial.instructions:,} instructions", err=True)
    fitted = fit(trials)
    write_file(COEFFICIENTS, coefficients_text(fitted, _NOTE).encode())
    for setting, found in fitted.items():
        click.echo(f"{setting}: {len(found.rows)} kinds of layers, error {found.error:.1%}")


if __name__ == "__main__":
    start(main, "fit")
