"""A Keras model, .keras or .h5, to a float .tflite: with Keras 3, or with tf-keras what only that can read or fuse."""

import importlib.util
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .shared import Array, Converted, Port, Refusal, fixed_shape, reason, stage
from .tensorflow_graph import convert, numpy_of

_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
_OURS = ("keras", "tf_keras", "builtins", "numpy", "tensorflow")
_FIXED = "build it with fixed sizes, such as keras.Input((96, 96, 3))"
_OWN_LAYER = "save it as a SavedModel, which holds the code of its layers: model.export('folder')"
_OWN_CODE = (
    "write the layer as a class, or with ops of Keras, and save the model as a SavedModel: model.export('folder')"
)


def work(source: Path) -> Converted:
    """Converts the file."""
    stage("reading the file")
    config, version = _config(source)
    _require_no_code(config)
    model, family = _load(source, config, version)
    stage("looking at the model")
    inputs, output_names = _inputs(model), _output_names(model)

    def run(tensors: list[Any]) -> list[Any]:
        outputs = model(tensors if len(tensors) > 1 else tensors[0], training=False)
        return _flat(outputs)

    def run_arrays(arrays: list[Array]) -> list[Array]:
        import tensorflow as tf

        return numpy_of(run([tf.constant(values) for values in arrays]))

    data, count = convert(run, inputs, _variables(model), sorted(set(_suspects(model))))
    names = output_names if len(output_names) == count else [f"output_{position}" for position in range(count)]
    return Converted(
        data=data,
        source=f"{family} model ({'.keras' if zipfile.is_zipfile(source) else '.h5'})",
        inputs=inputs,
        outputs=[Port(key=f"output_{position}", name=name) for position, name in enumerate(names)],
        run=run_arrays,
    )


def _config(source: Path) -> tuple[Any, str]:
    """What the file says of its layers, and the version of Keras that wrote it."""
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                metadata = json.loads(archive.read("metadata.json"))
                return json.loads(archive.read("config.json")), str(metadata.get("keras_version", ""))
        import h5py

        with h5py.File(source) as file:
            text, version = file.attrs.get("model_config"), _text(file.attrs.get("keras_version", ""))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Refusal(
            "the Keras file is damaged", where={"says": reason(error)}, hint="copy or save the model again"
        ) from error
    if text is None:
        raise Refusal("the file holds weights without a model", hint="save the whole model: model.save('model.keras')")
    return json.loads(_text(text)), version


def _text(value: Any) -> str:  # noqa: ANN401 - h5py's
    return value.decode() if isinstance(value, bytes) else str(value)


def _nodes(config: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every object in a configuration."""
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _nodes(part)


def _require_no_code(config: Any) -> None:  # noqa: ANN401 - JSON
    """Nothing, where loading the file runs no code out of it, and needs no class that only its author has.

    Raises:
        Refusal: A Lambda layer holds Python bytecode, or a layer is of a class that is not Keras's own.
    """
    for node in _nodes(config):
        inner = node.get("config")
        name = inner.get("name", "") if isinstance(inner, dict) else ""
        if (
            node.get("class_name") == "Lambda"
            and isinstance(inner, dict)
            and not isinstance(inner.get("function"), str)
        ):
            raise Refusal(f"layer {name} (Lambda) holds Python code, which is not run from a file", hint=_OWN_CODE)
        if node.get("class_name") == "__lambda__":
            raise Refusal("the file holds Python code (a lambda), which is not run from a file", hint=_OWN_CODE)
        module, registered = node.get("module"), node.get("registered_name")
        is_own = isinstance(module, str) and module.split(".")[0] not in _OURS
        if "class_name" in node and (is_own or (isinstance(registered, str) and ">" in registered)):
            raise Refusal(
                f"layer {name or 'without a name'} is of a class of your own: {node['class_name']}", hint=_OWN_LAYER
            )


def _load(source: Path, config: Any, version: str) -> tuple[Any, str]:  # noqa: ANN401 - JSON
    """The model, and what it was loaded with."""
    has_recurrent = any(node.get("class_name") in _RECURRENT for node in _nodes(config))
    is_second = version.startswith("2.")
    has_legacy = importlib.util.find_spec("tf_keras") is not None
    # tf-keras first for what Keras 2 wrote with recurrent layers: only from there the converter gets a fused LSTM.
    order = ["tf_keras", "keras"] if is_second and has_recurrent else ["keras", "tf_keras"]
    errors = []
    for name in order:
        if name == "keras" or (has_legacy and is_second):
            try:
                return _loaded_by(name, source)
            except Exception as error:  # whatever a damaged file makes of it
                errors.append((name, error))
    hint = "save the model again with Keras 3"
    if is_second and not has_legacy:
        hint = "install what wrote it, Keras 2: pip install tf-keras\nor save the model again with Keras 3"
    where = {name.replace("_", "-"): reason(error) for name, error in errors}
    raise Refusal(
        f"Keras cannot load the model (written by Keras {version or 'of unknown version'})", where=where, hint=hint
    )


def _loaded_by(name: str, source: Path) -> tuple[Any, str]:
    stage("loading TensorFlow")
    if name == "keras":
        import keras

        stage("loading the model")
        return keras.saving.load_model(source, compile=False, safe_mode=True), f"Keras {keras.__version__}"
    import tf_keras

    stage("loading the model")
    return tf_keras.models.load_model(str(source), compile=False), f"tf-keras {tf_keras.__version__}"


def _inputs(model: Any) -> list[Port]:  # noqa: ANN401 - Keras's
    tensors = getattr(model, "inputs", None)
    if not tensors:
        raise Refusal("the model has no input shape", hint=f"{_FIXED}, and save it again")
    return [
        Port(key=f"input_{position}", name=name, shape=fixed_shape(name, shape, export=_FIXED), dtype=dtype)
        for position, (name, shape, dtype) in enumerate(
            (tensor.name, list(tensor.shape), getattr(tensor.dtype, "name", tensor.dtype)) for tensor in tensors
        )
    ]


def _variables(model: Any) -> list[Any]:  # noqa: ANN401 - Keras's
    """TensorFlow's own variables, which those of Keras 3 hide from it."""
    import tensorflow as tf

    return [variable if isinstance(variable, tf.Variable) else variable.value for variable in model.variables]


def _output_names(model: Any) -> list[str]:  # noqa: ANN401 - Keras's
    return [str(name) for name in getattr(model, "output_names", None) or ()]


def _flat(outputs: Any) -> list[Any]:  # noqa: ANN401 - Keras's
    if isinstance(outputs, dict):
        return [value for name in sorted(outputs) for value in _flat(outputs[name])]
    return [value for part in outputs for value in _flat(part)] if isinstance(outputs, list | tuple) else [outputs]


def _suspects(model: Any) -> Iterator[str]:  # noqa: ANN401 - Keras's
    """The recurrent layers that loop."""
    layers = getattr(model, "_flatten_layers", None)
    for layer in layers(include_self=False, recursive=True) if layers else model.layers:
        if type(layer).__name__ in _RECURRENT - {"Bidirectional"} and not getattr(layer, "unroll", False):
            yield f"{layer.name} ({type(layer).__name__}, unroll=False)"
