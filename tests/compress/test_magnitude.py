import zlib

import numpy as np
import pytest
from keras_here import keras
from small_networks import blobs, classifier, layers, randomised, residual, same, separable, weights_of

from tinydeploy.compress import Schedule, deflated_bytes, kernel_sparsities, prune_magnitude, sparsity
from tinydeploy.errors import UsageError

LOSS = "sparse_categorical_crossentropy"
LOGITS_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def images(count=32, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 1, (count, 8, 8, 3)).astype(np.float32), random.integers(0, 4, count)


def test_the_schedule_is_the_polynomial_of_its_source():
    schedule = Schedule(final=0.9, initial=0.1, begin=0.2, end=0.6, power=3.0)
    assert [schedule.sparsity_at(time) for time in (0.0, 0.19)] == [0.0, 0.0]
    assert schedule.sparsity_at(0.2) == pytest.approx(0.1)
    assert schedule.sparsity_at(0.4) == pytest.approx(0.9 - 0.8 / 8)
    assert [schedule.sparsity_at(time) for time in (0.6, 1.0)] == [0.9, 0.9]


@pytest.mark.parametrize(
    ("figures", "summary", "hint"),
    [
        ({"final": 1.0}, "a sparsity from 0 to 1", "0 <= initial <= final < 1, such as 0.8"),
        ({"initial": 0.9}, "a sparsity from 0.9 to 0.8", "0 <= initial <= final < 1, such as 0.8"),
        (
            {"begin": 0.7},
            "pruning from 0.7 to 0.7 of the training, every 10 batches",
            "0 <= begin < end <= 1, every_batches >= 1",
        ),
        (
            {"every_batches": 0},
            "pruning from 0 to 0.7 of the training, every 0 batches",
            "0 <= begin < end <= 1, every_batches >= 1",
        ),
    ],
)
def test_a_schedule_out_of_order_is_told(figures, summary, hint):
    with pytest.raises(UsageError) as raised:
        Schedule(**figures)
    assert (raised.value.summary, raised.value.hint) == (summary, hint)


def test_each_kernel_has_its_share_of_zeros_and_depthwise_ones_have_none():
    model = randomised(separable())
    pruned = prune_magnitude(model, *images(), sparsity=0.75, epochs=2, loss=LOGITS_LOSS, batch_size=8)
    assert kernel_sparsities(pruned) == {
        "stem": pytest.approx(0.75, abs=1 / 216),
        "pointwise": pytest.approx(0.75, abs=1 / 192),
        "separable": pytest.approx(0.75, abs=1 / 216),
        "classes": pytest.approx(0.75, abs=1 / 24),
    }
    assert sparsity(pruned) == pytest.approx(0.75, abs=0.01)
    assert sparsity(model) == 0.0
    assert np.all(pruned.get_layer("depthwise").kernel.numpy())


class Watching(keras.callbacks.Callback):
    """Notes the share of zeros after every batch, and what the masked weights are."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        self.shares.append(sparsity(self.model))


def test_zeros_get_more_with_the_schedule_and_none_comes_back_while_the_others_train_on():
    watching = Watching()
    schedule = Schedule(final=0.8, begin=0.25, end=0.5, every_batches=1)
    x, y = blobs(64)
    model = classifier()
    # Adam's moments go on pushing weights that have been pruned.
    pruned = prune_magnitude(
        model, x, y, sparsity=schedule, epochs=8, loss=LOSS, batch_size=8, optimizer="adam", callbacks=[watching]
    )
    assert len(watching.shares) == 64
    assert watching.shares == sorted(watching.shares)
    assert set(watching.shares[:16]) == {0.0}
    assert 0 < watching.shares[20] < 0.7
    assert all(share == pytest.approx(0.8, abs=0.02) for share in watching.shares[32:])
    assert sparsity(pruned) == watching.shares[-1]
    kernel, before = pruned.get_layer("hidden").kernel.numpy(), model.get_layer("hidden").kernel.numpy()
    alive = kernel != 0
    assert (kernel[alive] != before[alive]).mean() > 0.8  # units that never fire have nothing to learn from


def test_a_schedule_that_ends_with_the_training_reaches_its_end():
    x, y = blobs(16)
    pruned = prune_magnitude(classifier(), x, y, sparsity=Schedule(final=0.75, end=1.0), epochs=1, loss=LOSS)
    assert kernel_sparsities(pruned) == {"hidden": 0.75, "classes": 0.75}


def test_a_network_that_is_pruned_while_it_trains_goes_on_working():
    x, y = blobs()
    model = classifier()
    model.compile("adam", LOSS)
    pruned = prune_magnitude(model, x, y, sparsity=0.7, epochs=20, optimizer=keras.optimizers.Adam(1e-2))
    assert (pruned.predict(x, verbose=0).argmax(axis=1) == y).mean() > 0.95


def test_the_given_model_is_left_as_it_is_and_a_seed_gives_the_same_again():
    x, y = blobs(64)
    model = classifier()
    before = weights_of(model)
    some, others, different = (
        prune_magnitude(model, x, y, epochs=2, loss=LOSS, seed=seed, optimizer=keras.optimizers.SGD(0.1))
        for seed in (3, 3, 4)
    )
    assert same(weights_of(model), before)
    assert same(weights_of(some), weights_of(others))
    assert not same(weights_of(some), weights_of(different))
    assert not some.compiled


def test_an_optimizer_can_be_used_for_several_models():
    x, y = blobs(32)
    optimizer = keras.optimizers.Adam(1e-2)
    for hidden in (4, 8):
        prune_magnitude(classifier(hidden), x, y, epochs=1, loss=LOSS, optimizer=optimizer)
    assert not optimizer.built


def test_a_model_without_a_loss_is_told_how_to_get_one():
    with pytest.raises(UsageError) as raised:
        prune_magnitude(classifier(), *blobs(8))
    assert raised.value.summary == "no loss to train 'classifier' with"
    assert raised.value.hint == "give loss=..., or compile the model with one"


def test_no_epochs_are_refused():
    with pytest.raises(UsageError) as raised:
        prune_magnitude(classifier(), *blobs(8), epochs=0, loss=LOSS)
    assert (raised.value.summary, raised.value.hint) == ("0 epochs of training", "epochs is 1 or more")


def test_a_model_with_nothing_to_prune_is_refused():
    model = keras.Sequential([keras.Input((4,)), layers.ReLU()], name="bare")
    with pytest.raises(UsageError) as raised:
        prune_magnitude(model, np.ones((4, 4)))
    assert raised.value.summary == "'bare' has no convolution or dense layer that could be pruned"
    assert sparsity(model) == 0.0


def test_zeros_make_the_compressed_file_smaller_and_it_can_be_unpacked():
    weights = np.random.default_rng(0).integers(-127, 128, 4096).astype(np.int8)
    sparse = np.where(np.arange(4096) % 5, 0, weights).astype(np.int8)
    assert deflated_bytes(sparse.tobytes()) < 0.5 * deflated_bytes(weights.tobytes())
    assert deflated_bytes(weights.tobytes()) == len(zlib.compress(weights.tobytes(), level=9))


def test_a_residual_network_can_be_pruned():
    assert sparsity(prune_magnitude(residual(), *images(8), epochs=1, loss=LOSS)) == pytest.approx(0.8, abs=0.01)
