"""A model that is in memory → a file or folder that `to_float` reads. No framework is imported that is not yet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tinydeploy.errors import ModelError, UsageError

# What a file names by these is there wherever Keras is.
_KNOWN_MODULES = ("keras", "builtins", "numpy", "tensorflow")
_CODE = ("Lambda", "__lambda__", "function")


def save_live(model: object, folder: Path, *, example_inputs: Sequence[Any] | None = None) -> Path:
    """Saves a Keras model or a PyTorch module into ``folder``, and returns where.

    A Keras 3 model of Keras's own layers and functions becomes a .keras file, any other Keras model a SavedModel, which
    holds what their code computes. A PyTorch module becomes a torch.export archive; it is exported in evaluation mode,
    and left in the mode in which it was.

    Args:
        model: A keras.Model, a tf_keras.Model or a torch.nn.Module.
        folder: Has to be there.
        example_inputs: Tensors that the module's ``forward`` takes, with batch 1. PyTorch only, and there required.

    Raises:
        UsageError: It is something else, or there are no example inputs.
        ModelError: Its framework cannot export it.
    """
    origins = {base.__module__.split(".")[0] for base in type(model).__mro__}
    try:
        if "keras" in origins:
            return _keras(model, folder)
        if "tf_keras" in origins:
            return _tf_keras(model, folder)
        if "torch" in origins:
            return _torch(model, folder, example_inputs)
    except (UsageError, ModelError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ModelError(
            f"{type(model).__name__} cannot be exported",
            where={"says": f"{type(error).__name__}: {lines[0][:200]}"},
            hint="the model has to run with batch 1, and to have been built",
        ) from error
    raise UsageError(
        f"{type(model).__module__}.{type(model).__qualname__} is no model",
        hint="give a Keras model, a torch.nn.Module, or the path of a model",
    )


def _keras(model: Any, folder: Path) -> Path:  # noqa: ANN401 - Keras's
    if not model.built:
        raise ModelError(
            "the Keras model has no input shape yet", hint="call it once, or begin it with keras.Input(shape)"
        )
    if _is_plain(model):
        path = folder / "model.keras"
        model.save(path)
        return path
    path = folder / "saved_model"
    model.export(str(path), verbose=False)
    return path


def _is_plain(model: Any) -> bool:  # noqa: ANN401 - Keras's
    """Whether a .keras file of the model is read without any code but Keras's: it holds none, and runs none."""
    import keras

    try:
        config = keras.saving.serialize_keras_object(model)
    except Exception:  # whatever a class of the user's raises that has no configuration
        return False
    return all(map(_is_of_keras, _nodes(config)))


def _nodes(config: object) -> Iterator[dict[str, Any]]:
    """Every object in a configuration."""
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _nodes(part)


def _is_of_keras(node: dict[str, Any]) -> bool:
    value = node.get("value")
    if isinstance(value, list | tuple) and any(isinstance(part, str) for part in value):
        return False  # a lambda's bytecode, as Keras 3 writes an activation
    if node.get("class_name") in _CODE:
        return False
    module, registered = node.get("module"), node.get("registered_name")
    if module is None:
        return registered is None
    return str(module).split(".")[0] in _KNOWN_MODULES and ">" not in str(registered)


def _tf_keras(model: Any, folder: Path) -> Path:  # noqa: ANN401 - tf-keras's
    import tensorflow as tf

    path = folder / "saved_model"
    tf.saved_model.save(model, str(path))
    return path


def _torch(model: Any, folder: Path, example_inputs: Sequence[Any] | None) -> Path:  # noqa: ANN401 - torch's
    if example_inputs is None:
        raise UsageError(
            "a PyTorch module does not tell the shapes of its inputs",
            hint="give one of each: example_inputs=(torch.rand(1, 3, 96, 96),)",
        )
    import torch

    path = folder / "model.pt2"
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        torch.export.save(torch.export.export(model, tuple(example_inputs)), path)
    finally:
        for module in training:
            module.training = True
    return path
