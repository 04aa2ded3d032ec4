"""The way of a model from its source to a full int8 .tflite. Read this first.

source → FloatModel → quantised .tflite → Graph (audited) → Quality
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tinydeploy.convert.audit import require_integer_model
from tinydeploy.convert.float_model import FloatModel
from tinydeploy.convert.gates import Gates, missed
from tinydeploy.convert.precision import Precision, precision_of
from tinydeploy.convert.quality import Quality, measure_quality
from tinydeploy.convert.quality_advice import advice
from tinydeploy.convert.quantize import QuantizationSettings, quantize, require_quantizer
from tinydeploy.convert.sources import SourceFormat, source_format, to_float
from tinydeploy.convert.sources.packages import require_packages
from tinydeploy.convert.tflite import float_tflite, normalized, with_integer_ends
from tinydeploy.errors import UsageError
from tinydeploy.model.graph import DType, Graph
from tinydeploy.model.reader import parse_model, read_bytes
from tinydeploy.samples.check import suspicions
from tinydeploy.samples.ranges import InputRange, input_ranges
from tinydeploy.samples.samples import Samples, hold_out
from tinydeploy.samples.source import SampleSource

_NO_SAMPLES = (
    "give inputs of the kind that the device will see, a hundred or more, for the ranges of all layers: --samples DATA "
    "(.npy, .npz, .csv, a folder of images or .wav files); --samples random only tries whether the model converts"
)


class Watch(Protocol):
    """Somebody who watches a conversion; see `progress.Stopwatch`."""

    @property
    def step(self) -> Callable[[int, int], None]:
        """Gets how much of a stage is done, of how much."""

    @property
    def line(self) -> Callable[[str], None]:
        """Gets a line of output of another program."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """The block is one stage."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """What a model was quantised with, and what it is measured with.

    ``ranges`` are of all samples, those held out included, in the units of the float model. ``warnings`` are about
    samples that look wrong.
    """

    settings: QuantizationSettings
    used: int
    held_out: Samples
    ranges: tuple[InputRange, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    is_random: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """What came out of converting a model.

    ``data`` is the .tflite, ``graph`` what is in it; every op's inputs and outputs are integers. ``source`` says what
    it was made of. ``agreement_db``: see `FloatModel`. ``calibration`` and ``quality`` are None where nothing was
    quantised: the source was integer already. ``missed`` tells which limits the quality does not keep.
    """

    data: bytes
    graph: Graph
    source: str
    agreement_db: float | None = None
    calibration: Calibration | None = None
    quality: Quality | None = None
    missed: tuple[str, ...] = ()

    @property
    def advice(self) -> tuple[str, ...]:
        """What would help the quality; empty where it is well."""
        if self.quality is None or self.calibration is None:
            return ()
        settings, used = self.calibration.settings, self.calibration.used
        return advice(self.quality, target=settings.target, per_channel=settings.per_channel, calibration_samples=used)


def convert_source(
    source: Path,
    samples: SampleSource | None,
    settings: QuantizationSettings,
    watch: Watch,
    *,
    gates: Gates = Gates(),  # noqa: B008 - it is frozen
) -> Conversion:
    """Converts a model of any known format; an integer .tflite comes out byte for byte as it was.

    Args:
        source: A .tflite, .keras, .h5, .onnx or .pt2 file, or a SavedModel folder.
        samples: Inputs to calibrate with, of which a part is held out to measure with. Not used where the source is an
            integer .tflite already.
        settings: How to quantise.
        watch: Gets the stages ``read``, ``quantize`` and ``measure``.
        gates: Limits on the quality; which are missed is told in the result.

    Raises:
        UsageError: The source or the samples cannot be read, or there are no samples.
        ModelError: The source cannot be converted, or not to an integer model; tells why, by layer.
        BuildError: A package that it needs is not installed.
    """
    data, kind = None, source_format(source)
    if kind is SourceFormat.TFLITE:
        data = read_bytes(source)
        precision = precision_of(data, source.name)
        if precision in {Precision.INTEGER, Precision.FLOAT_ENDS}:
            missed(None, gates)  # which refuses limits
            return _integer_already(data, precision, source.name)
    if samples is None:
        raise UsageError(f"{source.name} is to be quantised, which needs samples of its inputs", hint=_NO_SAMPLES)
    if kind is not SourceFormat.TFLITE:
        require_packages(kind)
    require_quantizer()
    with watch.stage("read"):
        model = float_tflite(data, source.name) if data is not None else _to_float(source, watch)
        graph = parse_model(model.data, name=source.name)
        given = samples.load(graph, model.permutations)
        gates.require_labels(given.labels is not None)
        calibration, held_out = hold_out(given, in_sequence=graph.is_stateful)
    with watch.stage("quantize"):
        quantized = quantize(model.data, calibration, settings, on_step=watch.step, on_line=watch.line)
    integer = parse_model(quantized, name=source.name)
    require_integer_model(integer)
    with watch.stage("measure"):
        quality = measure_quality(model.data, quantized, held_out, on_step=watch.step)
    return Conversion(
        data=quantized,
        graph=integer,
        source=model.source,
        agreement_db=model.agreement_db,
        calibration=Calibration(
            settings=settings,
            used=calibration.count,
            held_out=held_out,
            ranges=input_ranges(given, graph),
            notes=held_out.notes,
            warnings=suspicions(given, graph),
            is_random=given.is_random,
        ),
        quality=quality,
        missed=missed(quality, gates),
    )


def require_target(conversion: Conversion, settings: QuantizationSettings) -> None:
    """Nothing, where what was integer before has the activations that are asked for.

    Raises:
        UsageError: It has others, and no float model to make these of.
    """
    graph = conversion.graph
    ends = {graph.tensors[index].dtype for index in (*graph.inputs, *graph.outputs)}
    found = "int16x8" if DType.INT16 in ends else "int8"
    if found != settings.target:
        raise UsageError(
            f"{graph.name} is {found} already and cannot become {settings.target}",
            hint="convert the float model that it was made from",
        )


def _to_float(source: Path, watch: Watch) -> FloatModel:
    model = to_float(source, on_line=watch.line, on_step=watch.step)
    return replace(model, data=normalized(model.data, source.name))


def _integer_already(data: bytes, precision: Precision, name: str) -> Conversion:
    """What is integer inside keeps all of it."""
    if precision is Precision.FLOAT_ENDS:
        data = with_integer_ends(data, name)
    graph = parse_model(data, name=name)
    require_integer_model(graph)
    return Conversion(data=data, graph=graph, source=precision.value)
