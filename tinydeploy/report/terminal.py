"""Where reports and progress go: reports to standard output or a JSON file, progress to standard error."""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars

from tinydeploy import __version__
from tinydeploy.errors import TinydeployError, visible
from tinydeploy.files import require_place, write_file
from tinydeploy.plan import Plan
from tinydeploy.report.plan import plan_text
from tinydeploy.report.values import Json

if TYPE_CHECKING:
    from tinydeploy.convert.conversion import Conversion

_WIDTH = 160
"""Columns of a report at least: no figure is left out where the terminal is narrow, which then wraps the lines."""

_LINE_S = 1.0
"""How often a line is told of what is watched, where there is no terminal."""


class Terminal:
    """Shows one command's progress and its result.

    Args:
        json_path: Where the result goes as JSON; ``-`` is standard output, which then gets nothing else.
        verbose: Whether the lines of other programs are shown.

    Raises:
        UsageError: The JSON cannot be written there.
    """

    def __init__(self, *, json_path: str | None, verbose: bool) -> None:
        if json_path not in (None, "-"):
            require_place(Path(json_path))
        self._json_path = json_path
        self._verbose = verbose
        self._out = Console(stderr=json_path == "-", highlight=False, soft_wrap=True, emoji=False)
        self._out.width = max(self._out.width, _WIDTH)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._bars = ProgressBars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]:>9}"),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
            disable=not self._err.is_terminal,
        )
        self._task: TaskID | None = None
        self._live: Live | None = None
        self._told = -_LINE_S

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_view()
        self._bars.stop()

    def stage(self, name: str) -> None:
        """A stage begins."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(f"{name:<8}", total=None, count="")
        if not self._err.is_terminal:
            self._err.print(f"{name} ...")

    def step(self, done: int, total: int) -> None:
        """So much of the stage is done."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, count=f"{done:,}/{total:,}")

    def line(self, text: str) -> None:
        """A line of another program."""
        if self._verbose:
            self._err.print(f"  {visible(text)}", markup=False)

    def converted(self, conversion: "Conversion") -> None:
        """What became of the model, as soon as it is integer."""
        from tinydeploy.report.conversion import conversion_text

        self._show(conversion_text(conversion))

    def planned(self, plan: Plan) -> None:
        """The plan, as soon as it is made."""
        self._show(plan_text(plan))

    def _show(self, text: RenderableType) -> None:
        """Text between the stages. The bars, on another stream, step aside."""
        self._bars.stop()
        self._out.print(text, markup=False)
        self._bars.start()

    @property
    def width(self) -> int:
        """Columns of the terminal that the progress goes to."""
        return self._err.width

    def watched(self, view: Callable[[], RenderableType], line: Callable[[], str]) -> None:
        """What is seen now: a view in place of the one before; where there is no terminal, a line each second."""
        if self._err.is_terminal:
            if self._live is None:
                self._bars.stop()
                self._live = Live(console=self._err, transient=True, auto_refresh=False)
                self._live.start()
            self._live.update(view(), refresh=True)
        elif monotonic() - self._told >= _LINE_S:
            self._told = monotonic()
            self._err.print(line(), markup=False)

    def _end_view(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def write(self, text: RenderableType, values: dict[str, Json]) -> None:
        """The result, for people and for programs."""
        self._end_view()
        self._bars.stop()
        self._out.print(text, markup=False)
        self._write_json(values)

    def write_error(self, error: TinydeployError) -> None:
        """The failure as JSON, where JSON was asked for; people get it from `cli.main`."""
        self._write_json(
            {
                "ok": False,
                "error": {
                    "exit_code": error.exit_code,
                    "summary": error.summary,
                    "where": dict(error.where),
                    "try": error.hint or None,
                },
            }
        )

    def _write_json(self, values: dict[str, Json]) -> None:
        if self._json_path is None:
            return
        text = json.dumps({"tinydeploy": __version__, **values}, indent=2) + "\n"
        if self._json_path == "-":
            print(text, end="", flush=True)
        else:
            write_file(Path(self._json_path), text.encode())
