"""Models that go through the passes before the engine compiles them, compared with TFLM on the model as it was.

check_transformed([model], remove_channels)     after one pass
check_transformed(models)                       after all
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from host_engine import Case, random_case, run_on_host, run_on_tflm

from tinydeploy.engines.aot.passes import run_passes
from tinydeploy.model.graph import Graph, Op
from tinydeploy.model.reader import parse_model

Pass = Callable[[Graph], Graph]


@dataclass(frozen=True)
class TransformedCase(Case):
    """A case whose graph is the model's after ``transform``, with ops numbered by their position as a model's are."""

    transform: Pass

    @functools.cached_property
    def graph(self) -> Graph:
        graph = self.transform(graph_of(self.model))
        return replace(graph, ops=tuple(replace(op, index=position) for position, op in enumerate(graph.ops)))


def graph_of(model: bytes) -> Graph:
    return parse_model(model, name="model.tflite")


def check_transformed(models: Sequence[bytes], transform: Pass = run_passes, *, samples: int = 6) -> None:
    """Asserts that each model, transformed, gives what TFLM gives for the model as it was: on noise and extremes."""
    cases = [random_case(model, samples=samples, seed=seed) for seed, model in enumerate(models)]
    check_cases([TransformedCase(case.model, case.inputs, transform) for case in cases])


def check_cases(cases: Sequence[TransformedCase]) -> None:
    for number, (got, expected) in enumerate(zip(run_on_host(cases), run_on_tflm(cases), strict=True)):
        for output, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, err_msg=f"model {number}, output {output}")


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def channels(graph: Graph) -> list[int]:
    """The channels of every op's output, in order."""
    return [graph.output_of(op).shape[-1] for op in graph.ops]


def only(graph: Graph, kind: str) -> Op:
    (found,) = (op for op in graph.ops if op.kind == kind)
    return found
