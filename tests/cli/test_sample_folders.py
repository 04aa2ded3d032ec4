"""Folders of images as samples, from the command line to the board."""

import json

import numpy as np
import pytest
from command_line import BOARD, DIGITS, DIGITS_SAMPLES
from PIL import Image

IMAGES = 20


@pytest.fixture
def folder(tool):
    """The first images of the digits example as .png files, in a folder for each of the ten classes."""
    with np.load(DIGITS_SAMPLES) as file:
        images, labels = file["images"][:IMAGES], file["labels"][:IMAGES]
    for label in range(10):
        (tool.folder / "digits" / str(label)).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        pixels = (image[..., 0].astype(int) + 128).astype(np.uint8)
        Image.fromarray(pixels).save(tool.folder / "digits" / str(label) / f"{number}.png")
    return tool


def test_images_in_folders_by_class_are_classified_on_the_board(folder):
    finished = folder("flash", DIGITS, "--board", BOARD, "--samples", "digits", "--json", "out.json")
    assert finished.code == 0, finished.err
    assert f"accuracy   board {IMAGES}/{IMAGES}, reference {IMAGES}/{IMAGES}" in finished.out
    assert json.loads((folder.folder / "out.json").read_text())["verification"]["samples"] == 16 + IMAGES


def test_fewer_of_them_are_taken_where_that_is_asked_for(folder):
    arguments = ("--samples", "digits", "--max-samples", 5, "--json", "out.json")
    finished = folder("flash", DIGITS, "--board", BOARD, *arguments)
    assert finished.code == 0, finished.err
    assert json.loads((folder.folder / "out.json").read_text())["verification"]["samples"] == 16 + 5


def test_a_range_that_the_model_was_not_made_for_is_told(folder):
    finished = folder("flash", DIGITS, "--board", BOARD, "--samples", "digits", "--image-range", "0", "255")
    assert finished.code == 0, finished.err
    assert "of 1,280 values saturated" in finished.out


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--image-range", "1", "1"), "an image range from 1 to 1 is none"),
        (("--image-channels", "2"), "images do not come with 2 channels"),
        (("--image-mean", "a,b"), "invalid value for '--image-mean': 'a,b' are no numbers with commas between them"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder, option, says):
    message = folder.refuses("flash", DIGITS, "--board", BOARD, "--samples", "digits", *option, code=2)
    assert message.startswith(f"error: {says}")
