"""Keras, or an error that says how to get it; and names for its types. All of this stage imports Keras from here."""

from typing import Any

from tinydeploy.errors import BuildError

try:
    import keras
except ImportError as error:
    raise BuildError(
        "Keras, or the backend that it is set to, is not installed",
        where={"says": str(error)},
        hint="pip install 'tinydeploy[convert]'",
    ) from error

if int(keras.__version__.split(".")[0]) < 3:
    raise BuildError(
        f"Keras 3 is needed, and what is installed is {keras.__version__}", hint="pip install 'tinydeploy[convert]'"
    )

# Keras has no types that a checker could read: these say what is meant.
Model = Any
Layer = Any
Tensor = Any
Variable = Any
Structure = Any
"""Lists, tuples and dicts in each other, of tensors or of what stands for them."""
Data = Any
"""What `keras.Model.fit` takes: arrays, structures of them, data sets."""
Optimizer = Any
Loss = Any
Option = Any

__all__ = ["Data", "Layer", "Loss", "Model", "Optimizer", "Option", "Structure", "Tensor", "Variable", "keras"]
