"""MobileNetV2 for 96x96 images, alpha 0.35, as a Keras file: a real network with weights that keep its signals alive.

    python mobilenet.py FILE

The weights are random. What makes their statistics realistic is that the batch normalisations know what really comes
in: the moving means and variances are those of a batch, as training leaves them; scales and offsets vary by channel.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np

SIZE = 96
CLASSES = 10


def images(count: int, seed: int) -> np.ndarray:
    """Smooth noise of shape (count, 96, 96, 3) from -1 to 1: like photographs, neighbours are alike."""
    draw = np.random.default_rng(seed)
    coarse = draw.uniform(-1, 1, (count, 12, 12, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + draw.normal(0, 0.1, coarse.shape), -1, 1).astype(np.float32)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha=0.35, weights=None, classes=CLASSES, classifier_activation="softmax"
    )
    draw = np.random.default_rng(0)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0  # the moving figures become those of the next batch
        norm.gamma.assign(draw.uniform(0.5, 1.5, norm.gamma.shape))
        norm.beta.assign(draw.normal(0, 0.3, norm.beta.shape))
    model(images(32, seed=1), training=True)
    dense = model.layers[-1]
    dense.kernel.assign(draw.normal(0, 2 / np.sqrt(dense.kernel.shape[0]), dense.kernel.shape))
    return model


if __name__ == "__main__":
    network().save(sys.argv[1])
