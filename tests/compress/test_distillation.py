import numpy as np
import pytest
from keras_here import keras
from small_networks import blobs, classifier, layers, same, weights_of

from tinydeploy.compress import distill
from tinydeploy.compress.distillation import _Distiller
from tinydeploy.errors import UsageError

LOSS = "sparse_categorical_crossentropy"


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def teacher():
    x, y = blobs()
    model = classifier(32, seed=7)
    model.compile(keras.optimizers.Adam(1e-2), LOSS)
    model.fit(x, y, epochs=20, verbose=0)
    return model


@pytest.mark.parametrize("student_softmax", [True, False])
@pytest.mark.parametrize("teacher_softmax", [True, False])
def test_the_loss_is_that_of_its_source_whether_models_end_in_probabilities_or_logits(student_softmax, teacher_softmax):
    student, guide = classifier(seed=1, softmax=student_softmax), classifier(seed=2, softmax=teacher_softmax)
    distiller = _Distiller(student, guide, temperature=3.0, alpha=0.6)
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=not student_softmax))
    x, y = blobs(32)
    computed = float(distiller.compute_loss(x=x, y=y, y_pred=distiller(x)))

    def logits(model):
        hidden, classes = (model.get_layer(name) for name in ("hidden", "classes"))
        values = np.maximum(x @ hidden.kernel.numpy() + hidden.bias.numpy(), 0)
        return (values @ classes.kernel.numpy() + classes.bias.numpy()).astype(np.float64)

    hard = -np.log(softmax(logits(student))[np.arange(32), y]).mean()
    soft, target = softmax(logits(student) / 3), softmax(logits(guide) / 3)
    divergence = (target * np.log(target / soft)).sum(axis=1).mean()
    assert computed == pytest.approx(0.6 * 9 * divergence + 0.4 * hard, rel=1e-4)


def test_an_alpha_of_zero_is_ordinary_training(teacher):
    x, y = blobs(64)
    student = classifier(4)
    distilled = distill(student, teacher, x, y, alpha=0.0, loss=LOSS, epochs=3, seed=5, optimizer="sgd")
    keras.utils.set_random_seed(5)
    student.compile("sgd", LOSS)
    student.fit(x, y, epochs=3, verbose=0)
    for one, other in zip(weights_of(distilled), weights_of(student), strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_a_student_learns_from_the_teacher_alone_on_inputs_without_labels(teacher):
    x, y = blobs(256, seed=3)
    student = classifier(6)
    before = (student.predict(x, verbose=0).argmax(axis=1) == y).mean()
    learned = distill(student, teacher, x, alpha=1.0, epochs=20, optimizer=keras.optimizers.Adam(1e-2))
    assert (learned.predict(x, verbose=0).argmax(axis=1) == y).mean() > max(0.95, before)
    assert not learned.compiled


def test_neither_model_is_changed_and_a_seed_gives_the_same_again(teacher):
    x, y = blobs(64)
    student = classifier(4)
    before, known = weights_of(student), weights_of(teacher)
    some, others = (distill(student, teacher, x, y, loss=LOSS, epochs=2, seed=3) for _ in range(2))
    assert same(weights_of(student), before)
    assert same(weights_of(teacher), known)
    assert teacher.trainable
    assert same(weights_of(some), weights_of(others))
    assert not same(weights_of(some), before)


def test_the_loss_of_the_students_own_compilation_is_taken(teacher):
    student = classifier(4)
    student.compile("adam", LOSS)
    assert not same(weights_of(distill(student, teacher, *blobs(32), epochs=1)), weights_of(student))


@pytest.mark.parametrize("figures", [{"temperature": 0.0}, {"alpha": 1.5}])
def test_figures_out_of_range_are_told(teacher, figures):
    shown = {"temperature": 4.0, "alpha": 0.7} | figures
    with pytest.raises(UsageError) as raised:
        distill(classifier(), teacher, *blobs(8), loss=LOSS, **figures)
    assert raised.value.summary == f"a temperature of {shown['temperature']:g} and an alpha of {shown['alpha']:g}"
    assert raised.value.hint == "temperature > 0, 0 <= alpha <= 1"


def test_models_of_different_outputs_are_refused(teacher):
    student = keras.Sequential([keras.Input((2,)), layers.Dense(5)])
    with pytest.raises(UsageError) as raised:
        distill(student, teacher, *blobs(8), loss=LOSS)
    assert raised.value.summary == "the student's output is (None, 5), the teacher's (None, 3)"
    assert raised.value.hint == "both need one output, with one value per class"


def ending(*last):
    return keras.Sequential([keras.Input((2,)), *last])


def test_one_value_is_no_choice_of_classes():
    for student in (ending(layers.Dense(1)), ending(layers.Dense(1, activation="sigmoid"))):
        with pytest.raises(UsageError) as raised:
            distill(student, ending(layers.Dense(1)), *blobs(8), loss=LOSS)
        assert raised.value.summary == "the student's output has one value: (None, 1)"
        assert raised.value.hint == (
            "distillation compares classes: give both models two outputs, for no and for yes, and a softmax"
        )


@pytest.mark.parametrize(
    "last",
    [
        [layers.Dense(3, activation="sigmoid")],
        [layers.Dense(3), layers.Activation("sigmoid")],
        [layers.Dense(3, activation="hard_sigmoid")],
    ],
)
def test_a_sigmoid_is_not_taken_for_logits(teacher, last):
    with pytest.raises(UsageError) as raised:
        distill(ending(*last), teacher, *blobs(8), loss=LOSS)
    assert raised.value.summary == "the student ends in a sigmoid, whose values are no classes that exclude each other"
    assert raised.value.hint == (
        "distillation compares classes: end both models in a softmax, or in the values before it"
    )


def test_a_sigmoid_of_the_teacher_is_refused_too_even_as_an_operation():
    point = keras.Input((2,))
    guide = keras.Model(point, keras.ops.sigmoid(layers.Dense(3)(point)))
    with pytest.raises(UsageError, match="the teacher ends in a sigmoid, "):
        distill(classifier(), guide, *blobs(8), loss=LOSS)
