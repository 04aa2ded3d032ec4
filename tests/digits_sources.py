"""One small digits network, with the same weights, as a model of every format that can be converted.

    python digits_sources.py FORMAT FOLDER     prints the path of what it made, for images of shape (n, 8, 8, 1)
    python digits_sources.py train             makes digits_weights.npz anew (needs TensorFlow and scikit-learn)

The formats are `FORMATS`. PyTorch and ONNX take (1, 1, 8, 8). The frameworks are imported by this program only, never
by the tests: `make` runs it.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "digits_weights.npz"  # conv1 (3, 3, 1, 8), conv2 (3, 3, 8, 16), dense (16, 10), each with a bias
INPUT = "image"

# What each needs to be made; what it needs to be converted is more.
FORMATS = {
    "keras": ("tensorflow", "keras"),
    "h5": ("tensorflow", "keras"),
    "export": ("tensorflow", "keras"),
    "saved_model": ("tensorflow", "keras"),
    "legacy_h5": ("tensorflow", "tf_keras"),
    "legacy_saved_model": ("tensorflow", "tf_keras"),
    "torch": ("torch",),
    "torch_dynamic": ("torch",),
    "onnx": ("onnx",),
    "onnx_dynamic": ("onnx",),
}


def require(*modules: str) -> None:
    """Skips the test where one of these is not installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def make(kind: str, folder: Path) -> Path:
    """The network in this format, made by a process of its own; skips the test where its framework is not installed."""
    import warm  # which the program itself does not need

    require(*FORMATS[kind])
    python = warm.interpreter(*warm.OF_FRAMEWORKS.get(FORMATS[kind][0], ()))
    done = subprocess.run([python, "-P", __file__, kind, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return Path(done.stdout.splitlines()[-1])


def logits(images: np.ndarray) -> np.ndarray:
    """What the network computes for images (n, 8, 8, 1), in numpy."""
    with np.load(WEIGHTS) as weights:
        x = np.maximum(_convolved(np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), weights, "conv1"), 0.0)
        x = x.reshape(len(x), 4, 2, 4, 2, -1).max(axis=(2, 4))
        x = np.maximum(_convolved(x, weights, "conv2"), 0.0)
        return x.mean(axis=(1, 2)) @ weights["dense_w"] + weights["dense_b"]


def _convolved(x: np.ndarray, weights: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    kernel = weights[f"{name}_w"]
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel) + weights[f"{name}_b"]


def keras_model(keras, *, weights: bool = True):
    layers = keras.layers
    inputs = keras.Input((8, 8, 1), name=INPUT)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(16, 3, activation="relu", name="conv2")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(inputs, layers.Dense(10, name="logits")(x), name="digits")
    if weights:
        with np.load(WEIGHTS) as stored:
            for layer, name in (("conv1", "conv1"), ("conv2", "conv2"), ("logits", "dense")):
                model.get_layer(layer).set_weights([stored[f"{name}_w"], stored[f"{name}_b"]])
    return model


def torch_model():
    import torch

    class Digits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch.nn.Conv2d(1, 8, 3, padding=1)
            self.conv2 = torch.nn.Conv2d(8, 16, 3)
            self.dense = torch.nn.Linear(16, 10)

        def forward(self, image):
            x = torch.nn.functional.max_pool2d(torch.relu(self.conv1(image)), 2)
            return self.dense(torch.relu(self.conv2(x)).mean(dim=(2, 3)))

    model = Digits().eval()
    with np.load(WEIGHTS) as stored, torch.no_grad():
        for name in ("conv1", "conv2", "dense"):
            layer, kernel = getattr(model, name), stored[f"{name}_w"]
            layer.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy() if kernel.ndim == 4 else kernel.T))
            layer.bias.copy_(torch.from_numpy(stored[f"{name}_b"]))
    return model


def onnx_model(batch):
    import onnx
    from onnx import helper, numpy_helper

    with np.load(WEIGHTS) as stored:
        values = {
            name: np.ascontiguousarray(value.transpose(3, 2, 0, 1)) if value.ndim == 4 else value
            for name, value in stored.items()
        }
    nodes = [
        helper.make_node("Conv", [INPUT, "conv1_w", "conv1_b"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "conv2_w", "conv2_b"], ["c2"], name="conv2"),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["g"], name="mean"),
        helper.make_node("Flatten", ["g"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "dense_w", "dense_b"], ["logits"], name="dense"),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, (batch, 1, 8, 8))],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, (batch, 10))],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _make(kind: str, folder: Path) -> Path:
    if kind.startswith("torch"):
        import torch

        batch = 2 if kind == "torch_dynamic" else 1
        shapes = {"image": {0: torch.export.Dim("batch")}} if batch == 2 else None
        program = torch.export.export(torch_model(), (torch.rand(batch, 1, 8, 8),), dynamic_shapes=shapes)
        torch.export.save(program, path := folder / "digits.pt2")
    elif kind.startswith("onnx"):
        import onnx

        onnx.save(onnx_model("N" if kind == "onnx_dynamic" else 1), path := folder / "digits.onnx")
    elif kind.startswith("legacy"):
        import tensorflow as tf
        import tf_keras

        if kind == "legacy_h5":
            keras_model(tf_keras).save(path := folder / "digits.h5")
        else:
            tf.saved_model.save(keras_model(tf_keras), str(path := folder / "digits"))
    else:
        import keras
        import tensorflow as tf

        model, path = keras_model(keras), folder / {"keras": "digits.keras", "h5": "digits.h5"}.get(kind, "digits")
        if kind == "export":
            model.export(str(path), verbose=False)
        elif kind == "saved_model":
            tf.saved_model.save(model, str(path))
        else:
            model.save(path)
    return path


def _train() -> None:
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    keras.utils.set_random_seed(1)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=1)
    model = keras_model(keras, weights=False)
    model.compile(
        keras.optimizers.Adam(0.005),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=32, epochs=60, verbose=0)
    sys.stderr.write(f"{model.evaluate(x_test, y_test, verbose=0)}\n")
    named = {}
    for layer, name in (("conv1", "conv1"), ("conv2", "conv2"), ("logits", "dense")):
        named[f"{name}_w"], named[f"{name}_b"] = model.get_layer(layer).get_weights()
    np.savez(WEIGHTS, **named)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        _train()
    else:
        sys.stdout.write(f"{_make(sys.argv[1], Path(sys.argv[2]))}\n")
