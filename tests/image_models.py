"""Models of images, layer by layer, for which it is easily told what they take of the arena.

net = ImageModel(16, 16, 4)
net.conv(32)
net.pool(3, stride=2)
data = net.finish()
"""

import numpy as np
from tflite_builder import ModelBuilder


class ImageModel:
    """Grows by a layer with each call; every tensor has the same quantisation."""

    def __init__(self, height, width, channels, *, name="tensor"):
        self._builder = ModelBuilder()
        self._name = name
        self._shapes = [(1, height, width, channels)]
        self._tensors = [self._tensor(self._shapes[0])]

    def conv(self, channels, size=1, stride=1):
        """A convolution with weights of 1, padded."""
        _, height, width, before = self._shapes[-1]
        kernel = np.ones((channels, size, size, before), np.int8)
        weights = self._builder.constant(kernel, scale=0.01)
        bias = self._builder.constant(np.zeros(channels, np.int32), scale=0.005)
        shape = (1, -(-height // stride), -(-width // stride), channels)
        options = {"padding": "SAME", "strideH": stride, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}
        self._add("CONV_2D", shape, [weights, bias], **options)

    def pool(self, size, stride=1):
        """Maxima, padded."""
        _, height, width, channels = self._shapes[-1]
        shape = (1, -(-height // stride), -(-width // stride), channels)
        window = {"filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride, "padding": "SAME"}
        self._add("MAX_POOL_2D", shape, [], **window)

    def relu(self):
        self._add("RELU", self._shapes[-1], [])

    def finish(self):
        return self._builder.finish(inputs=self._tensors[:1], outputs=self._tensors[-1:])

    def _tensor(self, shape):
        return self._builder.tensor(shape, scale=0.5, name=f"{self._name} {len(self._shapes) - 1}")

    def _add(self, kind, shape, constants, **options):
        source = self._tensors[-1]
        self._shapes.append(shape)
        self._tensors.append(self._tensor(shape))
        self._builder.op(kind, [source, *constants], [self._tensors[-1]], **options)
