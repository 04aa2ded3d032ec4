"""Models in memory are saved as what can be converted; each in a process of its own, where its framework is."""

import subprocess
from pathlib import Path

import digits_sources
import pytest
import warm

from tinydeploy.convert.sources import SourceFormat, save_live, source_format, to_float
from tinydeploy.errors import UsageError

TESTS = Path(digits_sources.__file__).parent
_BEGIN = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
import digits_sources
from tinydeploy.convert.sources import save_live
from tinydeploy.errors import TinydeployError
folder = Path(sys.argv[1])
"""


def printed(script: str, folder: Path) -> str:
    framework = "torch" if "torch" in script else "tensorflow"
    program = folder.parent / f"{folder.name}.py"
    program.write_text(_BEGIN + script, encoding="utf-8")
    command = [warm.interpreter(*warm.OF_FRAMEWORKS[framework]), "-P", program, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_keras_model_becomes_a_keras_file(tmp_path):
    digits_sources.require("tensorflow", "keras")
    path = Path(printed("import keras; print(save_live(digits_sources.keras_model(keras), folder))", tmp_path))
    assert path == tmp_path / "model.keras"
    assert source_format(path) is SourceFormat.KERAS


def test_a_keras_model_with_a_layer_of_its_author_becomes_a_saved_model_that_converts(tmp_path):
    digits_sources.require("tensorflow", "keras")
    script = """
import keras
class Tripled(keras.layers.Layer):
    def call(self, values):
        return values * 3
x = keras.Input((4,), name="row")
print(save_live(keras.Model(x, Tripled()(x)), folder))
"""
    path = Path(printed(script, tmp_path))
    assert source_format(path) is SourceFormat.SAVED_MODEL
    assert to_float(path).agreement_db > 100.0


def test_keras_models_with_functions_or_classes_of_their_author_become_saved_models(tmp_path):
    digits_sources.require("tensorflow", "keras")
    script = """
import keras
layers = keras.layers
def doubled(values):
    return values * 2
@keras.saving.register_keras_serializable("mine")
def tripled(values):
    return values * 3
class Silent(keras.regularizers.Regularizer):
    def __call__(self, values):
        return 0.0
x = keras.Input((4,), name="row")
both = layers.Dense(3, activation=doubled)(layers.Lambda(lambda values: values + 1, output_shape=(4,))(x))
outputs = {
    "both": both,
    "lambda": layers.Lambda(doubled, output_shape=(4,))(x),
    "lambda_activation": layers.Dense(3, activation=lambda values: values * 2)(x),
    "registered": layers.Activation(tripled)(x),
    "regularizer": layers.Dense(3, kernel_regularizer=Silent())(x),
    "nested": keras.Model(x, both)(x),
    "plain": keras.ops.tanh(layers.Dense(3, activation="relu")(x))[:, 1:] * 2,
}
for name, output in outputs.items():
    (folder / name).mkdir()
    print(name, save_live(keras.Model(x, output), folder / name).name)
"""
    saved = dict(line.split() for line in printed(script, tmp_path).splitlines())
    assert saved.pop("plain") == "model.keras"
    assert set(saved.values()) == {"saved_model"}
    assert len(saved) == 6
    assert to_float(tmp_path / "both" / "saved_model").agreement_db > 100.0
    assert to_float(tmp_path / "plain" / "model.keras").agreement_db > 100.0


def test_a_model_of_tf_keras_becomes_a_saved_model(tmp_path):
    digits_sources.require("tensorflow", "tf_keras")
    script = "import tf_keras; print(save_live(digits_sources.keras_model(tf_keras), folder))"
    assert source_format(Path(printed(script, tmp_path))) is SourceFormat.SAVED_MODEL


def test_a_torch_module_becomes_a_program_in_evaluation_mode_and_stays_in_its_own(tmp_path):
    digits_sources.require("torch", "litert_torch")
    script = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(8)).train()
model[2].eval()
print(save_live(model, folder, example_inputs=(torch.rand(1, 4),)))
assert [module.training for module in model] == [True, True, False]
assert model.training
"""
    path = Path(printed(script, tmp_path))
    assert source_format(path) is SourceFormat.TORCH
    assert to_float(path).agreement_db > 100.0


def test_a_torch_module_without_example_inputs_is_an_error(tmp_path):
    digits_sources.require("torch")
    script = """
import torch
try:
    save_live(torch.nn.ReLU(), folder)
except TinydeployError as error:
    print(error.summary, "|", error.hint)
"""
    assert printed(script, tmp_path) == (
        "a PyTorch module does not tell the shapes of its inputs | "
        "give one of each: example_inputs=(torch.rand(1, 3, 96, 96),)"
    )


def test_a_torch_module_that_cannot_be_exported_says_why(tmp_path):
    digits_sources.require("torch")
    script = """
import torch
try:
    save_live(torch.nn.Linear(4, 2), folder, example_inputs=(torch.rand(1, 5),))
except TinydeployError as error:
    print(error.exit_code, error.summary)
    print(error.where["says"])
"""
    first, second = printed(script, tmp_path).splitlines()
    assert first == "3 Linear cannot be exported"
    assert second


def test_a_keras_model_that_was_not_built_is_an_error(tmp_path):
    digits_sources.require("tensorflow", "keras")
    script = """
import keras
try:
    save_live(keras.Sequential([keras.layers.Dense(2)]), folder)
except TinydeployError as error:
    print(error.summary, "|", error.hint)
"""
    assert printed(script, tmp_path) == (
        "the Keras model has no input shape yet | call it once, or begin it with keras.Input(shape)"
    )


def test_anything_else_is_no_model(tmp_path):
    with pytest.raises(UsageError) as caught:
        save_live(object(), tmp_path)
    assert caught.value.summary == "builtins.object is no model"
    assert caught.value.hint == "give a Keras model, a torch.nn.Module, or the path of a model"
