"""What the techniques that train have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinydeploy.compress.framework import Data, Loss, Model, Optimizer, Option, keras
from tinydeploy.errors import UsageError


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What `fit` needs: data as `keras.Model.fit` takes them, and how to train.

    ``optimizer``: a name, or an optimizer, which is copied; None is Adam at ``learning_rate``. ``loss``: None is that
    which the given model was compiled with. ``options`` go to `keras.Model.fit` as they are.
    """

    x: Data
    y: Data
    epochs: int
    optimizer: Optimizer
    loss: Loss
    seed: int
    learning_rate: float = 1e-3
    options: Mapping[str, Option] = field(default_factory=dict)


def fit(model: Model, given: Model, training: Training, callbacks: Sequence[keras.callbacks.Callback] = ()) -> None:
    """Compiles and trains ``model`` in place, with the loss of ``given`` where there is no other.

    Sets the seed of Python, numpy and the backend. Two runs are identical where the backend's kernels are
    deterministic: `tf.config.experimental.enable_op_determinism()` for TensorFlow.

    Raises:
        UsageError: There is no loss, or nothing to train for.
    """
    if training.epochs < 1:
        raise UsageError(f"{training.epochs} epochs of training", hint="epochs is 1 or more")
    loss = training.loss if training.loss is not None else given.loss
    if loss is None:
        raise UsageError(f"no loss to train {given.name!r} with", hint="give loss=..., or compile the model with one")
    options = dict(training.options)
    keras.utils.set_random_seed(training.seed)
    model.compile(optimizer=_optimizer(training), loss=loss)
    model.fit(
        training.x,
        training.y,
        epochs=training.epochs,
        callbacks=[*callbacks, *options.pop("callbacks", ())],
        verbose=options.pop("verbose", 0),
        **options,
    )


def _optimizer(training: Training) -> Optimizer:
    """A new optimizer: one that has trained belongs to the variables of its model."""
    if training.optimizer is None:
        return keras.optimizers.Adam(training.learning_rate)
    given = keras.optimizers.get(training.optimizer)
    return type(given).from_config(given.get_config())
