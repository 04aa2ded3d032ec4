"""The committed files of the example are what its README says they are."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def samples():
    with np.load(DIGITS / "digits_test.npz") as file:
        return dict(file)


def test_the_samples_are_100_int8_images_with_labels(samples):
    assert {name: (array.dtype.name, array.shape) for name, array in samples.items()} == {
        "images": ("int8", (100, 8, 8, 1)),
        "labels": ("uint8", (100,)),
    }
    assert set(samples["labels"]) == set(range(10))


def test_the_images_are_sixteenths_in_the_models_own_units(samples):
    sixteenths = (samples["images"].astype(int) + 128) / 255 * 16
    assert np.abs(sixteenths - np.round(sixteenths)).max() < 0.5 / 255 * 16
    assert (sixteenths.min(), sixteenths.max()) == (0, 16)


def test_the_model_recognises_99_of_the_100_images(samples):
    model = Interpreter(
        model_path=str(DIGITS / "digits_int8.tflite"), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    model.allocate_tensors()
    (source,), (sink,) = model.get_input_details(), model.get_output_details()
    classes = []
    for image in samples["images"]:
        model.set_tensor(source["index"], image[np.newaxis])
        model.invoke()
        classes.append(model.get_tensor(sink["index"]).argmax())
    assert (np.array(classes) == samples["labels"]).sum() == 99


def test_model_and_samples_are_small():
    model, images = (DIGITS / name for name in ("digits_int8.tflite", "digits_test.npz"))
    assert model.stat().st_size + images.stat().st_size < 20_000
    assert f"{model.stat().st_size:,} bytes" in (DIGITS / "README.md").read_text(encoding="utf-8")
