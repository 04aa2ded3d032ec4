"""Batch normalisation folded into the layer before it, as conversion does it."""

import numpy as np
import numpy.typing as npt

from tinydeploy.compress.framework import Layer, Model, Structure, Variable, keras
from tinydeploy.compress.kinds import OUTPUT_AXES
from tinydeploy.compress.network import Copies, Network, Step, Weights, network_of, rebuild

Values = npt.NDArray[np.float64]


def fold(model: Model) -> Model:
    """A copy in which each normalisation right behind a convolution or dense layer has become part of its weights.

    In inference it computes the same, but for the rounding of floats. A normalisation elsewhere stays.
    """
    network = network_of(model)
    normalisations = _foldable(network)
    folded = {step.inputs[0]: step for step in normalisations}
    factors = {id(step.layer): folded[step.outputs[0]].layer for step in network.steps if step.outputs[0] in folded}
    copies = Copies()

    def call(step: Step, args: Structure, kwargs: Structure) -> Structure:
        if step in normalisations:
            return args[0]
        changes = {"use_bias": True} if id(step.layer) in factors else {}
        return copies.of(step, **changes)(*args, **kwargs)

    axes = {id(step.layer): OUTPUT_AXES[step.kind] for step in network.steps if step.kind in OUTPUT_AXES}
    result = rebuild(network, call)
    copies.fill(
        lambda layer: (
            _folded(layer, factors[id(layer)], axes[id(layer)]) if id(layer) in factors else list(layer.get_weights())
        )
    )
    return result


def _foldable(network: Network) -> list[Step]:
    """The normalisations that are all that reads the output of a linear layer, which is called once."""
    calls: dict[int, int] = {}
    for step in network.steps:
        calls[id(step.layer)] = calls.get(id(step.layer), 0) + 1
    made_by = {number: step for step in network.steps for number in step.outputs}
    readers = network.consumers()

    def is_foldable(step: Step) -> bool:
        if step.kind != "BatchNormalization" or calls[id(step.layer)] > 1:
            return False
        before = made_by.get(step.inputs[0])
        return (
            before is not None
            and before.kind in OUTPUT_AXES
            and before.layer.activation is keras.activations.linear
            and getattr(before.layer, "data_format", "channels_last") == "channels_last"
            and step.layer.axis in (-1, len(network.shapes[step.inputs[0]]) - 1)
            and len(readers[step.inputs[0]]) == 1
            and calls[id(before.layer)] == 1
        )

    return [step for step in network.steps if is_foldable(step)]


def _folded(layer: Layer, normalisation: Layer, axes: tuple[int, ...]) -> Weights:
    """Kernel and bias, times the factor of each output channel."""
    kernel = _values(layer.kernel)
    mean, variance = _values(normalisation.moving_mean), _values(normalisation.moving_variance)
    bias = _values(layer.bias) if layer.use_bias else np.zeros_like(mean)
    gamma = _values(normalisation.gamma) if normalisation.scale else np.ones_like(mean)
    beta = _values(normalisation.beta) if normalisation.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + normalisation.epsilon)
    shape = [size if axis - kernel.ndim in axes else 1 for axis, size in enumerate(kernel.shape)]
    return [kernel * factor.reshape(shape), (bias - mean) * factor + beta]


def _values(variable: Variable) -> Values:
    return np.asarray(variable.numpy(), np.float64)
