"""Compresses the network of ../digits in four ways, deploys each result to a virtual Cortex-M4, and prints a table.

    pip install "tinydeploy[convert]" scikit-learn
    python compress_digits.py

Takes four to five minutes on two CPU cores. It is seeded: the same versions on one machine print the same table.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Read when TensorFlow is imported: no start-up chatter, and no oneDNN kernels, whose sums depend on the CPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "digits")]

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from table import Row, save, table
from train import Data, build, load

from tinydeploy import pipeline
from tinydeploy.compress import deflated_bytes, distill, prune_channels, prune_magnitude, quantize_aware, sparsity
from tinydeploy.convert.quantize import QuantizationSettings
from tinydeploy.deployment import Target

BOARD = "qemu-cortex-m4"
LOSS = "sparse_categorical_crossentropy"
BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to train, as a ``share`` of what a full run does, and the ``seed`` of every random choice."""

    seed: int = 1
    share: float = 1.0

    def epochs(self, full: int) -> int:
        """That many in a full run, and at least one."""
        return max(1, round(full * self.share))


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A model to be converted and deployed; its weights have a scale for each output channel, or one for all."""

    name: str
    model: keras.Model
    per_channel: bool = True


def train(model: keras.Model, data: Data, epochs: int, rate: float = 5e-3) -> keras.Model:
    """Trains in place with a fixed schedule, so that nothing is chosen by looking at the test images."""
    steps = epochs * -(-len(data.train_images) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), loss=LOSS)
    model.fit(data.train_images, data.train_labels, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def student(seed: int) -> keras.Model:
    """Two strided convolutions and a classifier: 1 thousand parameters, 9 thousand multiply-accumulates."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="images"),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
            layers.Softmax(),
        ],
        name="student",
    )


def unlabelled(images: npt.NDArray[np.float32], seed: int, times: int = 4) -> npt.NDArray[np.float32]:
    """The images, and blends of two of them each: nobody can label those but the teacher."""
    random = np.random.default_rng(seed)
    blends = [images]
    for _ in range(times - 1):
        share = random.uniform(0, 1, (len(images), 1, 1, 1)).astype(np.float32)
        blends.append(share * images + (1 - share) * images[random.permutation(len(images))])
    return np.concatenate(blends)


def badly_scaled(baseline: keras.Model, seed: int) -> keras.Model:
    """The same function in floats, with the channels of the first layer up to a thousandfold apart.

    What the normalisation multiplies a channel with, the next filter divides it by; the ReLU and the pooling between
    them let it through. Such spreads come about by themselves in networks with depthwise convolutions: M. Nagel et al.:
    Data-free quantization through weight equalization and bias correction, 2019, arXiv:1906.04721.
    """
    scaled = keras.models.clone_model(baseline)
    scaled.set_weights(baseline.get_weights())
    (norm, *_), (filters, *_) = (
        [layer for layer in scaled.layers if isinstance(layer, kind)]
        for kind in (keras.layers.BatchNormalization, keras.layers.DepthwiseConv2D)
    )
    factors = 10 ** np.random.default_rng(seed).uniform(-1.5, 1.5, norm.gamma.shape)
    norm.gamma.assign(norm.gamma.numpy() * factors)
    norm.beta.assign(norm.beta.numpy() * factors)
    filters.kernel.assign(filters.kernel.numpy() / factors[:, np.newaxis])
    return scaled


def variants(data: Data, effort: Effort) -> Iterator[Variant]:
    """The network as it was trained, and what each technique makes of it."""
    seed, epochs = effort.seed, effort.epochs
    x, y = data.train_images, data.train_labels
    keras.utils.set_random_seed(seed)
    baseline = train(build(), data, epochs(60))
    yield Variant(name="baseline", model=baseline)

    pruned = prune_magnitude(baseline, x, y, sparsity=0.7, epochs=epochs(20), loss=LOSS, batch_size=BATCH, seed=seed)
    yield Variant(name="magnitude pruning, 70 %", model=pruned)

    half = prune_channels(baseline, keep=0.5)
    keras.utils.set_random_seed(seed)
    yield Variant(name="channel pruning, half", model=train(half, data, epochs(30)))

    # Both take as many steps from the same start: 60 epochs of the images are 15 of four times as many.
    adam = keras.optimizers.Adam(3e-3)
    taught = distill(
        student(seed), baseline, unlabelled(x, seed), alpha=1.0, epochs=epochs(15), optimizer=adam, batch_size=BATCH
    )
    alone = student(seed)
    alone.compile(adam, loss=LOSS)
    alone.fit(x, y, batch_size=BATCH, epochs=epochs(60), verbose=0)
    yield Variant(name="student, labels alone", model=alone)
    yield Variant(name="student, distilled", model=taught)

    aware = quantize_aware(baseline, x, y, epochs=epochs(5), loss=LOSS, batch_size=BATCH, seed=seed)
    yield Variant(name="quantisation-aware", model=aware)
    spread = badly_scaled(baseline, seed)
    yield Variant(name="badly scaled, per tensor", model=spread, per_channel=False)
    adam = keras.optimizers.Adam(5e-4)
    aware = quantize_aware(
        spread, x, y, epochs=epochs(20), per_channel=False, optimizer=adam, loss=LOSS, batch_size=BATCH, seed=seed
    )
    yield Variant(name="the same, quantisation-aware", model=aware, per_channel=False)


def measure(variant: Variant, data: Data, folder: Path) -> Row:
    """Converts a variant and deploys it; all held-out images go to the board."""
    path = folder / "model.tflite"
    settings = QuantizationSettings(per_channel=variant.per_channel)
    pipeline.convert(variant.model, path, samples=data.train_images, settings=settings)
    deployment = pipeline.flash(
        path, Target(board=BOARD), samples={"images": data.test_images, "labels": data.test_labels}
    )
    accuracy, image = deployment.comparison.accuracy, deployment.image
    if accuracy is None or image is None:
        raise RuntimeError("the labels did not arrive")
    classes = variant.model.predict(data.test_images, verbose=0).argmax(axis=1)
    return Row(
        variant=variant.name,
        images=len(data.test_images),
        float_right=int((classes == data.test_labels).sum()),
        int8_right=accuracy.device_correct,
        exact=deployment.comparison.exact,
        parameters=variant.model.count_params(),
        zeros=sparsity(variant.model),
        tflite_bytes=path.stat().st_size,
        deflated_bytes=deflated_bytes(path.read_bytes()),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes,
        arena_bytes=deployment.plan.engine.arena_bytes,
        instructions=round(deployment.latency.per_inference),
    )


def run(effort: Effort) -> list[Row]:
    """All rows, in order."""
    tf.config.experimental.enable_op_determinism()
    data, rows, begin = load(), [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for variant in variants(data, effort):
            rows.append(measure(variant, data, Path(folder)))
            print(f"{time.monotonic() - begin:4.0f} s  {variant.name}", file=sys.stderr)
    return rows


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of every random choice (1)")
    parser.add_argument("--quick", action="store_true", help="train hardly at all, to see whether everything works")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    given = parser.parse_args()
    rows = run(Effort(seed=given.seed, share=0.02 if given.quick else 1.0))
    print(table(rows))
    if given.json:
        save(rows, given.json)


if __name__ == "__main__":
    main()
