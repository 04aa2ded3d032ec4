"""The model that is deployed, with its samples."""

import pytest
from image_models import ImageModel

from tinydeploy.errors import FitError
from tinydeploy.integer_model import IntegerModel, verification_samples
from tinydeploy.model.reader import parse_model


def model_of_images(height: int, width: int) -> IntegerModel:
    net = ImageModel(height, width, 4)
    net.conv(2)
    graph = parse_model(net.finish(), name="image.tflite")
    return IntegerModel(path=graph.name, graph=graph, conversion=None)


def test_an_input_that_no_board_has_room_for_is_refused_before_samples_of_it_are_made():
    with pytest.raises(FitError, match="one input takes 67,108,864 B, which no microcontroller has room for") as caught:
        verification_samples(model_of_images(4096, 4096), None)
    assert caught.value.where["model"] == "image.tflite"


def test_there_are_sixteen_samples_where_none_are_given():
    assert verification_samples(model_of_images(8, 8), None).count == 16
