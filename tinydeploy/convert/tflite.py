"""A .tflite file as a source: integers for its float ends, or the form in which a float one is quantised."""

from tinydeploy.convert.constants import to_float_constants
from tinydeploy.convert.ends import to_integer_ends
from tinydeploy.convert.flatbuffer import damage_told, drop_unused, pack, unpack
from tinydeploy.convert.float_model import FloatModel
from tinydeploy.convert.precision import precision_of
from tinydeploy.convert.static_shapes import make_static
from tinydeploy.model.raw import decode


def with_integer_ends(data: bytes, name: str) -> bytes:
    """The same model with integers at its ends; see `ends.to_integer_ends`."""
    with damage_told(name):
        model = unpack(data, name)
        to_integer_ends(model)
        drop_unused(model)
        return pack(model)


def float_tflite(data: bytes, name: str) -> FloatModel:
    """A float or dynamic-range .tflite with float32 constants, batch 1 and fixed shapes.

    Raises:
        ModelError: Its constants are not understood, or it cannot be run with batch 1.
    """
    converted = normalized(data, name)
    inputs = len(decode(converted).inputs)
    return FloatModel(data=converted, source=precision_of(data, name).value, permutations=(None,) * inputs)


def normalized(data: bytes, name: str) -> bytes:
    """The form in which every float .tflite goes on, whoever converted it: float32 constants, batch 1, fixed shapes."""
    with damage_told(name):
        model = unpack(data, name)
        to_float_constants(model)
        make_static(model)
        # litert-torch says there that constants are to stay as they are, and the quantiser obeys.
        model.metadata = model.metadataBuffer = None
        drop_unused(model)
        return pack(model)
