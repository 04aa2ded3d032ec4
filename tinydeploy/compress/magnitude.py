"""Gradual magnitude pruning: the smallest weights become zero while the others are trained on.

M. Zhu, S. Gupta: To prune, or not to prune: exploring the efficacy of pruning for model compression, 2017,
arXiv:1710.01878.
"""

from dataclasses import dataclass

import numpy as np

from tinydeploy.compress.framework import Data, Loss, Model, Optimizer, Option, keras
from tinydeploy.compress.network import copied
from tinydeploy.compress.sparsity import prunable_kernels
from tinydeploy.compress.training import Training, fit
from tinydeploy.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many weights are zero at which time. Shares are from 0 to 1; times are shares of the whole training.

    From ``begin`` to ``end`` the sparsity rises from ``initial`` to ``final``, fast at first and slower as weights get
    rare; it is ``final`` from then on, for the network to recover. Masks are made anew every ``every_batches`` batches.
    """

    final: float = 0.8
    initial: float = 0.0
    begin: float = 0.0
    end: float = 0.7
    power: float = 3.0
    every_batches: int = 10

    def __post_init__(self) -> None:
        """Checks the order of the figures.

        Raises:
            UsageError: One is out of range.
        """
        if not 0 <= self.initial <= self.final < 1:
            raise UsageError(
                f"a sparsity from {self.initial:g} to {self.final:g}", hint="0 <= initial <= final < 1, such as 0.8"
            )
        if not 0 <= self.begin < self.end <= 1 or self.every_batches < 1:
            raise UsageError(
                f"pruning from {self.begin:g} to {self.end:g} of the training, every {self.every_batches} batches",
                hint="0 <= begin < end <= 1, every_batches >= 1",
            )

    def sparsity_at(self, time: float) -> float:
        """The share of zeros at a time: equation 1 of Zhu & Gupta."""
        if time < self.begin:
            return 0.0
        left = 1 - min(1.0, (time - self.begin) / (self.end - self.begin))
        return float(self.final + (self.initial - self.final) * left**self.power)


def prune_magnitude(
    model: Model,
    x: Data,
    y: Data = None,
    *,
    sparsity: float | Schedule = 0.8,
    epochs: int = 10,
    optimizer: Optimizer = None,
    loss: Loss = None,
    seed: int = 0,
    **options: Option,
) -> Model:
    """Trains a copy of ``model`` while the smallest weights of each kernel become zero, and stay so.

    In the copy that is returned every kernel of a convolution (depthwise ones are left alone) or dense layer has that
    share of zeros, rounded down to whole weights; `sparsity` and `kernel_sparsities` tell what it came to.

    The zeros are where they happen to be, so the deployed model has the same size, the same arena and takes as many
    instructions as before: neither a .tflite nor the kernels leave zeros out. What gets smaller is the compressed file
    (`deflated_bytes`), which counts for updates over the air. For a smaller network take `prune_channels`.

    ``x``, ``y`` and further ``options`` such as ``batch_size`` are what `keras.Model.fit` takes. ``optimizer``: Adam
    at 1e-3 unless given. ``loss``: that of the model unless given.

    Raises:
        UsageError: The model is not functional or has no kernels, or a figure is out of range.
    """
    schedule = sparsity if isinstance(sparsity, Schedule) else Schedule(final=sparsity)
    pruned = copied(model)
    if not prunable_kernels(pruned):
        raise UsageError(f"{model.name!r} has no convolution or dense layer that could be pruned")
    training = Training(x=x, y=y, epochs=epochs, optimizer=optimizer, loss=loss, seed=seed, options=options)
    fit(pruned, model, training, [_Pruning(pruned, schedule, epochs)])
    return copied(pruned)


class _Pruning(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Raises the sparsity of a model with the schedule, and undoes what the optimizer does to weights that are zero.

    A weight that was pruned stays so: it is zero, and thus always among the smallest.
    """

    def __init__(self, model: Model, schedule: Schedule, epochs: int) -> None:
        super().__init__()
        self._kernels = list(prunable_kernels(model).values())
        self._masks = [np.ones(kernel.shape, bool) for kernel in self._kernels]
        self._schedule, self._epochs = schedule, epochs
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        """Keeps the time."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        """Comes after the optimizer's step. The time in an epoch of unknown length is its beginning."""
        if self._batches % self._schedule.every_batches == 0:
            batches = self.params.get("steps")
            time = (self._epoch + (batch / batches if batches else 0.0)) / self._epochs
            self.raise_to(self._schedule.sparsity_at(time))
        self._batches += 1
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            kernel.assign(kernel.numpy() * mask)

    def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
        """Reaches the final sparsity even where the schedule ends with the training."""
        self.raise_to(self._schedule.final)

    def raise_to(self, sparsity: float) -> None:
        """Prunes the smallest weights of each kernel until that share of it, rounded down, is zero."""
        for position, kernel in enumerate(self._kernels):
            values = kernel.numpy()
            smallest = np.argsort(np.abs(values), axis=None, kind="stable")[: int(sparsity * values.size)]
            alive = np.ones(values.size, bool)
            alive[smallest] = False
            self._masks[position] = alive.reshape(values.shape)
            kernel.assign(values * self._masks[position])
