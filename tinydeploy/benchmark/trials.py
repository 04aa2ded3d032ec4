"""Synthetic networks on virtual boards → what each of their layers takes, for `fit`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinydeploy import pipeline
from tinydeploy.bench import Latency, measure_latency
from tinydeploy.benchmark.synthetic import synthetic_network
from tinydeploy.boards import find_board
from tinydeploy.cost.instructions import planned_instructions
from tinydeploy.cost.setting import Setting
from tinydeploy.deployment import Build, Target
from tinydeploy.engines.interface import EngineSettings, Objective
from tinydeploy.errors import FitError, LinkError, ModelError
from tinydeploy.files import data_dir, write_file
from tinydeploy.progress import SILENT, Stopwatch
from tinydeploy.running import running
from tinydeploy.samples import FIRST_NOISE, default_samples
from tinydeploy.verify.wire import pack_sample

_ATTEMPTS = 3
_ROOMY_M0 = "roomy-cortex-m0"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The instructions of one inference of the network of ``seed``, and those of each of its layers.

    ``planned`` is what the engine itself has said of them, None of those of which it knows only one way.
    """

    setting: Setting
    seed: int
    instructions: int
    layers: tuple[int, ...]
    planned: tuple[int | None, ...] = ()


SETTINGS = tuple(
    Setting(core=core, engine=engine, kernels=kernels)
    for core in ("cortex-m4", "cortex-m3", "cortex-m55", "cortex-m0")
    for engine in ("aot", "tflm")
    for kernels in ("optimized", "reference")
    if (core, engine, kernels) != ("cortex-m3", "tflm", "reference")  # as on the Cortex-M4
)


_NETWORKS = (0, 1, 2, 3, 7, 9, 10)
_PADDED_NETWORKS = (35, 36)
"""Seeds; those of the second are for the setting in which the resizing of the others does not compile."""


def networks_of(setting: Setting) -> tuple[int, ...]:
    """The seeds of the networks that a setting is measured with."""
    is_padded = (setting.core, setting.engine, setting.kernels) == ("cortex-m55", "tflm", "reference")
    return _PADDED_NETWORKS if is_padded else _NETWORKS


def trials_of(
    settings: Iterable[Setting], known: Iterable[Trial], seeds: Callable[[Setting], Iterable[int]] = networks_of
) -> Iterator[Trial]:
    """Measures the networks of each setting but those that are known."""
    done = {(trial.setting, trial.seed) for trial in known}
    with TemporaryDirectory() as folder:
        boards = _boards(Path(folder))
        for setting in settings:
            for seed in seeds(setting):
                if (setting, seed) in done:
                    continue
                path = Path(folder) / f"synthetic{seed}.tflite"
                write_file(path, synthetic_network(seed))
                trial = _trial(path, boards[setting.core], setting, seed)
                if trial is not None:
                    yield trial


def _trial(path: Path, board: str, setting: Setting, seed: int) -> Trial | None:
    """None where it does not fit, is not supported or takes longer than the board's timer can tell."""
    objective: Objective | None = "speed" if setting.engine == "aot" else None  # planned much faster than without
    settings = EngineSettings(kernels=setting.kernels, optimize=objective)
    target = Target(board=board, engine=setting.engine, buffers=1, settings=settings)
    for _ in range(_ATTEMPTS):
        with suppress(LinkError):
            try:
                built, latency = _measured(path, target)
            except (FitError, ModelError):
                return None
            if latency.per_inference is None:
                return None
            return Trial(
                setting=setting,
                seed=seed,
                instructions=latency.per_inference,
                layers=latency.layers,
                planned=planned_instructions(built.plan.engine),
            )
    return None


def _measured(path: Path, target: Target) -> tuple[Build, Latency]:
    built = pipeline.build(path, target)
    with running(built, Stopwatch(SILENT), port=None) as (_, session):
        sample = default_samples(built.plan.graph)[FIRST_NOISE]
        return built, measure_latency(session, built.plan.board, pack_sample(sample, session.hello))


def read_trials(path: Path) -> tuple[Trial, ...]:
    """What was kept, a line for each; none where there is no such file."""
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(_trial_of(json.loads(line)) for line in lines)


def write_trials(trials: Iterable[Trial], path: Path) -> None:
    """Keeps them for `read_trials`."""
    write_file(path, "".join(json.dumps(asdict(trial)) + "\n" for trial in trials).encode())


def _trial_of(found: Mapping[str, Any]) -> Trial:
    return Trial(
        **{
            **found,
            "setting": Setting(**found["setting"]),
            "layers": tuple(found["layers"]),
            "planned": tuple(found.get("planned", ())),
        }
    )


def _boards(folder: Path) -> dict[str, str]:
    """A board for each core, by its name or the path of its description.

    For the Cortex-M0 it is the machine of the Cortex-M3: the same code takes the same instructions, and there is room.
    """
    roomy = (data_dir("boards") / "qemu-cortex-m3.toml").read_text(encoding="utf-8")
    path = folder / f"{_ROOMY_M0}.toml"
    text = roomy.replace('"qemu-cortex-m3"', f'"{_ROOMY_M0}"').replace("cortex-m3", "cortex-m0")
    write_file(path, text.encode())
    boards = {core: find_board(f"qemu-{core}").id for core in ("cortex-m3", "cortex-m4", "cortex-m55")}
    return {**boards, "cortex-m0": str(path)}
