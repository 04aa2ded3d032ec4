"""Distillation: a small network learns from the probabilities of a large one, not from the labels alone.

G. Hinton, O. Vinyals, J. Dean: Distilling the knowledge in a neural network, 2015, arXiv:1503.02531.
"""

from tinydeploy.compress.framework import Data, Loss, Model, Optimizer, Option, Tensor, keras
from tinydeploy.compress.network import copied, network_of
from tinydeploy.compress.training import Training, fit
from tinydeploy.errors import UsageError

# Below this a probability is taken for this: the difference of two logits is at most 16.
_SMALLEST = 1e-7


def distill(  # noqa: PLR0913
    student: Model,
    teacher: Model,
    x: Data,
    y: Data = None,
    *,
    temperature: float = 4.0,
    alpha: float = 0.7,
    epochs: int = 30,
    optimizer: Optimizer = None,
    loss: Loss = None,
    seed: int = 0,
    **options: Option,
) -> Model:
    """Trains a copy of ``student``, from the weights that it has, on what ``teacher`` says of ``x`` and on the labels.

    The loss is ``alpha`` x T² x KL(teacher || student) + (1 - ``alpha``) x ``loss``, the first with the logits of both
    divided by the ``temperature`` T; T² keeps the two in proportion whatever T is. Both models classify: one output, of
    one shape with at least two classes in its last axis, which is probabilities where the model ends in a softmax and
    logits otherwise, never the separate probabilities that a sigmoid gives. The teacher sees the inputs that the
    student sees, with dropout and the like off. Sample weights count for the labels.

    With an ``alpha`` of 1 there is no need for labels: ``x`` may be anything that is like the real inputs, ``y`` None.

    ``x``, ``y`` and further ``options`` such as ``batch_size`` are what `keras.Model.fit` takes. ``optimizer``: Adam
    at 1e-3 unless given. ``loss``: for the labels; that of the student unless given.

    Raises:
        UsageError: A model is not functional, their outputs differ in shape or are not of classes that exclude each
            other, or a figure is out of range.
    """
    if not temperature > 0 or not 0 <= alpha <= 1:
        raise UsageError(
            f"a temperature of {temperature:g} and an alpha of {alpha:g}", hint="temperature > 0, 0 <= alpha <= 1"
        )
    learner, guide = copied(student), copied(teacher)
    if len(learner.outputs) != 1 or len(guide.outputs) != 1 or learner.output_shape != guide.output_shape:
        raise UsageError(
            f"the student's output is {learner.output_shape}, the teacher's {guide.output_shape}",
            hint="both need one output, with one value per class",
        )
    _require_classes(learner, "student")
    _require_classes(guide, "teacher")
    # With an alpha of 1 the loss is never called; `fit` asks for one all the same.
    loss = "mean_squared_error" if alpha == 1 else loss
    training = Training(x=x, y=y, epochs=epochs, optimizer=optimizer, loss=loss, seed=seed, options=options)
    fit(_Distiller(learner, guide, temperature, alpha), student, training)
    return learner


def _require_classes(model: Model, role: str) -> None:
    """Nothing, where a softmax over the last axis of the output has something to say.

    Raises:
        UsageError: There is one value, for which it is always 1; or there is a sigmoid, which is no logit.
    """
    shape = model.outputs[0].shape
    if len(shape) < 2 or shape[-1] == 1:
        raise UsageError(
            f"the {role}'s output has one value: {tuple(shape)}",
            hint="distillation compares classes: give both models two outputs, for no and for yes, and a softmax",
        )
    if _ends_in(model, "Sigmoid", "HardSigmoid"):
        raise UsageError(
            f"the {role} ends in a sigmoid, whose values are no classes that exclude each other",
            hint="distillation compares classes: end both models in a softmax, or in the values before it",
        )


class _Distiller(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A student whose loss asks a teacher. The teacher is not trained."""

    def __init__(self, student: Model, teacher: Model, temperature: float, alpha: float) -> None:
        super().__init__(name=f"{student.name}_and_teacher")
        self._student, self._teacher = student, teacher
        self._teacher.trainable = False
        self._temperature, self._alpha = temperature, alpha
        self._are_probabilities = (_ends_in(student, "Softmax"), _ends_in(teacher, "Softmax"))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """What the student says."""
        return self._student(inputs, training=training)

    def compute_loss(
        self,
        x: Data = None,
        y: Data = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Equation 1 of Hinton et al. on both sides, and the weighted mean with the loss of the labels."""
        labels: Tensor = 0.0
        if self._alpha < 1:
            labels = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        said = (y_pred, self._teacher(x, training=False))
        student, teacher = (
            keras.ops.log_softmax(_logits(output, probabilities) / self._temperature)
            for output, probabilities in zip(said, self._are_probabilities, strict=True)
        )
        divergence = keras.ops.mean(keras.ops.sum(keras.ops.exp(teacher) * (teacher - student), axis=-1))
        return self._alpha * self._temperature**2 * divergence + (1 - self._alpha) * labels


def _logits(output: Tensor, probabilities: bool) -> Tensor:
    """Logits, up to a constant, which a softmax does not see."""
    return keras.ops.log(keras.ops.maximum(output, _SMALLEST)) if probabilities else output


_ACTIVATIONS = {
    "HardSigmoid": keras.activations.hard_sigmoid,
    "Sigmoid": keras.activations.sigmoid,
    "Softmax": keras.activations.softmax,
}


def _ends_in(model: Model, *kinds: str) -> bool:
    """Whether the last step is one of these: a layer or an operation, or the activation of a layer."""
    network = network_of(model)
    (output,) = keras.tree.flatten(network.outputs)
    last = next((step for step in network.steps if output.number in step.outputs), None)
    if last is None:
        return False
    activation = getattr(last.layer, "activation", None)
    return last.kind in kinds or any(activation is _ACTIVATIONS[kind] for kind in kinds)
