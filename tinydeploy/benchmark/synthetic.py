"""Networks for `fit`: layers as people train them, of all kinds and many sizes, with random weights.

    synthetic_network(seed) -> bytes

A network is no chain: each op reads a tensor that there is already and whose shape suits it, and at the end what nobody
has read is averaged and joined. So one build has dozens of different layers. The same seed gives the same bytes.
"""

import numpy as np

from tinydeploy.benchmark.synthetic_layers import DRAWN, SMALL_OPS, draw_image, draw_rare
from tinydeploy.benchmark.synthetic_network import SyntheticNetwork, Value

_OPS = 75
"""Ops drawn for a network, besides those that begin and end it."""

_LARGER_FROM = 8
"""Networks of this number and above have twice as many: a build of them takes hardly longer."""


_JOINED = 8
"""Tensors that one CONCATENATION takes: TensorFlow Lite Micro's limit is 10."""

_ENDS = (1 / 16, 0)
"""Scale and zero point of the averages at the end, which are joined and so must have the same."""

_PADDED_FROM = 32
"""Networks of this number and above have no RESIZE_NEAREST_NEIGHBOR: tflite-micro's reference kernels with it did not
assemble for a Cortex-M55 (GCC 12.2 made ``vcvtne.f32.s32``); that it is this op is likely, and was not proven."""


def synthetic_network(seed: int) -> bytes:
    """The .tflite file of one network; every fourth is of other ops than convolutions, for the most part.

    Every eighth is small, and has what is rare in the others.
    """
    net = SyntheticNetwork(seed, resizes=seed < _PADDED_FROM)
    x = net.value((1, 8, 8, 4))
    net.images.append(x)
    if seed % 8 == 7:
        draw_rare(net)
        return net.builder.finish(inputs=[x.index], outputs=[value.index for value in _ends(net)])
    for _ in range(3):
        draw_image(net)
    has_small_ops = seed % 4 == 3
    kinds = list(DRAWN)
    weights = np.array([1 if has_small_ops and kind in SMALL_OPS else DRAWN[kind] for kind in kinds], np.float64)
    weights[[has_small_ops and kind not in SMALL_OPS for kind in kinds]] *= 0.05
    for _ in range(_OPS if seed < _LARGER_FROM else 2 * _OPS):
        kinds[int(net.rng.choice(len(kinds), p=weights / weights.sum()))](net)
    outputs = _ends(net)
    return net.builder.finish(inputs=[x.index], outputs=[value.index for value in outputs])


def _ends(net: SyntheticNetwork) -> list[Value]:
    """Averages of all images that nobody has read, joined."""
    means = []
    for x in [image for image in net.images if image.index not in net.read]:
        y = net.value((1, x.shape[3]), *_ENDS)
        means.append(net.op("MEAN", [x, net.constant(1, 2)], y, keepDims=False))
    joined = []
    for begin in range(0, len(means), _JOINED):
        parts = means[begin : begin + _JOINED]
        y = net.value((1, sum(part.shape[1] for part in parts)), *_ENDS)
        joined.append(net.op("CONCATENATION", parts, y, axis=1))
    return joined
