"""Small Keras models, one for each way in which layers depend on each other's channels."""

import numpy as np
from keras_here import keras

layers = keras.layers
IMAGE = (8, 8, 3)


def normalised(tensor, name):
    return layers.BatchNormalization(name=name)(tensor)


def residual():
    """A block whose shortcut ties two convolutions to each other, and a classifier behind an average."""
    image = keras.Input(IMAGE, name="image")
    stem = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(image)
    trunk = layers.ReLU()(normalised(stem, "stem_norm"))
    inner = layers.Conv2D(12, 3, padding="same", name="inner")(trunk)
    inner = layers.ReLU()(normalised(inner, "inner_norm"))
    back = normalised(layers.Conv2D(8, 3, padding="same", name="back")(inner), "back_norm")
    joined = layers.Activation("relu")(layers.Add()([trunk, back]))
    classes = layers.Dense(4, activation="softmax", name="classes")(layers.GlobalAveragePooling2D()(joined))
    return keras.Model(image, classes, name="residual")


def separable():
    """A stem, a depthwise filter and a pointwise one, and Keras's own separable convolution."""
    return keras.Sequential(
        [
            keras.Input(IMAGE, name="image"),
            layers.Conv2D(8, 3, padding="same", name="stem"),
            layers.BatchNormalization(name="stem_norm"),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise"),
            layers.BatchNormalization(name="depthwise_norm"),
            layers.ReLU(6.0),
            layers.Conv2D(12, 1, name="pointwise"),
            layers.MaxPooling2D(2),
            layers.SeparableConv2D(6, 3, activation="relu", depth_multiplier=3, name="separable"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="classes"),
        ],
        name="separable",
    )


def branches():
    """Two branches side by side, one of which is gated by what comes out of the other."""
    image = keras.Input(IMAGE, name="image")
    left = layers.Conv2D(6, 3, padding="same", activation="relu", name="left")(image)
    right = layers.Conv2D(10, 1, activation="tanh", name="right")(image)
    gate = layers.Conv2D(10, 1, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D(keepdims=True)(left))
    joined = layers.Concatenate()([left, layers.Multiply()([right, gate])])
    after = layers.Conv2D(5, 3, strides=2, name="after")(joined)
    return keras.Model(image, [layers.Dense(4, name="classes")(layers.Flatten()(after)), after], name="branches")


def flattened():
    """A convolution in one dimension whose output is flattened."""
    return keras.Sequential(
        [
            keras.Input((20, 3), name="signal"),
            layers.ZeroPadding1D(1),
            layers.Conv1D(8, 3, name="first"),
            layers.PReLU(name="bent"),
            layers.AveragePooling1D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(4, activation="softmax", name="classes"),
        ],
        name="flattened",
    )


ALL = (residual, separable, branches, flattened)


def randomised(model, seed=0):
    """The model with all weights random, normalisations too: what has not been trained hides mistakes."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        values = random.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(values) + 0.5 if variable.name == "moving_variance" else values)
    return model


def inputs_for(model, count=5, seed=1):
    return np.random.default_rng(seed).normal(0, 1, (count, *model.input_shape[1:])).astype(np.float32)


def outputs_of(model, inputs):
    return [np.asarray(values) for values in keras.tree.flatten(model(inputs, training=False))]


def weights_of(model):
    return [np.array(values) for values in model.get_weights()]


def same(some, others):
    return len(some) == len(others) and all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def close(some, others, tolerance=1e-5):
    """Equal but for the order in which floats are summed."""
    return len(some) == len(others) and all(
        one.shape == other.shape and np.abs(one - other).max() <= tolerance
        for one, other in zip(some, others, strict=True)
    )


def blobs(count=256, seed=0):
    """Points of three classes around three corners, of shape (count, 2), and their classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    corners = np.array([[0, 0], [3, 0], [0, 3]])
    return (corners[labels] + random.normal(0, 0.5, (count, 2))).astype(np.float32), labels


def classifier(hidden=16, *, softmax=True, seed=0):
    keras.utils.set_random_seed(seed)
    ending = [layers.Softmax()] if softmax else []
    return keras.Sequential(
        [
            keras.Input((2,), name="point"),
            layers.Dense(hidden, activation="relu", name="hidden"),
            layers.Dense(3, name="classes"),
            *ending,
        ],
        name="classifier",
    )
