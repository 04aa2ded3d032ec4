"""Real models through real converters; each framework's tests are skipped where it is not installed."""

import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import digits_sources
import odd_sources
import pytest
import warm

from tinydeploy import worker
from tinydeploy.convert.float_model import FloatModel
from tinydeploy.convert.sources import to_float
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

_FIRST_TO_LAST = (0, 2, 3, 1)


def graph_of(model: FloatModel) -> Graph:
    return parse_model(model.data, name="m.tflite")


def ends(model: FloatModel) -> tuple[list, list]:
    graph = graph_of(model)
    return tuple(
        [(graph.tensors[i].name, graph.tensors[i].shape) for i in side] for side in (graph.inputs, graph.outputs)
    )


def kinds(model: FloatModel) -> list[str]:
    return [op.kind for op in graph_of(model).ops]


@pytest.fixture(scope="module", autouse=True)
def warm_workers():
    """Each model is converted in a process of its own still, but one in which the framework is imported already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "run", warm.run_worker)
        yield


_AT_ONCE = ThreadPoolExecutor(max_workers=2)
_CONVERSIONS: dict[Path, Future[FloatModel]] = {}


def group(name, *modules):
    @pytest.fixture(scope="module")
    def made(tmp_path_factory, warm_workers):  # noqa: ARG001
        digits_sources.require(*modules)
        python = warm.interpreter(*warm.OF_FRAMEWORKS.get(modules[0], ()))
        folder = odd_sources.make_all(name, tmp_path_factory.mktemp(name), python=python)
        _CONVERSIONS.update({path: _AT_ONCE.submit(to_float, path) for path in sorted(folder.iterdir())})
        return folder

    return made


def converted(path: Path) -> FloatModel:
    """What becomes of a model; all of a group are converted in advance, two at a time."""
    return _CONVERSIONS[path].result() if path in _CONVERSIONS else to_float(path)


keras = group("keras", "tensorflow", "keras")
tf_keras = group("tf_keras", "tensorflow", "tf_keras")
torch = group("torch", "torch", "litert_torch")
onnx = group("onnx", "onnx", "tensorflow")


def refusal(path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        converted(path)
    assert caught.value.exit_code == 3
    assert caught.value.where["model"] == path.name
    return caught.value


def test_several_inputs_and_outputs_keep_their_order_and_names(keras):
    found = ends(converted(keras / "several.keras"))
    assert found == (
        [("zeta", (1, 4)), ("alpha", (1, 8, 8, 1))],
        [("sums", (1, 3)), ("convolved", (1, 6, 6, 2))],
    )


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lstm.keras", "memory (LSTM, unroll=False)"),
        ("gru.keras", "backward_memory (GRU, unroll=False)\nforward_memory (GRU, unroll=False)"),
    ],
)
def test_a_recurrent_layer_that_loops_is_named_with_the_way_out(keras, name, layer):
    error = refusal(keras / name)
    assert error.summary == "the model has a loop, which cannot be quantised (WHILE)"
    assert error.where["layer"] == layer
    assert "unroll=True" in error.hint
    assert "pip install tf-keras" in error.hint


def test_a_recurrent_layer_in_a_saved_model_is_named_too(keras):
    error = refusal(keras / "lstm_saved_model")
    assert error.summary == "the model has a loop, which cannot be quantised (TensorFlow's converter refuses it)"
    assert "memory" in error.where["layer"]


def test_an_unrolled_lstm_has_no_loop(keras):
    model = converted(keras / "unrolled.keras")
    assert ends(model) == ([("sequence", (1, 8, 4))], [("dense", (1, 2))])
    assert "WHILE" not in kinds(model)


@pytest.mark.parametrize(
    ("name", "summary", "hint"),
    [
        ("open.keras", "input sequence has dimensions of no fixed size: (None, None, 4)", "build it with fixed sizes"),
        ("batch4.keras", "input row has a batch that is fixed at 4: (4, 8)", "with batch 1"),
        (
            "lambda.keras",
            "layer doubled (Lambda) holds Python code, which is not run from a file",
            "model.export('folder')",
        ),
        ("own.keras", "layer tripled is of a class of your own: Tripled", "model.export('folder')"),
        ("only.weights.h5", "the file holds weights without a model", "model.save('model.keras')"),
        ("two", "the SavedModel has no signature serving_default", "model.export(folder)"),
        ("none", "the SavedModel has no signature serving_default", "model.export(folder)"),
        ("text", "input input takes text", "export the model without what prepares its inputs"),
    ],
)
def test_a_keras_model_that_cannot_be_converted_says_why(keras, name, summary, hint):
    error = refusal(keras / name)
    assert error.summary == summary
    assert hint in error.hint


def test_a_layer_of_ones_own_goes_by_way_of_a_saved_model(keras):
    assert kinds(converted(keras / "own_saved_model")) == ["MUL"]


def test_a_signature_of_any_name_will_do_where_it_is_the_only_one(keras):
    assert ends(converted(keras / "one_named")) == ([("row", (1, 4))], [("output_0", (1, 4))])


def test_an_op_that_tensorflow_lite_lacks_is_named_with_its_layer(keras):
    error = refusal(keras / "unsupported")
    assert error.summary == "TensorFlow Lite has no op for: Erfinv"
    assert error.where["layer"].startswith("inverse")
    assert error.hint.startswith("express it with other ops")


def test_a_model_that_computes_something_else_afterwards_is_refused(keras):
    error = refusal(keras / "noisy")
    assert error.summary.startswith("the converted model computes something else than its source: ")
    assert error.summary.endswith(" dB, at least 40 dB expected")
    assert "random" in error.hint


def test_a_damaged_keras_file_says_so(keras, tmp_path):
    damaged = tmp_path / "cut.h5"
    damaged.write_bytes((keras / "only.weights.h5").read_bytes()[:1000])
    assert refusal(damaged).summary == "the Keras file is damaged"


def test_a_damaged_saved_model_says_so(keras, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((keras / "one_named" / "saved_model.pb").read_bytes()[:200])
    error = refusal(tmp_path)
    assert error.summary == "TensorFlow cannot load the SavedModel"
    assert error.hint.startswith("export it again")


@pytest.mark.parametrize("name", ["lstm.h5", "lstm.keras", "lstm"])
def test_an_lstm_of_tf_keras_becomes_one_op(tf_keras, name):
    model = converted(tf_keras / name)
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in kinds(model)
    assert ends(model) == ([("sequence", (1, 8, 4))], [("end", (1, 2))])


def test_a_gru_of_tf_keras_is_refused_by_name(tf_keras):
    assert refusal(tf_keras / "gru.h5").where["layer"] == "memory (GRU, unroll=False)"


def test_code_in_an_old_keras_file_is_not_run(tf_keras):
    assert (
        refusal(tf_keras / "lambda.h5").summary
        == "layer doubled (Lambda) holds Python code, which is not run from a file"
    )


def test_a_torch_program_with_nested_inputs_and_outputs_becomes_flat_with_channels_last(torch):
    model = converted(torch / "nested.pt2")
    assert ends(model) == (
        [("pair_0", (1, 4)), ("pair_1", (1, 4)), ("image", (1, 5, 6, 3))],
        [("relu", (1, 5, 6, 3)), ("add", (1, 4))],
    )
    assert model.permutations == (None, None, _FIRST_TO_LAST)


def test_a_gru_of_torch_is_taken_apart(torch):
    assert ends(converted(torch / "gru.pt2"))[0] == [("input", (1, 5, 4))]


@pytest.mark.parametrize(
    ("name", "summary", "hint"),
    [
        ("batch4.pt2", "input input has a batch that is fixed at 4: (4, 4)", "with batch 1"),
        ("open.pt2", "input input has dimensions of no fixed size: (1, None)", "export it with fixed sizes"),
        ("unsupported.pt2", "litert-torch cannot convert the op aten.i0.default", "express it with other ops"),
        ("dropout.pt2", "litert-torch cannot convert the op aten.rand_like.default", "call model.eval()"),
        ("weights.pth", "weights.pth is a Python pickle", "torch.export.save("),
        ("old.pt", "old.pt is a Python pickle", "torch.export.save("),
        ("script.pt", "script.pt is TorchScript", "torch.export.save("),
    ],
)
def test_a_torch_model_that_cannot_be_converted_says_why(torch, name, summary, hint):
    with pytest.raises(ModelError) as caught:
        converted(torch / name)
    assert caught.value.summary.startswith(summary)
    assert hint in caught.value.hint


def test_an_archive_that_torch_cannot_load_says_so(tmp_path):
    digits_sources.require("torch", "litert_torch")
    damaged = tmp_path / "m.pt2"
    with zipfile.ZipFile(damaged, "w") as file:
        file.writestr("m/archive_format", "pt2")
    error = refusal(damaged)
    assert error.summary.endswith("cannot load the exported program")
    assert error.hint.startswith("export it again with this version of PyTorch")


def test_an_onnx_layout_that_no_shape_tells_is_found_by_computing(onnx):
    model = converted(onnx / "cube.onnx")
    assert ends(model) == ([("in/image:0", (1, 3, 3, 3))], [("rectified", (1, 3, 3, 3)), ("out", (1, 3, 3, 3))])
    assert model.permutations == (_FIRST_TO_LAST,)


def test_onnx_images_of_three_channels_need_no_photographs(onnx):
    assert ends(converted(onnx / "photo.onnx")) == ([("image", (1, 16, 16, 3))], [("out", (1, 14, 14, 4))])


def test_onnx_signals_get_channels_last_and_plain_rows_stay(onnx):
    model = converted(onnx / "sound.onnx")
    assert ends(model)[0] == [("wave", (1, 16, 2)), ("rows", (1, 5, 4))]
    assert model.permutations == ((0, 2, 1), None)


@pytest.mark.parametrize("name", ["lstm", "gru", "stateless"])
def test_recurrent_layers_of_onnx_are_unrolled(onnx, name):
    model = converted(onnx / f"{name}.onnx")
    assert ends(model) == ([("sequence", (1, 5, 4))], [("all", (5, 1, 1, 3))])
    assert "WHILE" not in kinds(model)


@pytest.mark.parametrize(
    ("name", "summary", "where"),
    [
        ("open", "input image has dimensions of no fixed size: (None, 3, None, 8)", {}),
        ("batch4", "input image has a batch that is fixed at 4: (4, 3, 8, 8)", {}),
        ("branch", "the model has loops or branches, which cannot be quantised", {"layer": "choice (If)"}),
        ("invalid", "the ONNX file is not valid", {"says": "NoSuchOp"}),
        ("unsupported", "TensorFlow Lite has no op for: MatrixDeterminant", {}),
    ],
)
def test_an_onnx_model_that_cannot_be_converted_says_why(onnx, name, summary, where):
    error = refusal(onnx / f"{name}.onnx")
    assert error.summary == summary
    assert all(text in error.where[label] for label, text in where.items())
