"""What is kept of a benchmark: what each run cost, what it was measured with, and what each layer of a model is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, order=True)
class Origin:
    """When and with what a figure came about. ``date`` is ISO 8601; the rest are names with their versions."""

    date: str
    tinydeploy: str
    compiler: str
    emulator: str


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one model takes with one engine on one board.

    ``instructions`` are those of one inference, in the emulator; ``layers`` has each layer's share of them. ``macs``
    are the multiply-accumulates really executed, and ``layer_macs`` those of each layer. Of memory, in bytes: the
    arena as it is reserved, the engine's own variables, the stack's high-water mark; the model's constants, all else
    in flash.
    """

    instructions: int
    layers: tuple[int, ...]
    macs: int
    layer_macs: tuple[int, ...]
    arena_bytes: int
    state_bytes: int
    stack_bytes: int
    constant_bytes: int
    code_bytes: int

    @property
    def ram_bytes(self) -> int:
        """All that inference takes; the link's input and output buffers come on top."""
        return self.arena_bytes + self.state_bytes + self.stack_bytes

    @property
    def flash_bytes(self) -> int:
        """The whole firmware."""
        return self.constant_bytes + self.code_bytes


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one model with one engine on one board.

    Without a ``cost``, ``problem`` says in a few words why there is none: it did not fit, or its outputs were not bit
    for bit those of the reference, in which case no figure counts. ``library`` is the third-party code that ran it,
    ``oracle`` the reference.
    """

    model: str
    board: str
    engine: str
    origin: Origin
    library: str | None = None
    oracle: str | None = None
    cost: Cost | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelLayer:
    """One op of a model: what it is called, and its multiply-accumulates in the model as it was given."""

    label: str
    macs: int


@dataclass(frozen=True, kw_only=True)
class BenchModel:
    """One model: its name, its file's SHA-256, and its ops."""

    name: str
    sha256: str
    layers: tuple[ModelLayer, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference of the model as it was given."""
        return sum(layer.macs for layer in self.layers)


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that is kept, at most one run of each model, board and engine."""

    models: tuple[BenchModel, ...] = ()
    runs: tuple[Run, ...] = ()

    def with_run(self, model: BenchModel, run: Run) -> "Results":
        """These, with the run in place of an earlier one; runs of another file of the model's name are dropped."""
        is_same = model in self.models
        others = (other for other in self.models if other.name != model.name)
        runs = (other for other in self.runs if _key(other) != _key(run) and (is_same or other.model != model.name))
        return Results(
            models=tuple(sorted((*others, model), key=lambda known: (known.macs, known.name))),
            runs=tuple(sorted((*runs, run), key=_key)),
        )

    def find(self, model: str, board: str, engine: str) -> Run | None:
        """The run, if there was one."""
        return next((run for run in self.runs if _key(run) == (board, model, engine)), None)

    def cost(self, model: str, board: str, engine: str) -> Cost | None:
        """What it took; None where it was not run, or its figures do not count."""
        run = self.find(model, board, engine)
        return run.cost if run else None

    def of_board(self, board: str) -> "Results":
        """The runs on one board, and all models."""
        return replace(self, runs=tuple(run for run in self.runs if run.board == board))


def newest(runs: Iterable[Run]) -> Origin | None:
    """The origin of the latest of the runs; None where there are none."""
    return max((run.origin for run in runs), default=None)


def _key(run: Run) -> tuple[str, str, str]:
    return run.board, run.model, run.engine
