"""Models that are hard to convert, or cannot be, one file or folder each.

    python odd_sources.py GROUP FOLDER     makes all of a group: keras, tf_keras, torch, onnx

The frameworks are imported by this program only, never by the tests: `make_all` runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def make_all(group: str, folder: Path, *, python: Path) -> Path:
    done = subprocess.run([python, "-P", __file__, group, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def _keras(folder: Path) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    layers = keras.layers

    def save(name, inputs, outputs):
        model = keras.Model(inputs, outputs)
        model.save(folder / f"{name}.keras")
        return model

    def sequence():
        return keras.Input((8, 4), name="sequence")

    x = sequence()
    save("lstm", x, layers.LSTM(3, name="memory")(x)).export(str(folder / "lstm_saved_model"), verbose=False)
    x = sequence()
    save("gru", x, layers.Bidirectional(layers.GRU(3, name="memory"), name="both")(x))
    x = sequence()
    save("unrolled", x, layers.Dense(2)(layers.LSTM(3, unroll=True, name="memory")(x)))
    x = keras.Input((None, 4), name="sequence")
    save("open", x, layers.GlobalAveragePooling1D()(x))
    x = keras.Input(batch_shape=(4, 8), name="row")
    save("batch4", x, layers.Dense(2)(x))
    a, b = keras.Input((4,), name="zeta"), keras.Input((8, 8, 1), name="alpha")
    image = layers.Conv2D(2, 3, name="convolved")(b)
    sums = layers.Dense(3, name="sums")(layers.Concatenate()([a, layers.Flatten()(image)]))
    save("several", [a, b], [sums, image])
    x = keras.Input((4,), name="row")
    save("lambda", x, layers.Lambda(lambda v: v * 2, output_shape=(4,), name="doubled")(x))

    @keras.saving.register_keras_serializable(package="mine")
    class Tripled(layers.Layer):
        def call(self, values):
            return values * 3

    save("own", x, Tripled(name="tripled")(x)).export(str(folder / "own_saved_model"), verbose=False)

    class Inverse(layers.Layer):
        def call(self, values):
            return tf.math.erfinv(values)

    keras.Model(x, Inverse(name="inverse")(x)).export(str(folder / "unsupported"), verbose=False)
    module = tf.Module()
    module.one = tf.function(lambda row: row + tf.random.normal((1, 4)), input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, str(folder / "noisy"), signatures=module.one)
    module.two = tf.function(lambda row: row * 2, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, str(folder / "two"), signatures={"first": module.one, "second": module.two})
    tf.saved_model.save(module, str(folder / "one_named"), signatures={"second": module.two})
    tf.saved_model.save(module, str(folder / "none"))
    module.text = tf.function(tf.strings.length, input_signature=[tf.TensorSpec((None,), tf.string)])
    tf.saved_model.save(module, str(folder / "text"), signatures=module.text)
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save_weights(folder / "only.weights.h5")


def _tf_keras(folder: Path) -> None:
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    x = tf_keras.Input((8, 4), name="sequence")
    model = tf_keras.Model(x, tf_keras.layers.Dense(2, name="end")(tf_keras.layers.LSTM(3, name="memory")(x)))
    model.save(folder / "lstm.h5")
    model.save(folder / "lstm.keras")
    tf.saved_model.save(model, str(folder / "lstm"))
    gru = tf_keras.Model(x, tf_keras.layers.GRU(3, name="memory")(x))
    gru.save(folder / "gru.h5")
    x = tf_keras.Input((4,), name="row")
    tf_keras.Model(x, tf_keras.layers.Lambda(lambda v: v * 2, name="doubled")(x)).save(folder / "lambda.h5")


def _torch(folder: Path) -> None:
    import torch

    def save(name, module, *examples, shapes=None):
        torch.export.save(torch.export.export(module, examples, dynamic_shapes=shapes), folder / f"{name}.pt2")

    class Function(torch.nn.Module):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def forward(self, *tensors):
            return self.function(*tensors)

    class Nested(torch.nn.Module):
        def forward(self, pair, *, image):
            return {"image": torch.relu(image), "sum": pair[0] + pair[1]}

    four = torch.rand(1, 4)
    torch.export.save(
        torch.export.export(Nested(), ((four, four),), {"image": torch.rand(1, 3, 5, 6)}), folder / "nested.pt2"
    )
    save("batch4", torch.nn.Linear(4, 2).eval(), torch.rand(4, 4))
    length = torch.export.Dim("length", min=2, max=100)
    save("open", torch.nn.ReLU(), torch.rand(1, 8), shapes={"input": {1: length}})
    save("unsupported", Function(torch.special.i0), four)
    save("dropout", torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5)).train(), four)
    save("gru", torch.nn.GRU(4, 3, batch_first=True).eval(), torch.rand(1, 5, 4))
    torch.save(torch.nn.Linear(4, 2).state_dict(), folder / "weights.pth")
    torch.save({"a": four}, folder / "old.pt", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.trace(torch.nn.Linear(4, 2), four), folder / "script.pt")


def _onnx(folder: Path) -> None:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    real = onnx.TensorProto.FLOAT

    def save(name, nodes, inputs, outputs, constants):
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(key, real, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, real, shape) for key, shape in outputs.items()],
            [
                numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), key)
                for key, shape in constants.items()
            ],
        )
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / f"{name}.onnx"
        )

    node = helper.make_node
    # 3 channels, of one height, width and number of channels: the layout cannot be told from the shape.
    save(
        "cube",
        [
            node("Conv", ["in/image:0", "w"], ["out"], name="conv", pads=[1, 1, 1, 1]),
            node("Relu", ["out"], ["rectified"]),
        ],
        {"in/image:0": ("N", 3, 3, 3)},
        {"rectified": ("N", 3, 3, 3), "out": ("N", 3, 3, 3)},
        {"w": (3, 3, 3, 3)},
    )
    # Images of 3 channels: for these onnx2tf would fetch photographs.
    save(
        "photo",
        [node("Conv", ["image", "w"], ["out"], name="conv")],
        {"image": (1, 3, 16, 16)},
        {"out": (1, 4, 14, 14)},
        {"w": (4, 3, 3, 3)},
    )
    save(
        "sound",
        [node("Conv", ["wave", "w"], ["a"], name="conv"), node("MatMul", ["rows", "m"], ["b"])],
        {"wave": (1, 2, 16), "rows": (1, 5, 4)},
        {"a": (1, 3, 14), "b": (1, 5, 2)},
        {"w": (3, 2, 3), "m": (4, 2)},
    )
    for kind, gates, states in (("LSTM", 4, ["h", "c"]), ("GRU", 3, ["h"]), ("RNN", 1, ["h"])):
        save(
            kind.lower(),
            [
                node("Transpose", ["sequence"], ["turned"], name="turn", perm=[1, 0, 2]),
                node(kind, ["turned", "w", "r", "b", "", *states], ["all"], name="memory", hidden_size=3),
            ],
            {"sequence": (1, 5, 4)},
            {"all": (5, 1, 1, 3)},
            {"w": (1, 3 * gates, 4), "r": (1, 3 * gates, 3), "b": (1, 6 * gates), **dict.fromkeys(states, (1, 1, 3))},
        )
    save(
        "stateless",
        [
            node("Transpose", ["sequence"], ["turned"], name="turn", perm=[1, 0, 2]),
            node("LSTM", ["turned", "w", "r", "b"], ["all"], name="memory", hidden_size=3),
        ],
        {"sequence": (1, 5, 4)},
        {"all": (5, 1, 1, 3)},
        {"w": (1, 12, 4), "r": (1, 12, 3), "b": (1, 24)},
    )
    save("open", [node("Relu", ["image"], ["out"])], {"image": ("N", 3, "H", 8)}, {"out": ("N", 3, "H", 8)}, {})
    save("batch4", [node("Relu", ["image"], ["out"])], {"image": (4, 3, 8, 8)}, {"out": (4, 3, 8, 8)}, {})
    save("unsupported", [node("Det", ["x"], ["out"], name="determinant")], {"x": (1, 4, 4)}, {"out": (1,)}, {})
    branch = helper.make_graph(
        [node("Relu", ["x"], ["y"])], "b", [], [helper.make_tensor_value_info("y", real, (1, 4))]
    )
    test = onnx.helper.make_tensor("test", onnx.TensorProto.BOOL, (), [True])
    graph = helper.make_graph(
        [node("If", ["test"], ["out"], name="choice", then_branch=branch, else_branch=branch)],
        "branch",
        [helper.make_tensor_value_info("x", real, (1, 4))],
        [helper.make_tensor_value_info("out", real, (1, 4))],
        [test],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "branch.onnx")
    model.graph.node[0].op_type = "NoSuchOp"
    onnx.save(model, folder / "invalid.onnx")


if __name__ == "__main__":
    {"keras": _keras, "tf_keras": _tf_keras, "torch": _torch, "onnx": _onnx}[sys.argv[1]](Path(sys.argv[2]))
