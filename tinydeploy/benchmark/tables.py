"""Results → Markdown: all figures for docs/benchmark.md, and the few that README.md shows."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tinydeploy.benchmark.figures import BenchModel, Cost, Origin, Results, Run, newest
from tinydeploy.benchmark.layers import layers_tables
from tinydeploy.benchmark.markdown import NOTHING, figure, table
from tinydeploy.benchmark.variants import OURS, THEIRS, VARIANTS, core_title, limit_of
from tinydeploy.boards import Board, find_board

SHOWN_BOARDS = ("qemu-cortex-m4", "qemu-cortex-m55", "qemu-cortex-m3")
"""In README.md and as pictures: one for each instruction set that kernels are made for. Memory is that on the first."""

_BLOCK = re.compile(r"(<!-- benchmark: .*?-->\n).*?(<!-- /benchmark -->)", re.DOTALL)

_HEAD = """\
# Benchmark

Models x engines x cores. Made by `make bench` (`python -m tinydeploy.benchmark`); do not edit. It runs the models of
[examples/digits](../examples/digits/README.md) and of the folder that `TINYDEPLOY_TEST_MODELS` names; with TensorFlow
Lite Micro's sources in `TINYDEPLOY_TFLM_LIB` it runs that too. `--board`, `--engine` and models as arguments limit what
is run; what is not run keeps its earlier figures, which are marked. [benchmark.json](benchmark.json) has all of them.

- **Instructions** are those of one inference, **emulated**: counted by QEMU, exact and the same in every run, but not
  cycles.
- A figure counts only if the run was verified: every output bit for bit the reference's.
- **MACs** are the multiply-accumulates of the model as it was given; **executed** are those that are left after the aot
  engine's exact passes.
- **RAM** is all that inference takes: the arena, the engine's own variables and the stack's high-water mark. The link's
  input and output buffers are the same for all engines and come on top.
- **Flash** is the whole firmware: constants made of the model, and code.
"""


def page(results: Results, pictures: Mapping[str, str]) -> str:
    """docs/benchmark.md. ``pictures`` has the file's name for each board that has a picture."""
    marks = _Marks(results.runs)
    boards = [find_board(board) for board in dict.fromkeys(run.board for run in results.runs)]
    boards.sort(key=lambda board: (-limit_of(board.core).per_mac, board.id))
    sections = (_section(results, board, marks, pictures.get(board.id)) for board in boards)
    return "\n".join([_HEAD, *marks.text(_oracles(results.runs)), *sections])


def readme_block(results: Results, picture: str) -> str:
    """What is between the markers in README.md: a row for each model, the way to the picture, and the date."""
    shown = [run for run in results.runs if run.board in SHOWN_BOARDS and run.engine in (OURS, THEIRS)]
    marks = _Marks(shown)
    cores = [core_title(find_board(board)) for board in SHOWN_BOARDS]
    rows = [_readme_row(results, model, marks) for model in results.models]
    lines = table(("model", "MACs", *cores, "RAM B", "flash B"), rows, numbers_from=1)
    intro = f"{VARIANTS[THEIRS].title} → **aot**: instructions of one inference on three cores, memory on the first."
    links = f"![Instructions per multiply-accumulate, by layer]({picture})\n"
    return "\n".join(["", f"{intro}\n", lines, *marks.text(_oracles(shown)), links])


def with_block(text: str, block: str) -> str:
    """A page whose block between the two markers is this one.

    Raises:
        ValueError: It has no such block, or several.
    """
    changed, count = _BLOCK.subn(lambda found: f"{found[1]}{block}{found[2]}", text)
    if count != 1:
        raise ValueError(f"{count} blocks between <!-- benchmark: … --> and <!-- /benchmark -->")
    return changed


class _Marks:
    """Which figures are older than the newest: each earlier origin has a letter, and a line that explains it."""

    def __init__(self, runs: Iterable[Run]) -> None:
        runs = tuple(runs)
        self._newest = newest(runs)
        earlier = sorted({run.origin for run in runs} - {self._newest}, reverse=True)
        self._letters = {origin: chr(ord("a") + number) for number, origin in enumerate(earlier)}

    def of(self, run: Run | None) -> str:
        """The mark to put behind a figure; empty where it is of the newest."""
        letter = self._letters.get(run.origin) if run else None
        return f"<sup>{letter}</sup>" if letter else ""

    def text(self, oracles: str) -> Iterator[str]:
        """The newest origin, and a paragraph for each mark."""
        if self._newest is None:
            return
        yield f"{_facts(self._newest)}{oracles}.\n"
        for origin, letter in self._letters.items():
            yield f"<sup>{letter}</sup> {_facts(origin)}.\n"


def _facts(origin: Origin) -> str:
    return (
        f"Emulated in {origin.emulator}, compiled with {origin.compiler}, tinydeploy {origin.tinydeploy}, {origin.date}"
    )


def _oracles(runs: Iterable[Run]) -> str:
    """What the outputs were compared with, and which libraries are among the engines."""
    runs = tuple(runs)
    oracles = dict.fromkeys(run.oracle for run in runs if run.oracle and run.cost)
    libraries = dict.fromkeys(run.library for run in runs if run.library and run.cost)
    parts = [f"bit-identical to {' and '.join(oracles)}"] if oracles else []
    parts += [f"libraries: {'; '.join(sorted(libraries))}"] if libraries else []
    return "".join(f"; {part}" for part in parts)


def _readme_row(results: Results, model: BenchModel, marks: _Marks) -> tuple[str, ...]:
    instructions = (_pair(results, model, board, marks, "instructions") for board in SHOWN_BOARDS)
    memory = (_pair(results, model, SHOWN_BOARDS[0], marks, what) for what in ("ram_bytes", "flash_bytes"))
    return model.name, figure(model.macs), *instructions, *memory


def _pair(results: Results, model: BenchModel, board: str, marks: _Marks, what: str) -> str:
    """One figure of theirs and of ours."""
    theirs, ours = (results.find(model.name, board, variant) for variant in (THEIRS, OURS))
    return f"{_value(theirs, what)}{marks.of(theirs)} → **{_value(ours, what)}**{marks.of(ours)}"


def _value(run: Run | None, what: str) -> str:
    return figure(getattr(run.cost, what)) if run and run.cost else NOTHING


def _section(results: Results, board: Board, marks: _Marks, picture: str | None) -> str:
    limit = limit_of(board.core)
    title = f"## {core_title(board)} (`{board.id}`)\n"
    headings = ("model", "engine", "instructions", "per MAC", "MACs", "executed")
    memory = ("arena B", "variables B", "stack B", "RAM B", "constants B", "code B", "flash B")
    rows = [
        _row(model, run, marks)
        for model in results.models
        for variant in VARIANTS
        if (run := results.find(model.name, board.id, variant))
    ]
    parts = [title, table((*headings, *memory), rows, numbers_from=2)]
    if picture:
        words = f"Instructions per multiply-accumulate by layer; limit {limit.text}: {limit.reason}"
        parts.append(f"![{words}]({picture})\n")
    return "\n".join([*parts, layers_tables(results, board)])


def _row(model: BenchModel, run: Run, marks: _Marks) -> Sequence[str]:
    title = VARIANTS[run.engine].title
    if run.cost is None:
        return model.name, title, f"{run.problem}{marks.of(run)}", *[NOTHING] * 10
    cost = run.cost
    per_mac = f"{cost.instructions / model.macs:.2f}" if model.macs else NOTHING
    work = (f"{figure(cost.instructions)}{marks.of(run)}", per_mac, figure(model.macs), figure(cost.macs))
    return model.name, title, *work, *map(figure, _memory(cost))


def _memory(cost: Cost) -> tuple[int, ...]:
    ram = (cost.arena_bytes, cost.state_bytes, cost.stack_bytes, cost.ram_bytes)
    return *ram, cost.constant_bytes, cost.code_bytes, cost.flash_bytes
