"""The verbs that talk to a board."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinydeploy.cli.model_options import with_samples
from tinydeploy.cli.options import MODEL, PORT, LockOptions, Outcome, on_target, with_lock, with_watching
from tinydeploy.cli.verb import verb
from tinydeploy.errors import UsageError, VerificationError, visible

if TYPE_CHECKING:
    from tinydeploy.deployment import Deployment, Target
    from tinydeploy.monitor.snapshot import Snapshot
    from tinydeploy.monitor.watch import Watching
    from tinydeploy.report.terminal import Terminal
    from tinydeploy.samples.source import SampleSource

# What a verb needs is imported when it runs, so that `tinydeploy --help` answers at once.


def with_deployment(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Gives a verb the model, where it is to run, and with what it is compared: the samples and the lock file."""
    return MODEL(on_target(PORT(with_samples(with_lock(function)))))


@verb
@with_deployment
@click.option("--keep", is_flag=True, help="Leave a virtual board running, for: verify --port.")
def flash(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    keep: bool,
) -> Outcome:
    """Build, start on the board, and verify every output there.

    The reference is TensorFlow Lite Micro's own interpreter. Inputs are zeros, both extremes and noise; --samples adds
    yours.
    """
    from tinydeploy import pipeline

    return _outcome(pipeline.flash(model, target, port=port, samples=samples, keep=keep, progress=terminal), lock)


@verb
@with_deployment
@click.option("--localize", is_flag=True, help="Where outputs differ, find the first layer that is wrong, and why.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --localize: write the input that shows it, and what the layer gave, as .npz.",
)
def verify(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    localize: bool,
    evidence: Path | None,
) -> Outcome:
    """Verify a board that was flashed before.

    The options must be those that it was flashed with: --buffers makes another firmware, and so do other --samples of a
    model that is converted on the way. Without --port, a virtual board is started anew. --localize flashes a real board
    with a firmware that stops between its layers, and in the end with its own again.
    """
    from rich.console import Group

    from tinydeploy import pipeline
    from tinydeploy.files import require_place
    from tinydeploy.report.localization import require_evidence, write_evidence

    if evidence is not None:
        if not localize:
            raise UsageError("--evidence is of a layer that is looked for", hint="add --localize")
        require_evidence(evidence)
        require_place(evidence)
    deployment = pipeline.verify(model, target, samples=samples, port=port, localize=localize, progress=terminal)
    outcome = _outcome(deployment, lock)
    if evidence is None or deployment.localization is None or deployment.localization.difference is None:
        return outcome
    write_evidence(deployment.localization, evidence)
    return replace(outcome, text=Group(outcome.text, f"evidence written to {visible(str(evidence))}"))


@verb
@with_deployment
@click.option(
    "--inferences",
    type=click.IntRange(2, 100_000),
    default=20,
    metavar="N",
    show_default=True,
    help="Inputs to stream in real time.",
)
def bench(
    terminal: "Terminal",
    *,
    model: Path,
    target: "Target",
    port: str | None,
    samples: "SampleSource | None",
    lock: LockOptions,
    inferences: int,
) -> Outcome:
    """Measure each layer, and how transfer and computing overlap."""
    from tinydeploy import pipeline

    return _outcome(
        pipeline.bench(model, target, port=port, samples=samples, inferences=inferences, progress=terminal), lock
    )


@verb
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--board", metavar="ID", help="The board; without --port, its port is looked for.")
@click.option("--port", metavar="PORT", help="Where a board runs; without --board at 115,200 baud.")
@click.option("--samples", metavar="DATA", help="Inputs, as for `flash`; without, zeros, both extremes and noise.")
@with_watching
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FILE", help="Write each result there, a line of JSON each."
)
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="FILE", help="An earlier record: fail where outputs differ."
)
def monitor(
    terminal: "Terminal",
    *,
    model: Path | None,
    board: str | None,
    port: str | None,
    samples: str | None,
    watching: "Watching",
    record: Path | None,
    against: Path | None,
) -> Outcome:
    """Watch a board that runs: speed, latencies, what is lost, and the best classes.

    It goes on until Ctrl-C, or as --seconds or --inferences say. Without MODEL it talks to whatever firmware of
    tinydeploy answers; with MODEL it has to be that, and a virtual board is started with it.
    """
    from tinydeploy import pipeline
    from tinydeploy.files import require_place
    from tinydeploy.report.monitor import monitor_line, monitor_view, monitored_json, monitored_text

    def show(now: "Snapshot") -> None:
        terminal.watched(lambda: monitor_view(now, terminal.width), lambda: monitor_line(now))

    if record is not None:
        require_place(record)
    monitored = pipeline.monitor(
        model,
        board=board,
        port=port,
        watching=replace(watching, on_snapshot=show),
        samples=samples,
        record=record,
        against=against,
        progress=terminal,
    )
    text = monitored_text(monitored, terminal.width)
    return Outcome(
        text=text, json=monitored_json(monitored), exit_code=0 if monitored.ok else VerificationError.exit_code
    )


def _outcome(deployment: "Deployment", lock: LockOptions) -> Outcome:
    """The deployment beside the lock file. A firmware that looks for its smallest arena is none that is deployed."""
    from tinydeploy.lock.check import check_lock
    from tinydeploy.report.deployment import deployment_json, deployment_text

    check = None
    if not deployment.target.settings.probe_arena:
        check = check_lock(lock.path, deployment, update=lock.update, required=lock.required)
    return Outcome(
        text=deployment_text(deployment, check),
        json=deployment_json(deployment, check),
        exit_code=0 if deployment.ok and (check is None or check.ok) else 1,
    )
