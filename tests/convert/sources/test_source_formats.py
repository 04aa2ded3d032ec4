"""The format of a model is told from what is in it."""

import zipfile

import pytest
from tflite_builder import ModelBuilder

from tinydeploy.convert.sources.formats import SourceFormat, source_format
from tinydeploy.errors import ModelError, UsageError

# ir_version 9; producer_name "x"; graph of 2 bytes; opset_import of 2 bytes.
ONNX = b"\x08\x09\x12\x01x\x3a\x02\x0a\x00\x42\x02\x10\x11"


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path


def written(path, content):
    path.write_bytes(content)
    return path


def tflite() -> bytes:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=1.0), builder.tensor((1, 4), scale=1.0)
    builder.op("RELU", [x], [y])
    return builder.finish(inputs=[x], outputs=[y])


def test_names_do_not_matter_and_content_does(tmp_path):
    assert source_format(written(tmp_path / "a.onnx", tflite())) is SourceFormat.TFLITE
    assert source_format(written(tmp_path / "a.tflite", ONNX)) is SourceFormat.ONNX
    assert source_format(written(tmp_path / "b.pt", b"\x89HDF\r\n\x1a\n" + bytes(40))) is SourceFormat.KERAS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["metadata.json", "config.json", "model.weights.h5"], SourceFormat.KERAS),
        (["m/archive_format", "m/models/model.json"], SourceFormat.TORCH),
        (["serialized_exported_program.json", "version"], SourceFormat.TORCH),
    ],
)
def test_archives_are_told_by_what_they_hold(tmp_path, names, expected):
    assert source_format(archive(tmp_path / "model", *names)) is expected


def test_a_folder_with_a_saved_model_is_one(tmp_path):
    written(tmp_path / "saved_model.pb", b"\x08\x01")
    assert source_format(tmp_path) is SourceFormat.SAVED_MODEL


NO_MODEL = "x is not a TensorFlow Lite model (no TFL3 identifier; looks like"


@pytest.mark.parametrize(
    ("content", "summary", "hint"),
    [
        (
            b"\x80\x02}q\x00.",
            "x is a Python pickle, such as torch.save writes: weights without the model,",
            "export.save(",
        ),
        (b"", "x is empty (0 bytes)", "copy or convert the model again"),
        (b"<html>", f"{NO_MODEL} a web page)", "download the file itself"),
        (ONNX[:-1], f"{NO_MODEL} ONNX or another protocol buffer)", "convert it"),
        (b"PK\x03\x04rest", "x is a damaged zip archive", "copy or save the model again"),
    ],
)
def test_what_is_no_model_is_named(tmp_path, content, summary, hint):
    with pytest.raises(ModelError) as caught:
        source_format(written(tmp_path / "x", content))
    assert caught.value.summary.startswith(summary)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("names", "summary", "hint"),
    [
        (
            ["m/data.pkl", "m/code/__torch__.py"],
            "m.pt is TorchScript, which PyTorch has given up",
            "torch.export.save(",
        ),
        (["m/data.pkl", "m/data/0"], "m.pt is a Python pickle, such as torch.save writes", "torch.export.save("),
        (["readme.txt"], "m.pt is a zip archive that holds no model", "give a .keras file"),
    ],
)
def test_archives_without_a_program_say_how_to_make_one(tmp_path, names, summary, hint):
    with pytest.raises(ModelError) as caught:
        source_format(archive(tmp_path / "m.pt", *names))
    assert caught.value.summary.startswith(summary)
    assert hint in caught.value.hint


def test_a_path_with_nothing_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no such file: ") as caught:
        source_format(tmp_path / "none.keras")
    assert caught.value.hint == "give a model: a file, or a SavedModel folder"


@pytest.mark.parametrize(("names", "holds"), [([], "nothing"), (["a.txt", "b"], "a.txt, b")])
def test_a_folder_without_a_model_is_an_error_that_says_what_it_holds(tmp_path, names, holds):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"is no SavedModel: there is no saved_model\.pb in it") as caught:
        source_format(tmp_path)
    assert caught.value.where == {"holds": holds}


def test_one_file_of_a_saved_model_names_its_folder(tmp_path):
    with pytest.raises(ModelError, match="is one file of a SavedModel") as caught:
        source_format(written(tmp_path / "saved_model.pb", b"\x08\x01\x12\x00"))
    assert caught.value.hint == f"give its folder: {tmp_path}"
