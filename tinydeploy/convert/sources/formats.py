"""Which format a model has, told from what is in it and never from its name."""

import enum
import zipfile
from pathlib import Path

from tinydeploy.convert.sources.onnx_file import is_onnx
from tinydeploy.errors import ModelError, UsageError
from tinydeploy.model.formats import IDENTIFIER, check_identifier
from tinydeploy.model.reader import read_bytes

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_PICKLES = tuple(bytes([0x80, version]) for version in range(2, 6))
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
# In a torch.export archive, of PyTorch 2.8 and later or of earlier ones (torch/export/pt2_archive/constants.py).
_TORCH_EXPORT = ("/archive_format", "serialized_exported_program.json")

_EXPORT = (
    "export it with its inputs:\n"
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')  with an example of batch 1"
)


class SourceFormat(enum.Enum):
    """What a model is kept as; the value is what it is called in messages."""

    TFLITE = ".tflite"
    KERAS = "Keras model"
    SAVED_MODEL = "SavedModel"
    TORCH = "PyTorch program"
    ONNX = "ONNX model"


def source_format(path: Path) -> SourceFormat:
    """The format of a file or a folder. That it is whole is left to who reads it.

    Raises:
        UsageError: There is nothing there, or it cannot be read, or the folder holds no model.
        ModelError: It is of none of these formats; says what it looks like, and what to do.
    """
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except FileNotFoundError as error:
        raise UsageError(f"no such file: {path}", hint="give a model: a file, or a SavedModel folder") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path}: {reason}", hint="check its permissions") from error


def _of_folder(path: Path) -> SourceFormat:
    entries = sorted(entry.name for entry in path.iterdir())
    if not set(entries).isdisjoint(_SAVED_MODEL):
        return SourceFormat.SAVED_MODEL
    summary = f"{path} is no SavedModel: there is no saved_model.pb in it"
    hint = "give a model: a file, or a folder that model.export() or tf.saved_model.save() wrote"
    shown = ", ".join(entries[:6]) + (", ..." if len(entries) > 6 else "")
    raise UsageError(summary, where={"holds": shown or "nothing"}, hint=hint)


def _of_file(path: Path) -> SourceFormat:
    with path.open("rb") as stream:
        head = stream.read(16)
    if head[4:8] == IDENTIFIER:
        return SourceFormat.TFLITE
    if head.startswith(_HDF5):
        return SourceFormat.KERAS
    if head.startswith(_ZIP):
        return _of_archive(path)
    if head.startswith(_PICKLES):
        raise _pickled(path)
    if path.name in _SAVED_MODEL:
        raise ModelError(f"{path} is one file of a SavedModel", hint=f"give its folder: {path.parent}")
    if is_onnx(path):
        return SourceFormat.ONNX
    check_identifier(read_bytes(path), path.name)
    raise AssertionError(path)  # it has no identifier


def _of_archive(path: Path) -> SourceFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path.name} is a damaged zip archive", hint="copy or save the model again") from error
    if "config.json" in names:
        return SourceFormat.KERAS
    if any(name.endswith(_TORCH_EXPORT) for name in names):
        return SourceFormat.TORCH
    if any("/code/" in name for name in names):
        raise ModelError(f"{path.name} is TorchScript, which PyTorch has given up", hint=_EXPORT)
    if any(name.endswith("data.pkl") for name in names):
        raise _pickled(path)
    raise ModelError(
        f"{path.name} is a zip archive that holds no model",
        hint="give a .keras file, a torch.export archive (.pt2), or what is in the archive",
    )


def _pickled(path: Path) -> ModelError:
    return ModelError(
        f"{path.name} is a Python pickle, such as torch.save writes: weights without the model, or code",
        hint=_EXPORT,
    )
