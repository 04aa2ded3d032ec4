"""Results and estimates → docs/latency-estimates.md: how near the estimates come to what was measured.

    python -m tinydeploy.benchmark.estimates

compares every run in docs/benchmark.json, whose models are none of those that were fitted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from tinydeploy import pipeline
from tinydeploy.benchmark.command import Pages, usual_models
from tinydeploy.benchmark.figures import Results
from tinydeploy.benchmark.markdown import figure, table
from tinydeploy.benchmark.measure import bench_model
from tinydeploy.benchmark.start import start
from tinydeploy.benchmark.store import read_results
from tinydeploy.benchmark.variants import VARIANTS, core_title
from tinydeploy.boards import find_board
from tinydeploy.cost.coefficients import Coefficients, coefficients
from tinydeploy.cost.instructions import estimate_instructions
from tinydeploy.cost.setting import Setting
from tinydeploy.files import write_file

_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One model with one engine on one board: instructions of an inference, estimated and measured."""

    model: str
    board: str
    engine: str
    estimated: int
    measured: int

    @property
    def error(self) -> float:
        """The share by which the estimate is above what was measured."""
        return self.estimated / self.measured - 1


def compared(results: Results, models: Iterable[Path]) -> tuple[Compared, ...]:
    """Every run of these models that has figures and an estimate, the worst first."""
    found = (one for path in models for one in _of_model(results, path))
    return tuple(sorted(found, key=lambda one: -abs(one.error)))


def _of_model(results: Results, path: Path) -> Iterator[Compared]:
    model = bench_model(path)
    if model not in results.models:
        return
    for run in results.runs:
        if run.model != model.name or run.cost is None:
            continue
        variant = VARIANTS[run.engine]
        settings = variant.settings(None)
        (plan,) = pipeline.inspect(path, [run.board], engine=variant.engine, settings=settings)
        estimate = estimate_instructions(plan)
        if estimate is not None:
            yield Compared(
                model=run.model,
                board=run.board,
                engine=run.engine,
                estimated=estimate.total,
                measured=run.cost.instructions,
            )


def page(found: Iterable[Compared], fitted: Mapping[Setting, Coefficients]) -> str:
    """docs/latency-estimates.md."""
    rows = [
        [
            one.model,
            core_title(find_board(one.board)),
            VARIANTS[one.engine].title,
            figure(one.estimated),
            figure(one.measured),
            f"{one.error:+.1%}",
        ]
        for one in found
    ]
    settings = [
        [setting.core, setting.engine, setting.kernels, str(len(each.rows)), f"{each.error:.1%}"]
        for setting, each in fitted.items()
    ]
    return _PAGE.format(
        compared=table(["model", "core", "engine", "estimated", "measured", "error"], rows, numbers_from=3),
        fitted=table(["core", "engine", "kernels", "kinds of layers", "error"], settings, numbers_from=3),
    )


_PAGE = """# Instructions, estimated

Made by `python -m tinydeploy.benchmark.estimates`; do not edit. What one inference takes is estimated from the model
alone, before anything is built: each layer's instructions are a linear function of its work, with coefficients in
[instructions.json](../tinydeploy/cost/instructions.json), fitted to synthetic networks on the virtual boards by
`python -m tinydeploy.benchmark.fit`. The aot engine's own cost model stands in for its kernels for the DSP extension.

None of the models below was fitted. They are those of [the benchmark](benchmark.md); the worst estimates come first.

{compared}
## The fit

The error is the root mean square of those of the synthetic networks, each estimated with coefficients that were fitted
to the others. They are harder than people's networks: hardly any layer is there twice.

{fitted}"""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=_CHECKOUT,
    metavar="DIR",
    help="Where docs/ is. Default: the checkout.",
)
def main(*, output: Path) -> None:
    """Compare the estimates with docs/benchmark.json, and write docs/latency-estimates.md."""
    results = read_results(Pages(folder=output).results)
    found = compared(results, usual_models(_CHECKOUT))
    path = output / "docs" / "latency-estimates.md"
    write_file(path, page(found, coefficients()).encode())
    click.echo(path)


if __name__ == "__main__":
    start(main, "estimates")
