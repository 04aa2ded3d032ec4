"""Arrays of a test ↔ samples and outputs of a model. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.reals import reals
from tinydeploy.samples import Samples, default_samples
from tinydeploy.samples.source import AnySamples, sample_source

Array = npt.NDArray[np.generic]
Inputs = AnySamples | tuple[Array, ...]
"""What a test gives: whatever the tool takes as samples, or a tuple with an array for each input."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a test's arrays look, so that outputs look alike.

    ``is_batch``: the first dimension counts samples. ``has_batch_dimension``: behind it, or alone, comes the 1 that
    models have as their first dimension. ``is_real``: floats, where the model has integers.
    """

    is_batch: bool
    has_batch_dimension: bool
    is_real: bool


def samples_of(graph: Graph, inputs: Inputs | None) -> Samples:
    """The inputs as samples of the model; the default ones where there are none given.

    Raises:
        UsageError: They do not fit.
    """
    if inputs is None:
        return default_samples(graph)
    if isinstance(inputs, tuple):
        if len(inputs) != len(graph.inputs):
            raise UsageError(
                f"{len(inputs)} arrays are given, but the model has {len(graph.inputs)} inputs",
                hint="give a tuple with an array for each input",
            )
        inputs = _by_name(graph, inputs)
    source = sample_source(inputs)
    assert source is not None
    return source.load(graph)


def arrays_of(graph: Graph, inputs: Array | tuple[Array, ...] | Mapping[str, Array]) -> tuple[Samples, Form]:
    """One sample or a batch, with the form that its outputs are to have.

    Raises:
        UsageError: The arrays do not fit the model.
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    arrays = list(inputs.values()) if isinstance(inputs, Mapping) else [np.asarray(array) for array in given]
    tensors = [graph.tensors[index] for index in graph.inputs]
    if isinstance(inputs, Mapping) and set(inputs) == {tensor.name for tensor in tensors}:
        arrays = [inputs[tensor.name] for tensor in tensors]
    form = _form(arrays[0], tensors[0])
    if not form.is_batch:
        arrays = [array[np.newaxis] for array in arrays]
    return samples_of(graph, tuple(arrays)), form


def outputs_like(form: Form, outputs: tuple[Array, ...], graph: Graph) -> Array | tuple[Array, ...]:
    """Outputs of shape (samples, *tensor shape) in this form: an array, or a tuple of them where there are several."""
    shown = tuple(
        _shown(form, values, graph.tensors[index]) for values, index in zip(outputs, graph.outputs, strict=True)
    )
    return shown[0] if len(shown) == 1 else shown


def _by_name(graph: Graph, arrays: tuple[Array, ...]) -> dict[str, Array]:
    names = [graph.tensors[index].name for index in graph.inputs]
    is_known_by_name = len(set(names)) == len(names) and "labels" not in names
    keys = names if is_known_by_name else [f"({position})" for position in range(len(names))]
    return {key: np.asarray(array) for key, array in zip(keys, arrays, strict=True)}


def _form(array: Array, tensor: Tensor) -> Form:
    shape = tensor.shape
    inner = shape[1:] if shape[:1] == (1,) else shape
    is_real = array.dtype.kind == "f"
    if array.shape == inner:
        return Form(is_batch=False, has_batch_dimension=inner == shape, is_real=is_real)
    if array.shape == shape:
        return Form(is_batch=False, has_batch_dimension=True, is_real=is_real)
    return Form(is_batch=True, has_batch_dimension=array.shape[1:] == shape, is_real=is_real)


def _shown(form: Form, values: Array, tensor: Tensor) -> Array:
    if form.is_real and tensor.quantization is not None and values.dtype.kind != "f":
        values = reals(values, tensor.quantization).astype(np.float32)
    if not form.has_batch_dimension and tensor.shape[:1] == (1,):
        values = values[:, 0]
    return values if form.is_batch else values[0]
