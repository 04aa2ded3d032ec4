"""The model of examples/digits, tested on whatever board pytest is told: see README.md."""

from pathlib import Path

import numpy as np
import pytest

DIGITS = Path(__file__).parent.parent / "digits"
MODEL = DIGITS / "digits_int8.tflite"
TEST_DATA = DIGITS / "digits_test.npz"


@pytest.fixture(scope="module")
def device(deployment):
    """The model on the board, for all tests of this file."""
    return deployment(MODEL)


@pytest.fixture(scope="module")
def images():
    """100 images of 8 x 8 pixels, int8."""
    with np.load(TEST_DATA) as data:
        return data["images"]


def test_outputs_are_those_of_the_reference(device, images):
    """Bit for bit: of the default samples, which go to the extremes, and of real images."""
    device.assert_matches_reference()
    device.assert_matches_reference(images)


def test_digits_are_recognised(device):
    """The .npz brings its labels along."""
    device.assert_accuracy(TEST_DATA, minimum=0.98)


def test_it_stays_within_its_budget(device):
    """What a pull request must not break. On a real board there is a framework, and instructions are not counted."""
    if device.plan.board.is_virtual:
        device.assert_within(arena="2K", ram="8K", flash="24K", stack="1K", instructions=100_000)
    else:
        device.assert_within(ram="64K", flash="512K")


def test_a_batch_gives_what_its_images_give_one_by_one(device, images):
    """Nothing of one inference is left over for the next."""
    batch = device.run(images[:5])
    assert all(np.array_equal(device.run(image), outputs) for image, outputs in zip(images[:5], batch, strict=True))


def test_it_computes_the_same_after_a_reset(device, images):
    """As after a loss of power."""
    before = device.run(images[0])
    device.reset()
    assert np.array_equal(device.run(images[0]), before)


@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_both_kinds_of_kernels_are_exact(deployment, kernels):
    """A second firmware: the plain kernels, against which those made for the core can be told."""
    deployment(MODEL, kernels=kernels).assert_matches_reference()
