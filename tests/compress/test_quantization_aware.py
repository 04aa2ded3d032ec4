import numpy as np
import pytest
from keras_here import keras
from small_networks import (
    ALL,
    IMAGE,
    blobs,
    classifier,
    close,
    inputs_for,
    layers,
    normalised,
    outputs_of,
    randomised,
    residual,
    same,
    weights_of,
)

from tinydeploy.compress import quantize_aware
from tinydeploy.compress.fake_quant import QuantizedKernel, QuantizedValues
from tinydeploy.compress.folding import fold
from tinydeploy.compress.network import network_of
from tinydeploy.compress.quantization_aware import _ends

LOSS = "sparse_categorical_crossentropy"


def rounded(values, axes):
    """Symmetric int8 as TensorFlow Lite has it, back in reals."""
    shared = tuple(axis for axis in range(values.ndim) if axis - values.ndim not in axes)
    scale = np.abs(values).max(axis=shared, keepdims=True) / 127
    return (np.round(values / scale) * scale).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (layers.Conv2D(5, 3), (-1,)),
        (layers.Conv2D(5, 3), ()),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (-2, -1)),
        (layers.Conv2DTranspose(5, 3), (-2,)),
        (layers.Dense(5, use_bias=False), (-1,)),
    ],
)
def test_a_kernel_is_rounded_as_in_int8_and_its_own_stays(layer, axes):
    inputs = np.random.default_rng(0).normal(0, 1, (2, 6, 6, 3)).astype(np.float32)
    wrapped = QuantizedKernel(layer, axes)
    wrapped.build(inputs.shape)
    kernel = layer.kernel.numpy()
    computed = np.asarray(wrapped(inputs))
    assert np.array_equal(layer.kernel.numpy(), kernel)
    assert not close([np.asarray(layer(inputs))], [computed])
    layer.kernel.assign(rounded(kernel, axes))
    assert close([np.asarray(layer(inputs))], [computed])


def test_values_are_rounded_over_a_range_that_follows_the_data():
    values = QuantizedValues("values", momentum=0.75)
    first, second = np.array([[-1.0, 0.5, 3.0]], np.float32), np.array([[-2.0, 0.0, 7.0]], np.float32)
    values(first, training=True)
    assert (float(values.low.value), float(values.high.value)) == (-1.0, 3.0)
    values(second, training=True)
    assert (float(values.low.value), float(values.high.value)) == (-1.25, 4.0)
    answer = np.asarray(values(np.array([[-9.0, 0.0, 1.0, 9.0]], np.float32)))[0]
    scale = 5.25 / 255
    assert answer[1] == 0.0
    steps = answer / scale
    assert np.allclose(steps, np.round(steps), atol=1e-3)
    assert abs(answer[2] - 1.0) <= scale / 2
    assert np.round(steps[3] - steps[0]) == 255
    assert float(values.high.value) == 4.0  # no training, no notice


def test_a_range_includes_zero():
    values = QuantizedValues("values", momentum=0.9)
    values(np.array([[2.0, 3.0]], np.float32), training=True)
    assert (float(values.low.value), float(values.high.value)) == (0.0, 3.0)


@pytest.mark.parametrize("network", ALL)
def test_folding_changes_nothing_but_the_layers(network):
    model = randomised(network())
    before, inputs = weights_of(model), inputs_for(model)
    folded = fold(model)
    assert close(outputs_of(folded, inputs), outputs_of(model, inputs))
    assert not [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert same(weights_of(model), before)


UNFOLDED = {
    "behind a function": lambda image: normalised(layers.Conv2D(4, 1, activation="relu")(image), "norm"),
    "of what is read elsewhere, too": lambda image: layers.Add()(
        [conv := layers.Conv2D(4, 1)(image), normalised(conv, "norm")]
    ),
    "of the input": lambda image: layers.Conv2D(4, 1)(normalised(image, "norm")),
    "over rows": lambda image: layers.BatchNormalization(axis=1, name="norm")(layers.Conv2D(4, 1)(image)),
}


@pytest.mark.parametrize("place", UNFOLDED)
def test_a_normalisation_that_is_not_part_of_a_layer_stays_and_is_frozen(place):
    image = keras.Input(IMAGE)
    model = randomised(keras.Model(image, UNFOLDED[place](image)))
    inputs = inputs_for(model)
    assert close(outputs_of(fold(model), inputs), outputs_of(model, inputs))
    trained = quantize_aware(model, inputs, np.zeros((5, 8, 8, 4)), loss="mse", epochs=1, optimizer="sgd")
    if place != "of the input":
        assert not same(weights_of(trained), weights_of(model))
    assert same(trained.get_layer("norm").get_weights(), model.get_layer("norm").get_weights())
    assert trained.get_layer("norm").trainable


def test_values_are_rounded_where_an_op_of_the_converted_model_ends():
    network = network_of(fold(residual()))
    ends = _ends(network)
    made_by = {number: step for step in network.steps for number in step.outputs}
    image = set(network.input_layers)
    assert image <= ends
    assert [made_by[slot].name.rstrip("_0123456789") for slot in sorted(ends - image)] == [
        "re_lu",  # of the stem, which is fused with it
        "re_lu",  # of the inner one
        "back",
        "activation",  # of the sum
        "global_average_pooling2d",
    ]  # and not behind the softmax


def test_what_comes_back_is_an_ordinary_model_and_the_given_one_is_left_as_it_is():
    model = randomised(residual())
    before, nodes = weights_of(model), [len(layer._inbound_nodes) for layer in model.layers]
    inputs = inputs_for(model, 16)
    labels = np.arange(16) % 4
    some, others = (quantize_aware(model, inputs, labels, loss=LOSS, epochs=2, seed=3) for _ in range(2))
    assert same(weights_of(model), before)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    assert {type(layer).__module__.split(".")[0] for layer in some.layers} == {"keras"}
    assert (some.input_shape, some.output_shape) == (model.input_shape, model.output_shape)
    assert not same(weights_of(some), weights_of(fold(model)))
    assert same(weights_of(some), weights_of(others))
    assert not some.compiled


def unbalanced():
    """A trained classifier whose hidden channels differ in size a thousandfold, as badly scaled ones do.

    What one layer divides, the next multiplies, so in floats nothing is different.
    """
    x, y = blobs()
    model = classifier()
    model.compile(keras.optimizers.Adam(1e-2), LOSS)
    model.fit(x, y, epochs=20, verbose=0)
    factors = np.where(np.arange(16) % 4 == 0, 1000.0, 1.0)
    hidden, classes = model.get_layer("hidden"), model.get_layer("classes")
    hidden.kernel.assign(hidden.kernel * factors)
    hidden.bias.assign(hidden.bias * factors)
    classes.kernel.assign(classes.kernel / factors[:, np.newaxis])
    return model, x, y


def accuracy_when_rounded(model, x, y, axes):
    copy = keras.models.clone_model(model)
    copy.set_weights([rounded(w, axes) if w.ndim > 1 else w for w in model.get_weights()])
    return (copy.predict(x, verbose=0).argmax(axis=1) == y).mean()


def test_training_makes_up_for_a_rounding_that_is_too_coarse():
    model, x, y = unbalanced()
    assert (model.predict(x, verbose=0).argmax(axis=1) == y).mean() > 0.97
    spoiled = accuracy_when_rounded(model, x, y, ())
    assert spoiled < 0.9
    trained = quantize_aware(model, x, y, epochs=20, per_channel=False, optimizer=keras.optimizers.Adam(1e-2))
    assert accuracy_when_rounded(trained, x, y, ()) > 0.97
