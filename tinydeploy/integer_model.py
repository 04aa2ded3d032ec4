"""The model that is deployed, with its samples: read where it is integer, converted where it is not."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinydeploy.convert.precision import is_integer
from tinydeploy.convert.quantize import QuantizationSettings
from tinydeploy.errors import FitError
from tinydeploy.model.graph import Graph
from tinydeploy.model.integer import require_integer
from tinydeploy.model.reader import read_model
from tinydeploy.progress import Stopwatch
from tinydeploy.samples import Samples, default_samples, join_samples
from tinydeploy.samples.choice import evenly
from tinydeploy.samples.source import AnySamples, SampleSource, sample_source

if TYPE_CHECKING:
    from tinydeploy.convert.conversion import Conversion

_LARGEST_INPUT_BYTES = 32 << 20
"""Far beyond what any board has; several samples of it are far beyond what this computer may have."""

_VERIFIED_OF_CONVERSION = 100
"""Held-out samples that go to the board, besides the default ones, where the model was converted on the way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerModel:
    """``path`` is the user's model, ``conversion`` how it became integer: None where it was."""

    path: Path
    graph: Graph
    conversion: "Conversion | None"


def read_integer_model(model: Path) -> Graph:
    """The graph of an integer .tflite.

    Raises:
        UsageError, ModelError: It cannot be read, or is not integer.
    """
    graph = read_model(model)
    require_integer(graph)
    return graph


def integer_model(model: Path, samples: AnySamples | None, watch: Stopwatch) -> IntegerModel:
    """The model as it is deployed; ``samples`` calibrate it where it has to be converted first.

    Raises:
        UsageError, ModelError, BuildError: As `read_integer_model` and `convert_source`.
    """
    if is_integer(model):
        return IntegerModel(path=model, graph=read_integer_model(model), conversion=None)
    from tinydeploy.convert.conversion import convert_source

    conversion = convert_source(model, sample_source(samples), QuantizationSettings(), watch)
    watch.converted(conversion)
    return IntegerModel(path=model, graph=conversion.graph, conversion=conversion)


def verification_samples(model: IntegerModel, samples: AnySamples | None) -> Samples:
    """The default samples, and behind them the user's; of those that a model was converted with, some held out.

    Raises:
        UsageError: They cannot be read, or do not fit the model.
        FitError: One input alone is more than any board has memory for.
    """
    graph = model.graph
    nbytes = sum(graph.tensors[index].nbytes for index in graph.inputs)
    if nbytes > _LARGEST_INPUT_BYTES:
        raise FitError(
            f"one input takes {nbytes:,} B, which no microcontroller has room for",
            where={"model": graph.name},
            hint="make the model's input smaller, and convert it again",
        )
    defaults, given = default_samples(model.graph), sample_source(samples)
    if model.conversion is not None and model.conversion.calibration is not None:
        given = _some(model.graph, model.conversion.calibration.held_out)
    return defaults if given is None else join_samples(defaults, given.load(model.graph))


def _some(graph: Graph, held_out: Samples) -> SampleSource:
    """Some of the float model's samples, for the integer one to take in its own way: evenly spread over all classes.

    The samples of a model with a state are a sequence: the first of them.
    """
    count = min(held_out.count, _VERIFIED_OF_CONVERSION)
    chosen = held_out.take(range(count) if graph.is_stateful else evenly(held_out.count, count))
    arrays = {graph.tensors[index].name: values for index, values in zip(graph.inputs, chosen.inputs, strict=True)}
    return SampleSource(arrays=arrays if chosen.labels is None else {**arrays, "labels": chosen.labels})
