"""Damaged and hostile .tflite files, made of good ones. The same model and seed give the same bytes.

    mutant(data, seed) -> Mutant                  its bytes, and what was done to them

A third of them are changed in their bytes (bits, words, truncation, insertion), the others in their structure through
the schema's object API (`mutated_structure`), where most of what is hostile cannot be had by chance. `attack_models`
runs them.
"""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass

import mutated_structure
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import opened

# Values that mean something as an offset, a length, an index, an enum or a float's bits (1.0, NaN, infinity).
_WORDS = (0, 1, 2, 4, 0x7F, 0x80, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF, 0x3F800000, 0x7FC00000)
_WORDS += (0x7F800000,)

Places = npt.NDArray[np.intp]
Damage = Callable[[random.Random, bytearray, Places], str]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A file, and its recipe in words."""

    data: bytes
    recipe: tuple[str, ...]


def mutant(data: bytes, seed: str) -> Mutant:
    """One to three changes of one sort to the model in ``data``."""
    rng = random.Random(seed)
    count = rng.choice((1, 1, 1, 2, 2, 3))
    if rng.random() < 1 / 3:
        return _damaged(data, rng, count)
    while True:
        builder = opened(data)
        recipe = [mutated_structure.change(builder, rng) for _ in range(count)]
        packed = mutated_structure.packed(builder)
        if packed is not None:  # some values are none that a file can have
            return Mutant(data=packed, recipe=tuple(recipe))


def _damaged(data: bytes, rng: random.Random, count: int) -> Mutant:
    damaged, tables = bytearray(data), _tables(data)
    recipe = [rng.choice(_DAMAGES)(rng, damaged, tables) for _ in range(count)]
    return Mutant(data=bytes(damaged), recipe=tuple(recipe))


@functools.lru_cache(maxsize=16)
def _tables(data: bytes) -> Places:
    """The places of a file that are in no constant of 64 bytes or more: mostly its tables, vectors and names."""
    is_table = np.ones(len(data), np.bool_)
    model = schema.Model.GetRootAs(data, 0)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength() >= 64:
            start = buffer._tab.Vector(buffer._tab.Offset(4))  # `data` is the table's first field
            is_table[start : start + buffer.DataLength()] = False
    return np.flatnonzero(is_table)


def _place(rng: random.Random, data: bytearray, tables: Places) -> int:
    """Mostly among the tables: what is among the weights changes numbers only."""
    if not data:
        return 0
    return rng.randrange(len(data)) if rng.random() < 0.2 else min(int(rng.choice(tables)), len(data) - 1)


def _bits(rng: random.Random, data: bytearray, tables: Places) -> str:
    places = [_place(rng, data, tables) for _ in range(rng.choice((1, 1, 4, 16)))]
    for at in places:
        if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
    return f"bits flipped in bytes {places}"


def _byte(rng: random.Random, data: bytearray, tables: Places) -> str:
    at, value = _place(rng, data, tables), rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    data[at : at + 1] = bytes([value])
    return f"byte {at} set to {value}"


def _word(rng: random.Random, data: bytearray, tables: Places) -> str:
    at, word = _place(rng, data, tables) // 4 * 4, rng.choice(_WORDS)
    data[at : at + 4] = word.to_bytes(4, "little")
    return f"word at {at} set to {word:#x}"


def _truncation(rng: random.Random, data: bytearray, tables: Places) -> str:
    length = rng.choice((_place(rng, data, tables), max(0, len(data) - rng.randrange(1, 64))))
    del data[length:]
    return f"cut to {length} bytes"


def _insertion(rng: random.Random, data: bytearray, tables: Places) -> str:
    at, added = _place(rng, data, tables), rng.randbytes(rng.choice((1, 2, 4, 16, 1000)))
    data[at:at] = added
    return f"{len(added)} bytes put in at {at}"


def _deletion(rng: random.Random, data: bytearray, tables: Places) -> str:
    at, length = _place(rng, data, tables), rng.choice((1, 2, 4, 16, 1000))
    del data[at : at + length]
    return f"{length} bytes taken out at {at}"


def _block(rng: random.Random, data: bytearray, tables: Places) -> str:
    at, source, length = _place(rng, data, tables), _place(rng, data, tables), rng.choice((4, 8, 32, 256))
    data[at : at + length] = data[source : source + length]
    return f"{length} bytes at {source} copied to {at}"


_DAMAGES: tuple[Damage, ...] = (_bits, _bits, _byte, _byte, _word, _word, _truncation, _insertion, _deletion, _block)
