"""Layers that compute in floats what int8 arithmetic would: they round, and training sees through the rounding.

The gradient of rounding is taken to be 1 within the range and 0 outside (the straight-through estimator): B. Jacob et
al.: Quantization and training of neural networks for efficient integer-arithmetic-only inference, 2018,
arXiv:1712.05877.
"""

from tinydeploy.compress.framework import Layer, Structure, Tensor, keras

# What keeps a range that is empty from dividing by zero.
_SMALLEST_SCALE = 1e-9


def _rounded(values: Tensor) -> Tensor:
    """Whole numbers, with the gradient of the values themselves."""
    return values + keras.ops.stop_gradient(keras.ops.round(values) - values)


class QuantizedKernel(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Calls a layer with its kernel rounded to symmetric int8, as TensorFlow Lite has it: -127 to 127, no zero point.

    There is one scale per output channel: for each index along ``axes`` of the kernel; or one for all where it is
    empty. The layer's own kernel stays a float, and is what is trained.
    """

    def __init__(self, layer: Layer, axes: tuple[int, ...]) -> None:
        super().__init__(name=f"{layer.name}_quantized")
        self.layer = layer
        self._axes = axes

    def build(self, input_shape: Structure) -> None:
        """Builds the layer within."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """What the layer computes with the rounded kernel."""
        values = [
            self._quantized(variable.value) if variable is self.layer.kernel else variable.value
            for variable in self.layer.trainable_variables
        ]
        others = [variable.value for variable in self.layer.non_trainable_variables]
        return self.layer.stateless_call(values, others, inputs)[0]

    def _quantized(self, kernel: Tensor) -> Tensor:
        rank = len(kernel.shape)
        shared = [axis for axis in range(rank) if axis - rank not in self._axes]
        largest = keras.ops.max(keras.ops.abs(kernel), axis=shared, keepdims=True)
        scale = keras.ops.stop_gradient(keras.ops.maximum(largest / 127, _SMALLEST_SCALE))
        return _rounded(kernel / scale) * scale


class QuantizedValues(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Rounds what it is given to asymmetric int8, over a range that follows the data in training.

    The range is a moving average of each batch's smallest and largest value; it includes zero, which is exact.
    """

    def __init__(self, name: str, momentum: float) -> None:
        super().__init__(name=name)
        self._momentum = momentum

    def build(self, input_shape: Structure) -> None:  # noqa: ARG002
        """Makes the range, empty at first."""
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
        self.high = self.add_weight(shape=(), initializer="zeros", trainable=False, name="high")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The values as int8 can have them; in training, after the range has taken notice of them."""
        if training:
            momentum = self._momentum * self.seen
            values = keras.ops.stop_gradient(inputs)
            low, high = keras.ops.minimum(keras.ops.min(values), 0.0), keras.ops.maximum(keras.ops.max(values), 0.0)
            self.low.assign(momentum * self.low + (1 - momentum) * low)
            self.high.assign(momentum * self.high + (1 - momentum) * high)
            self.seen.assign(1.0)
        scale = keras.ops.maximum((self.high - self.low) / 255, _SMALLEST_SCALE)
        zero_point = keras.ops.round(-128 - self.low / scale)
        return (keras.ops.clip(_rounded(inputs / scale) + zero_point, -128, 127) - zero_point) * scale
