"""What a file that is not a TensorFlow Lite model looks like, and what to do with it."""

from dataclasses import dataclass

from tinydeploy.errors import ModelError

IDENTIFIER = b"TFL3"
CONVERT = "convert it to full int8 first: tinydeploy convert MODEL -o OUT.tflite --samples DATA"


@dataclass(frozen=True, kw_only=True)
class _Format:
    prefix: bytes
    name: str
    hint: str = CONVERT


_FORMATS = (
    _Format(prefix=b"\x89HDF\r\n\x1a\n", name="HDF5 (Keras .h5)"),
    _Format(prefix=b"PK\x03\x04", name="a zip archive (.keras, PyTorch or npz)"),
    _Format(prefix=b"version https://git-lfs", name="a Git LFS pointer", hint="fetch the real file: git lfs pull"),
    _Format(prefix=b"<!DOCTYPE", name="a web page", hint="download the file itself, not the page about it"),
    _Format(prefix=b"<html", name="a web page", hint="download the file itself, not the page about it"),
    _Format(prefix=b"\x7fELF", name="an ELF program", hint="give the .tflite that went into it"),
    _Format(prefix=b"\x1f\x8b", name="gzip", hint="unpack it first"),
    _Format(prefix=b"\x93NUMPY", name="a numpy array", hint="samples go to --samples; give the .tflite here"),
    _Format(prefix=b"\x80", name="a Python pickle (PyTorch)"),
    _Format(prefix=b"\x08", name="ONNX or another protocol buffer"),
)


def check_identifier(data: bytes, name: str) -> None:
    """Nothing, where the bytes of the file ``name`` start as a .tflite file does.

    Raises:
        ModelError: They do not; says what they look like instead.
    """
    if not data:
        raise ModelError(f"{name} is empty (0 bytes)", hint="copy or convert the model again")
    if data[4:8] == IDENTIFIER:
        return
    summary = f"{name} is not a TensorFlow Lite model (no TFL3 identifier"
    for known in _FORMATS:
        if data.startswith(known.prefix):
            raise ModelError(f"{summary}; looks like {known.name})", hint=known.hint)
    if b"alignas" in data[:4096] or b"unsigned char" in data[:4096]:
        raise ModelError(f"{summary}; looks like C source)", hint="give the .tflite that the array was made from")
    raise ModelError(f"{summary} in its {len(data):,} bytes)", hint="give a .tflite file")
