"""Changes to a model's structure: flatbuffers that are whole, and tables that make no sense or mean harm.

change(builder, rng)       makes one of `CHANGES` to an opened model, and tells which
packed(builder)            the file, or None where it has a value that no file can have
"""

import random
import struct

import flatbuffers
from mutated_parts import PARTS
from mutated_whole import WHOLE
from tflite_builder import ModelBuilder

CHANGES = (*PARTS, *WHOLE)


def change(builder: ModelBuilder, rng: random.Random) -> str:
    """Makes one change; returns what it was."""
    made = rng.choice(CHANGES)
    return f"{made.__name__.lstrip('_')}: {made(builder, rng)}"


def packed(builder: ModelBuilder) -> bytes | None:
    """The bytes of the file."""
    writer = flatbuffers.Builder(1 << 16)
    try:
        writer.Finish(builder.model.Pack(writer), b"TFL3")
    except (TypeError, struct.error, ValueError, OverflowError, AttributeError, IndexError):
        return None
    return bytes(writer.Output())
