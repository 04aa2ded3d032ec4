"""ELF files that have section tables and nothing else: what `readelf -S -l` printed, made a file again."""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SEGMENT = struct.Struct("<8I")
_TYPES = {"PROGBITS": 1, "STRTAB": 3, "NOBITS": 8, "INIT_ARRAY": 14, "ARM_EXIDX": 0x70000001}
_FLAGS = {"W": 1, "A": 2, "X": 4, "L": 0x80}
_EM_ARM = 40


@dataclass(frozen=True)
class Load:
    """A program header of type LOAD."""

    vaddr: int
    paddr: int
    file_bytes: int
    memory_bytes: int


def elf_from_table(sections: str, loads: tuple[Load, ...] = ()) -> bytes:
    """A file with these sections: in each line name, type, address, size (both in hexadecimal) and flags."""
    rows = [line.split() for line in sections.strip().splitlines()]
    names = b"\0" + b"".join(row[0].encode() + b"\0" for row in rows) + b".shstrtab\0"
    table_at = _HEADER.size + _SEGMENT.size * len(loads)
    names_at = table_at + _SECTION.size * (len(rows) + 2)
    table = bytes(_SECTION.size)
    for name, kind, address, size, *flags in rows:
        set_flags = sum(_FLAGS[flag] for flag in "".join(flags))
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        table += _SECTION.pack(at, _TYPES[kind], set_flags, int(address, 16), names_at, int(size, 16), 0, 0, 1, 0)
    at = names.index(b".shstrtab")
    table += _SECTION.pack(at, _TYPES["STRTAB"], 0, 0, names_at, len(names), 0, 0, 1, 0)
    segments = b"".join(
        _SEGMENT.pack(1, 0, load.vaddr, load.paddr, load.file_bytes, load.memory_bytes, 4, 4) for load in loads
    )
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = _HEADER.pack(
        ident, 2, _EM_ARM, 1, 0, _HEADER.size, table_at, 0, _HEADER.size, _SEGMENT.size, len(loads), _SECTION.size,
        len(rows) + 2, len(rows) + 1,
    )  # fmt: skip
    return header + segments + table + names
