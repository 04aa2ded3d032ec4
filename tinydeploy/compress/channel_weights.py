"""The weights of layers by the channels that they belong to: what a channel is worth, and what is left without some."""

import numpy as np
import numpy.typing as npt

from tinydeploy.compress.channel_groups import Channels
from tinydeploy.compress.framework import Variable
from tinydeploy.compress.kinds import DEPTHWISE, MAKERS, SCALES, SEPARABLE
from tinydeploy.compress.network import Network, Step

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def importance(network: Network, channels: Channels) -> Scores:
    """What each channel is worth, at the number that stands for all that are tied to it.

    The L1 norm of the filter that makes it, times what a batch normalisation and a depthwise filter behind it multiply
    it with: that is the filter that is deployed, since conversion folds the normalisation into it. Where several
    layers make the channel, it is the sum of theirs, each divided by the layer's mean.
    """
    worth = np.zeros(channels.count)
    norms: dict[int, Scores] = {}  # of slots whose channels come straight from a filter
    taken_on: set[int] = set()
    weighted = {id(step.layer) for step, _, _ in channels.layers}
    for step in network.steps:
        gain = _gain(step) if id(step.layer) in weighted else None
        if gain is not None and step.kind in MAKERS:
            norms[step.outputs[0]] = gain
        elif gain is not None and step.inputs[0] in norms:
            before = norms[step.inputs[0]]
            norms[step.outputs[0]] = np.repeat(before, len(gain) // len(before)) * gain
            taken_on.add(step.inputs[0])
    for slot, norm in norms.items():
        if slot not in taken_on and norm.any():
            np.add.at(worth, channels.ties.roots(channels.of_slot[slot]), norm / norm.mean())
    return worth


def _gain(step: Step) -> Scores | None:
    """How much each channel is amplified: the norm of its filter, or the factor of a normalisation; else None."""
    layer = step.layer
    if step.kind == "BatchNormalization":
        variance = _values(layer.moving_variance)
        gamma = _values(layer.gamma) if layer.scale else np.ones_like(variance)
        return np.asarray(np.abs(gamma) / np.sqrt(variance + layer.epsilon))
    if step.kind in MAKERS:
        kernel = np.abs(_values(layer.pointwise_kernel if step.kind in SEPARABLE else layer.kernel))
        axis = -2 if step.kind.endswith("Transpose") else -1
        return np.asarray(np.moveaxis(kernel, axis, -1).reshape(-1, kernel.shape[axis]).sum(axis=0))
    if step.kind in DEPTHWISE:
        kernel = np.abs(_values(layer.kernel))
        return np.asarray(kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1]).sum(axis=0))
    return None


def sliced_weights(step: Step, read: Mask, made: Mask) -> list[npt.NDArray[np.generic]]:
    """The weights of a layer, in its order, for the channels that it goes on reading and making."""
    return [_sliced(variable.numpy(), _axes(step, variable.name, read, made)) for variable in step.layer.weights]


def _axes(step: Step, weight: str, read: Mask, made: Mask) -> dict[int, Mask]:
    """Which of a weight's axes are channels. Depthwise filters of one channel are side by side in the last axis."""
    if step.kind in SCALES or weight == "bias":
        return {-1: made}
    if step.kind in DEPTHWISE or weight == "depthwise_kernel":
        return {-2: read}
    if weight == "pointwise_kernel":
        return {-2: np.repeat(read, step.layer.depth_multiplier), -1: made}
    return {-1: read, -2: made} if step.kind.endswith("Transpose") else {-2: read, -1: made}


def _sliced(values: npt.NDArray[np.generic], axes: dict[int, Mask]) -> npt.NDArray[np.generic]:
    for axis, mask in axes.items():
        values = np.compress(mask, values, axis=axis)
    return values


def _values(variable: Variable) -> Scores:
    return np.asarray(variable.numpy(), np.float64)
