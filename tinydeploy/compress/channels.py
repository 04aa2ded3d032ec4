"""Structured pruning: a network with fewer channels, and thereby smaller, faster and with a smaller arena.

H. Li et al.: Pruning filters for efficient ConvNets, 2017, arXiv:1608.08710: whole filters go, those with the smallest
L1 norm. Z. Liu et al.: Learning efficient convolutional networks through network slimming, 2017, arXiv:1708.06519: the
scale of a batch normalisation belongs to what a channel is worth. G. Fang et al.: DepGraph: towards any structural
pruning, 2023, arXiv:2301.12900: layers that depend on each other are found in the graph, and judged together.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tinydeploy.compress.channel_groups import Channels, Numbers, Ties, channels_of
from tinydeploy.compress.channel_weights import Mask, Scores, importance, sliced_weights
from tinydeploy.compress.framework import Model, Structure
from tinydeploy.compress.kinds import MAKERS
from tinydeploy.compress.network import Copies, Step, network_of, rebuild
from tinydeploy.errors import UsageError


def prune_channels(
    model: Model,
    *,
    keep: float | Mapping[str, float] = 0.5,
    multiple_of: int = 1,
) -> Model:
    """A network with the share ``keep`` of the channels of every layer, those that matter most, with their weights.

    Inputs and outputs keep their shape. Layers whose channels are tied to each other, by an addition for example, lose
    the same ones. What depends on the channels in a way that is not known here (a layer of one's own, a Reshape,
    attention, a recurrent layer) keeps all of those that it reads and makes; the rest of the network is pruned still.
    A channel that is always zero is taken out without any change to the outputs; the loss of others costs accuracy,
    which is got back by training the returned model: call its ``compile`` and ``fit``.

    A Sequential model comes back as a functional one, and nested models are taken apart. Layer names stay.

    Args:
        model: Functional or Sequential, built, channels last. It is left as it is.
        keep: The share that stays, above 0; or shares by layer name, all layers that are neither named nor tied to one
            keeping theirs. Of tied layers, the largest share counts. Rounded up to whole channels.
        multiple_of: The numbers of channels are rounded up to a multiple of this where there were as many: kernels of
            microcontrollers with vector instructions are fastest with multiples of 4 or 16.

    Raises:
        UsageError: The model is not functional, ``keep`` is out of range or names no such layer, or there is nothing
            that could be pruned.
    """
    network = network_of(model)
    channels = channels_of(network)
    alive = _selected(channels, importance(network, channels), _shares(channels, keep), multiple_of)
    layers = {
        id(step.layer): (step, alive[channels.ties.roots(read)], alive[channels.ties.roots(made)])
        for step, read, made in channels.layers
    }
    copies = Copies()

    def call(step: Step, args: Structure, kwargs: Structure) -> Structure:
        changes = {}
        if step.kind in MAKERS and id(step.layer) in layers:
            width = int(layers[id(step.layer)][2].sum())
            changes = {"units" if step.kind == "Dense" else "filters": width}
        return copies.of(step, **changes)(*args, **kwargs)

    pruned = rebuild(network, call)
    copies.fill(lambda layer: sliced_weights(*layers[id(layer)]) if id(layer) in layers else layer.get_weights())
    return pruned


def _shares(channels: Channels, keep: float | Mapping[str, float]) -> dict[str, float]:
    """The share to keep of each layer that makes channels, by the layer's name."""
    names = [step.name for step, _, _ in channels.layers if step.kind in MAKERS]
    shares = dict(keep) if isinstance(keep, Mapping) else dict.fromkeys(names, keep)
    for name, share in shares.items():
        if name not in names:
            raise UsageError(
                f"no layer {name!r} whose channels could be pruned", hint=f"keep can name: {', '.join(names)}"
            )
        if not 0 < share <= 1:
            raise UsageError(f"keep={share:g} of the channels", hint="a share above 0, such as 0.5, and at most 1")
    return shares


def _selected(channels: Channels, worth: Scores, shares: Mapping[str, float], multiple_of: int) -> Mask:
    """Which channels stay, at the numbers that stand for those tied to them."""
    if multiple_of < 1:
        raise UsageError(f"channels in multiples of {multiple_of}", hint="multiple_of is 1 or more")
    alive = channels.fixed.copy()
    makers = [(step.name, channels.ties.roots(made)) for step, _, made in channels.layers if step.kind in MAKERS]
    groups = _groups(channels, [made for _, made in makers])
    if all(channels.fixed[made].all() for _, made in makers):
        raise UsageError(
            "no channels can be pruned",
            hint="all are tied to the inputs, the outputs, or a layer whose use of channels is not known",
        )
    for group in np.unique(groups.roots(np.concatenate([made for _, made in makers]))):
        members = [(name, made) for name, made in makers if groups.roots(made[:1])[0] == group]
        candidates = np.setdiff1d(np.concatenate([made for _, made in members]), np.flatnonzero(channels.fixed))
        ranked = candidates[np.argsort(-worth[candidates], kind="stable")]
        share = max((shares[name] for name, _ in members if name in shares), default=1.0)
        wanted = math.ceil(share * len(ranked) / multiple_of) * multiple_of
        alive[ranked[:wanted]] = True
        for _, made in members:  # no layer is left with nothing
            if not alive[made].any():
                alive[made[np.argmax(worth[made])]] = True
    return alive


def _groups(channels: Channels, makers: Sequence[Numbers]) -> Ties:
    """Ties all channels that one layer makes, besides those that are tied already: they compete with each other."""
    groups = Ties(channels.count)
    everything = np.arange(channels.count)
    groups.tie(everything, channels.ties.roots(everything))
    for made in makers:
        groups.tie(made[1:], made[:-1])
    return groups
