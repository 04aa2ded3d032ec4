"""Trains a small CNN on scikit-learn's digits and writes it as a full int8 .tflite, with 100 test images.

    pip install "tensorflow>=2.21,<2.22" scikit-learn tflite-micro
    python train.py

Takes about half a minute on two CPU cores. It is seeded: the same versions on one machine give the same files.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Read when TensorFlow is imported: no start-up chatter, and no oneDNN kernels, whose sums depend on the CPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tflite_micro.python.tflite_micro import runtime

SEED = 1
EPOCHS = 60
SAMPLES = 100
HERE = Path(__file__).resolve().parent

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Quantized = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Data:
    """Images of shape (n, 8, 8, 1), values from 0 to 1; the test images are used for nothing but testing."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def load() -> Data:
    """Splits the 1797 images four to one, with every class in the same proportion on both sides."""
    images, labels = load_digits(return_X_y=True)
    scaled = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=SEED)
    return Data(
        train_images=scaled[train],
        train_labels=labels[train],
        test_images=scaled[test],
        test_labels=labels[test],
    )


def build() -> keras.Model:
    """A convolution, two depthwise separable blocks, a classifier: 42 thousand multiply-accumulates."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="images"),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            *_separable(32),
            *_separable(32),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10),
            layers.Softmax(),
        ],
        name="digits",
    )


def _separable(channels: int) -> list[keras.Layer]:
    layers = keras.layers
    return [
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(channels, 1, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]


def train(model: keras.Model, data: Data) -> None:
    """A fixed schedule, so that nothing is chosen by looking at the test images."""
    batch = 32
    steps = EPOCHS * -(-len(data.train_images) // batch)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(data.train_images, data.train_labels, batch_size=batch, epochs=EPOCHS, verbose=0)


def quantize(model: keras.Model, calibration: Images) -> bytes:
    """Full int8, inputs and outputs included, with the batch fixed at 1 as microcontrollers need it."""

    def representative() -> Iterator[list[Images]]:
        for image in calibration:
            yield [image[np.newaxis]]

    images = keras.Input(batch_shape=(1, 8, 8, 1), name="images")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(images, model(images)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):  # a page of tensor specifications
        return bytes(converter.convert())


def to_int8(images: Images, flatbuffer: bytes) -> Quantized:
    """The images in the model's own units: what the board receives, byte for byte."""
    interpreter = Interpreter(model_content=flatbuffer)
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    return np.clip(np.round(images / scale) + zero_point, -128, 127).astype(np.int8)


def litert(flatbuffer: bytes) -> Callable[[Quantized], Quantized]:
    """One inference by LiteRT's reference kernels."""
    interpreter = Interpreter(model_content=flatbuffer, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def infer(image: Quantized) -> Quantized:
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(sink))

    return infer


def tflite_micro(flatbuffer: bytes) -> Callable[[Quantized], Quantized]:
    """One inference by TensorFlow Lite Micro, which is what a board is compared with."""
    interpreter = runtime.Interpreter.from_bytes(flatbuffer)

    def infer(image: Quantized) -> Quantized:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0))

    return infer


def main() -> None:
    """Trains, converts, prints the accuracy of each form of the model, writes the two files."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    data = load()
    model = build()
    train(model, data)
    flatbuffer = quantize(model, data.train_images)
    test_int8 = to_int8(data.test_images, flatbuffer)

    def report(name: str, classes: Labels) -> None:
        right = classes == data.test_labels
        print(
            f"{name:<22} {right.mean():7.2%} of {len(right)} held-out images, "
            f"{right[:SAMPLES].mean():4.0%} of the first {SAMPLES}"
        )

    print(f"{len(data.train_images)} images to train, {len(flatbuffer)} bytes of int8 model")
    report("float, Keras", model.predict(data.test_images, verbose=0).argmax(axis=1))
    for name, infer in (
        ("int8, LiteRT", litert(flatbuffer)),
        ("int8, tflite-micro", tflite_micro(flatbuffer)),
    ):
        report(name, np.array([infer(image[np.newaxis]).argmax() for image in test_int8]))

    # The split is shuffled, so the first images of the held-out set are as good as any.
    (HERE / "digits_int8.tflite").write_bytes(flatbuffer)
    np.savez_compressed(
        HERE / "digits_test.npz",
        images=test_int8[:SAMPLES],
        labels=data.test_labels[:SAMPLES].astype(np.uint8),
    )


if __name__ == "__main__":
    main()
