"""From models of every format to virtual boards: what was converted runs there, and is as good as its source."""

import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import digits_sources
import numpy as np
import pytest
from mobilenet import images

from tinydeploy.convert.quantize import QuantizationSettings
from tinydeploy.deployment import Target
from tinydeploy.files import cache_dir
from tinydeploy.pipeline import convert, flash
from tinydeploy.samples.options import SampleOptions
from tinydeploy.samples.source import SampleSource

TESTS = Path(__file__).resolve().parents[1]
M4 = Target(board="qemu-cortex-m4")
M7 = Target(board="qemu-cortex-m7")
CONVERTERS = {"torch": ("litert_torch",), "torch_dynamic": ("litert_torch",)}
CHANNELS_FIRST = {"torch", "torch_dynamic", "onnx", "onnx_dynamic"}
FLOAT_MODELS = ("ad01", "hello_world", "kws", "resnet8", "vww")


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def use_caches(cache, monkeypatch):
    """The tests' cache for builds; an environment that takes minutes to make is that of the user's cache."""
    environments = cache / "environments"
    with contextlib.suppress(FileExistsError):
        environments.symlink_to(cache_dir("environments"))
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(cache))


@pytest.fixture(scope="module")
def digits():
    """Images (n, 8, 8, 1) from 0 to 1: 1,437 to calibrate with, and 360 that the network never saw, with classes."""
    datasets = pytest.importorskip("sklearn.datasets", reason="not installed: scikit-learn")
    from sklearn.model_selection import train_test_split

    values, labels = datasets.load_digits(return_X_y=True)
    scaled = (values / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    train_images, test_images, _, test_labels = train_test_split(
        scaled, labels, test_size=0.2, stratify=labels, random_state=1
    )
    return train_images, test_images, test_labels


def right_on_the_board(model: Path, test_images: np.ndarray, labels: np.ndarray) -> int:
    """How many of the test images the virtual board classifies as they are labelled."""
    deployment = flash(model, M4, samples={"images": test_images, "labels": labels})
    assert deployment.comparison.exact
    accuracy = deployment.comparison.accuracy
    assert accuracy.samples == len(labels) == 360
    return accuracy.device_correct


@needs("tensorflow")
@pytest.mark.usefixtures("use_caches")
@pytest.mark.parametrize(
    ("kind", "source", "names"),
    [  # one of each converter with workers as they are, the others with warm ones
        ("keras", "Keras 3.", ("image", "logits")),
        ("h5", "Keras 3.", ("image", "logits")),
        ("export", "SavedModel (TensorFlow 2.", ("image", "output_0")),
        ("saved_model", "SavedModel (TensorFlow 2.", ("inputs", "output_0")),
        ("legacy_h5", "Keras 3.", ("image", "logits")),
        ("legacy_saved_model", "SavedModel (TensorFlow 2.", ("image", "logits")),
        ("torch", "PyTorch 2.", ("image", "linear")),
        ("torch_dynamic", "PyTorch 2.", ("image", "linear")),
        ("onnx", "ONNX model (.onnx)", ("image", "logits")),
        ("onnx_dynamic", "ONNX model (.onnx)", ("image", "logits")),
    ],
)
def test_the_same_network_in_every_format_is_as_good_on_the_board_within_one_image(
    kind, source, names, digits, tmp_path, request
):
    if kind not in {"keras", "saved_model", "torch", "onnx"}:
        request.getfixturevalue("warm_workers")
    train_images, test_images, labels = digits
    expected = int((digits_sources.logits(test_images).argmax(axis=1) == labels).sum())
    digits_sources.require(*CONVERTERS.get(kind, ()))
    path = digits_sources.make(kind, tmp_path)
    calibration = train_images.transpose(0, 3, 1, 2) if kind in CHANNELS_FIRST else train_images
    conversion = convert(path, tmp_path / "int8.tflite", samples=calibration)
    graph = conversion.graph
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [(end.name, end.shape) for end in ends] == [(names[0], (1, 8, 8, 1)), (names[1], (1, 10))]
    assert conversion.source.startswith(source)
    assert conversion.agreement_db > 100
    assert abs(right_on_the_board(tmp_path / "int8.tflite", test_images, labels) - expected) <= 1


@needs("tensorflow", "torch", "litert_torch")
@pytest.mark.usefixtures("use_caches", "warm_workers")
def test_a_live_model_is_converted_like_its_file(digits, tmp_path):
    import torch

    train_images, _, _ = digits
    calibration = train_images.transpose(0, 3, 1, 2)
    live = convert(digits_sources.torch_model(), samples=calibration, example_inputs=(torch.rand(1, 1, 8, 8),))
    assert live.data == convert(digits_sources.make("torch", tmp_path), samples=calibration).data


@needs("tensorflow")
@pytest.mark.usefixtures("use_caches", "warm_workers")
def test_int16x8_is_nearer_to_the_float_model_than_int8_by_as_much_as_int8_foretold(digits, tmp_path):
    train_images, _, _ = digits
    source = digits_sources.make("keras", tmp_path)
    int8, int16 = (
        convert(source, samples=train_images, settings=QuantizationSettings(target=target))
        for target in ("int8", "int16x8")
    )
    assert int16.quality.min_sqnr_db > int8.quality.min_sqnr_db + 0.5
    assert int16.quality.min_sqnr_db == pytest.approx(int8.quality.outputs[0].weights_sqnr_db, abs=1.0)


@needs("tensorflow")
@pytest.mark.usefixtures("use_caches", "warm_workers")
@pytest.mark.parametrize("name", FLOAT_MODELS)
def test_the_public_float_models_run_on_the_board_as_in_the_oracle(name, model_file):
    noise = SampleSource(options=SampleOptions(limit=20))
    deployment = flash(model_file(f"{name}_float.tflite"), M4, samples=noise)
    assert deployment.comparison.exact
    assert deployment.comparison.samples == 16 + 4
    print(
        f"{name}: {deployment.conversion.quality.min_sqnr_db:.1f} dB, {deployment.latency.per_inference:,} instructions"
    )


@needs("tensorflow")
@pytest.mark.usefixtures("use_caches", "warm_workers")
def test_mobilenetv2_comes_from_keras_to_a_cortex_m7(tmp_path):
    path = tmp_path / "mobilenet.keras"
    made = subprocess.run([sys.executable, TESTS / "mobilenet.py", path], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    deployment = flash(path, M7, samples=images(40, seed=2))
    assert deployment.comparison.exact
    quality = deployment.conversion.quality
    print(
        f"{quality.min_sqnr_db:.1f} dB, top-1 {quality.top1_agreement:.0%}, arena {deployment.arena.used_bytes:,}, "
        f"flash {deployment.image.flash_bytes:,}, {deployment.latency.per_inference:,} instructions"
    )
    # Random weights pass errors on as trained ones do not; a wrong conversion has 0 dB or less.
    assert quality.top1_agreement >= 0.5
    assert quality.min_sqnr_db > 5
