import numpy as np
import pytest
from keras_here import keras
from small_networks import (
    ALL,
    IMAGE,
    branches,
    close,
    flattened,
    inputs_for,
    layers,
    outputs_of,
    randomised,
    residual,
    same,
    separable,
    weights_of,
)

from tinydeploy.compress import prune_channels
from tinydeploy.errors import UsageError


def widths(model):
    """The channels of every layer that has a name of its own and weights."""
    return {layer.name: layer.output.shape[-1] for layer in model.layers if layer.weights}


def silence(model, silent):
    """Makes channels of layers compute zeros: their filters, biases and what normalisations add become zero."""
    for name, channels in silent.items():
        for variable in model.get_layer(name).weights:
            if variable.name in ("kernel", "pointwise_kernel", "bias", "beta", "moving_mean"):
                values = variable.numpy()
                flat = (
                    values.reshape(-1, model.get_layer(name).output.shape[-1]) if variable.name == "kernel" else values
                )
                flat[..., channels] = 0
                variable.assign(values)
    return model


SILENCED = {
    residual: (
        {"stem": [1, 6], "stem_norm": [1, 6], "back": [1, 6], "back_norm": [1, 6], "inner": [0], "inner_norm": [0]},
        {"stem": 6 / 8, "inner": 11 / 12},
        {"stem": 6, "stem_norm": 6, "inner": 11, "inner_norm": 11, "back": 6, "back_norm": 6, "classes": 4},
    ),
    separable: (
        {
            "stem": [2],
            "stem_norm": [2],
            "depthwise": [4, 5],
            "depthwise_norm": [4, 5],
            "pointwise": [0, 3, 11],
            "separable": [5],
        },
        {"stem": 7 / 8, "pointwise": 9 / 12, "separable": 5 / 6},
        {
            "stem": 7,
            "stem_norm": 7,
            "depthwise": 14,
            "depthwise_norm": 14,
            "pointwise": 9,
            "separable": 5,
            "classes": 4,
        },
    ),
    branches: (
        {"left": [0, 5], "right": [1, 2, 3], "gate": [1, 2, 3]},
        {"left": 4 / 6, "right": 7 / 10},
        {"left": 4, "right": 7, "gate": 7, "after": 5, "classes": 4},
    ),
    flattened: (
        {"first": [0, 7], "hidden": [3, 4, 5]},
        {"first": 6 / 8, "hidden": 13 / 16},
        {"first": 6, "bent": 6, "hidden": 13, "classes": 4},
    ),
}


@pytest.mark.parametrize("network", ALL)
def test_channels_that_are_zero_are_those_taken_out_and_nothing_changes(network):
    silent, keep, expected = SILENCED[network]
    model = silence(randomised(network()), silent)
    inputs = inputs_for(model)
    pruned = prune_channels(model, keep=keep)
    assert widths(pruned) == expected
    assert close(outputs_of(pruned, inputs), outputs_of(model, inputs), 1e-6)


@pytest.mark.parametrize("network", ALL)
def test_taking_out_other_channels_does_change_the_outputs(network):
    model = randomised(network())
    inputs = inputs_for(model)
    assert not close(outputs_of(prune_channels(model), inputs), outputs_of(model, inputs), 1e-3)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (residual, {"stem": 4, "stem_norm": 4, "inner": 6, "inner_norm": 6, "back": 4, "back_norm": 4, "classes": 4}),
        (
            separable,
            {
                "stem": 4,
                "stem_norm": 4,
                "depthwise": 8,
                "depthwise_norm": 8,
                "pointwise": 6,
                "separable": 3,
                "classes": 4,
            },
        ),
        (branches, {"left": 3, "right": 5, "gate": 5, "after": 5, "classes": 4}),
        (flattened, {"first": 4, "bent": 4, "hidden": 8, "classes": 4}),
    ],
)
def test_half_of_the_channels_goes_and_the_ends_keep_their_shape(network, expected):
    model = randomised(network())
    pruned = prune_channels(model, keep=0.5)
    assert widths(pruned) == expected
    assert (pruned.input_shape, pruned.output_shape) == (model.input_shape, model.output_shape)
    assert pruned.name == model.name
    assert pruned.count_params() < 0.65 * model.count_params()


@pytest.mark.parametrize("network", ALL)
def test_the_given_model_is_left_as_it_is(network):
    model = randomised(network())
    before, nodes = weights_of(model), [len(layer._inbound_nodes) for layer in model.layers]
    pruned = prune_channels(model)
    pruned.compile("sgd", "mse", run_eagerly=True)
    inputs = inputs_for(model)
    pruned.fit(inputs, [np.zeros_like(values) for values in outputs_of(pruned, inputs)], verbose=0)
    assert same(weights_of(model), before)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


@pytest.mark.parametrize("network", ALL)
def test_keeping_all_changes_nothing(network):
    model = randomised(network())
    inputs = inputs_for(model)
    assert same(outputs_of(prune_channels(model, keep=1.0), inputs), outputs_of(model, inputs))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15 with numpy 2.4
def test_a_pruned_model_is_saved_and_loaded_like_any_other(tmp_path):
    pruned = prune_channels(randomised(residual()))
    pruned.save(tmp_path / "pruned.keras")
    inputs = inputs_for(pruned)
    assert same(outputs_of(keras.models.load_model(tmp_path / "pruned.keras"), inputs), outputs_of(pruned, inputs))


def test_a_channel_that_the_normalisation_makes_small_goes_however_large_its_filter():
    model = randomised(residual())
    kernel, gamma = model.get_layer("inner").kernel, model.get_layer("inner_norm").gamma
    kernel.assign(np.where(np.arange(12) < 6, 5.0, 0.1) * np.sign(kernel.numpy()))
    gamma.assign(np.where(np.arange(12) < 6, 1e-4, 1.0))
    pruned = prune_channels(model, keep={"inner": 0.5})
    assert np.abs(pruned.get_layer("inner_norm").gamma.numpy()).min() == 1.0


def test_tied_layers_are_judged_together():
    model = randomised(residual())
    for name, small in (("stem", [0, 1, 2]), ("back", [2, 3, 4])):
        kernel = model.get_layer(name).kernel
        values = np.ones_like(kernel.numpy())
        values[..., small] = 1e-3
        kernel.assign(values)
        gamma = model.get_layer(f"{name}_norm").gamma
        gamma.assign(np.ones(8))
        model.get_layer(f"{name}_norm").moving_variance.assign(np.ones(8))
    pruned = prune_channels(model, keep={"stem": 7 / 8})
    for name, still_small in (("stem", 2), ("back", 2)):
        assert (pruned.get_layer(name).kernel.numpy()[0, 0, 0] < 0.5).sum() == still_small


def joined_unevenly():
    """Six channels and two, side by side, tied to eight."""
    image = keras.Input(IMAGE)
    parts = [layers.Conv2D(count, 1, name=f"of_{count}")(image) for count in (6, 2, 8)]
    joined = layers.Add()([layers.Concatenate()(parts[:2]), parts[2]])
    return keras.Model(image, layers.Dense(3, name="classes")(layers.GlobalMaxPooling2D()(joined)))


def test_no_layer_is_left_without_channels():
    model = randomised(joined_unevenly())
    model.get_layer("of_2").kernel.assign(np.full((1, 1, 3, 2), 1e-6))
    model.get_layer("of_8").kernel.assign(np.array([1.0] * 6 + [1e-6] * 2) * np.ones((1, 1, 3, 8)))
    pruned = prune_channels(model, keep=0.5)
    assert widths(pruned) == {"of_6": 4, "of_2": 1, "of_8": 5, "classes": 3}


@keras.saving.register_keras_serializable("tests")
class Mixing(keras.layers.Layer):
    """A layer of one's own, which is not known to leave channels alone."""

    def build(self, input_shape):
        self.mix = self.add_weight(shape=(input_shape[-1], input_shape[-1]), name="mix")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.mix)


@keras.saving.register_keras_serializable("tests")
def centred(values):
    return values - keras.ops.mean(values, axis=-1, keepdims=True)


STOPS = {
    "a layer of one's own": Mixing,
    "a reshape": lambda: layers.Reshape((32, 16)),
    "a recurrent layer": lambda: keras.Sequential([layers.Reshape((64, 8)), layers.SimpleRNN(5)]),
    "a normalisation over channels": layers.LayerNormalization,
    "a softmax": layers.Softmax,
    "an activation that needs all channels": lambda: layers.Activation("softmax"),
    "an activation of one's own": lambda: layers.Activation(centred),
    "a grouped convolution": lambda: layers.Conv2D(8, 1, groups=4),
    "a normalisation over rows": lambda: layers.BatchNormalization(axis=1),
}


@pytest.mark.parametrize("stop", STOPS)
def test_what_is_not_known_keeps_its_channels_and_the_rest_is_pruned(stop):
    image = keras.Input(IMAGE)
    free = layers.Conv2D(6, 1, activation="relu", name="free")(image)
    bound = layers.Conv2D(8, 1, name="bound")(free)
    behind = layers.Flatten()(STOPS[stop]()(bound))
    hidden = layers.Dense(10, activation="relu", name="hidden")(behind)
    model = randomised(keras.Model(image, layers.Dense(3, name="classes")(hidden)))
    pruned = prune_channels(model, keep=0.5)
    found = widths(pruned)
    assert (found["free"], found["bound"], found["hidden"], found["classes"]) == (3, 8, 5, 3)
    inputs = inputs_for(model)
    assert close(outputs_of(prune_channels(model, keep=1.0), inputs), outputs_of(model, inputs), 1e-6)


def test_a_convolution_that_ends_in_a_softmax_keeps_its_channels_and_prunes_its_inputs():
    image = keras.Input(IMAGE)
    free = layers.Conv2D(6, 1, name="free")(image)
    bound = layers.Conv2D(8, 1, activation="softmax", name="bound")(free)
    model = keras.Model(image, layers.Conv2D(2, 1, name="last")(bound))
    assert widths(prune_channels(model)) == {"free": 3, "bound": 8, "last": 2}


def test_sums_and_products_written_as_operators_are_understood():
    image = keras.Input(IMAGE)
    one, other = (layers.Conv2D(8, 1, name=name)(image) for name in ("one", "other"))
    model = randomised(keras.Model(image, layers.Conv2D(2, 1, name="last")((one + other) * 0.5)))
    assert widths(prune_channels(model)) == {"one": 4, "other": 4, "last": 2}
    scaled = keras.Model(image, layers.Conv2D(2, 1, name="last")((one + other) * np.arange(8.0)))
    with pytest.raises(UsageError, match="no channels can be pruned"):
        prune_channels(scaled)


def test_a_single_channel_that_gates_all_others_stays():
    image = keras.Input(IMAGE)
    gate = layers.Conv2D(1, 1, activation="sigmoid", name="gate")(image)
    gated = layers.Multiply()([layers.Conv2D(8, 1, name="gated")(image), gate])
    model = randomised(keras.Model(image, layers.Conv2D(2, 1, name="last")(gated)))
    assert widths(prune_channels(model)) == {"gate": 1, "gated": 4, "last": 2}


def test_other_kinds_of_convolutions_are_pruned_too():
    signal = keras.Input((16, 4))
    first = layers.DepthwiseConv1D(3, name="depthwise")(layers.Conv1D(6, 3, name="first")(signal))
    up = layers.Conv1DTranspose(8, 2, strides=2, name="up")(layers.SeparableConv1D(4, 3, name="separable")(first))
    model = randomised(keras.Model(signal, layers.Dense(2, name="last")(layers.UpSampling1D(2)(up))))
    silence(model, {"up": [0, 2], "separable": [3]})
    pruned = prune_channels(model, keep={"up": 6 / 8, "separable": 3 / 4})
    assert widths(pruned) == {"first": 6, "depthwise": 6, "separable": 3, "up": 8, "last": 2} | {"up": 6}
    pruned = prune_channels(model, keep={"first": 0.5})
    assert widths(pruned) == {"first": 3, "depthwise": 3, "separable": 4, "up": 8, "last": 2}


def test_transposed_filters_are_sliced_along_their_own_axes():
    image = keras.Input((4, 4, 3))
    up = layers.Conv2DTranspose(8, 2, strides=2, use_bias=False, name="up")(layers.Conv2D(6, 1, name="down")(image))
    model = randomised(keras.Model(image, layers.Conv2D(2, 1, name="last")(up)))
    kernel = model.get_layer("up").kernel
    values = kernel.numpy()
    values[:, :, [1, 5], :] = 0
    kernel.assign(values)
    pruned = prune_channels(model, keep={"up": 6 / 8})
    inputs = inputs_for(model)
    assert close(outputs_of(pruned, inputs), outputs_of(model, inputs), 1e-6)


def test_a_layer_that_is_called_twice_has_one_set_of_channels():
    image = keras.Input(IMAGE)
    shared = layers.Conv2D(8, 1, name="shared")
    feeds = [layers.Conv2D(6, 1, name=name)(image) for name in ("one", "other")]
    joined = layers.Concatenate()([shared(feed) for feed in feeds])
    model = randomised(keras.Model(image, layers.Conv2D(2, 1, name="last")(joined)))
    pruned = prune_channels(model)
    assert widths(pruned) == {"one": 3, "other": 3, "shared": 4, "last": 2}
    assert pruned.get_layer("last").kernel.shape == (1, 1, 8, 2)


def test_a_nested_model_is_pruned_with_the_model_around_it():
    backbone = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(8, 3, name="inside")], name="backbone")
    image = keras.Input(IMAGE)
    pooled = layers.GlobalAveragePooling2D()(backbone(image, training=False))
    model = randomised(keras.Model(image, layers.Dense(3, name="classes")(pooled)))
    pruned = prune_channels(model)
    assert widths(pruned) == {"inside": 4, "classes": 3}
    assert pruned.get_layer("classes").kernel.shape == (4, 3)


def test_several_inputs_and_outputs_keep_their_names():
    given = {name: keras.Input((8,), name=name) for name in ("left", "right")}
    hidden = layers.Dense(10, name="hidden")(layers.Concatenate()([given["left"], given["right"]]))
    model = randomised(keras.Model(given, {"sum": layers.Dense(2)(hidden), "difference": layers.Dense(3)(hidden)}))
    pruned = prune_channels(model)
    answer = pruned({name: np.ones((1, 8), np.float32) for name in given})
    assert {name: tuple(values.shape) for name, values in answer.items()} == {"sum": (1, 2), "difference": (1, 3)}
    assert pruned.get_layer("hidden").units == 5


def test_shares_are_given_by_layer_name_and_of_tied_layers_the_largest_counts():
    model = randomised(residual())
    assert widths(prune_channels(model, keep={"inner": 0.25}))["inner"] == 3
    assert widths(prune_channels(model, keep={"inner": 0.25}))["stem"] == 8
    assert widths(prune_channels(model, keep={"stem": 0.25, "back": 0.5}))["stem"] == 4


def test_numbers_of_channels_are_rounded_up_to_a_multiple():
    pruned = prune_channels(randomised(residual()), keep=0.3, multiple_of=4)
    assert (widths(pruned)["stem"], widths(pruned)["inner"]) == (4, 4)
    assert widths(prune_channels(randomised(branches()), keep=0.9, multiple_of=4))["left"] == 6


@pytest.mark.parametrize(
    ("options", "summary", "hint"),
    [
        ({"keep": 0.0}, "keep=0 of the channels", "a share above 0, such as 0.5, and at most 1"),
        ({"keep": {"stem": 1.5}}, "keep=1.5 of the channels", "a share above 0, such as 0.5, and at most 1"),
        (
            {"keep": {"step": 0.5}},
            "no layer 'step' whose channels could be pruned",
            "keep can name: stem, inner, back, classes",
        ),
        ({"multiple_of": 0}, "channels in multiples of 0", "multiple_of is 1 or more"),
    ],
)
def test_figures_out_of_range_are_told(options, summary, hint):
    with pytest.raises(UsageError) as raised:
        prune_channels(residual(), **options)
    assert (raised.value.summary, raised.value.hint) == (summary, hint)


def test_a_network_that_is_all_ends_cannot_be_pruned():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(UsageError) as raised:
        prune_channels(model)
    assert raised.value.summary == "no channels can be pruned"
    assert raised.value.hint == "all are tied to the inputs, the outputs, or a layer whose use of channels is not known"
