"""A firmware's ELF file → what it takes of the board's memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinydeploy.errors import BuildError

if TYPE_CHECKING:  # pyelftools takes as long to load as half of a plan takes to make
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section

# Placeholders for what is free, or for memory that another section takes under its second address: *dummy* and *noload*
# of ESP-IDF, .heap and .stack_dummy of the Pico SDK and mbed, ._user_heap_stack of STM32Cube.
_TAKES_NOTHING = re.compile(r"dummy|heap|noload")

# Memories beside the one that variables are in: ESP32's instruction RAM, the RAM of its real-time clock, RAM on a chip
# of its own (Teensy: .bss.extram), and flash under an address of its own.
_OTHER_MEMORY = re.compile(r"\.(iram|rtc|ext_ram|flash)|.*\.extram$")

# A bootloader puts these to their place and not the firmware itself, so they have the same address in both columns.
_LOADED_TO_RAM = re.compile(r"\.dram0\.")

# What the engines write: constants in src/model.c, or the whole model in src/model_data.cc.
_MODEL_SOURCE = re.compile(r"model(_data)?\.(c|cc)")
_MODEL_SYMBOLS = ("model_data",)


@dataclass(frozen=True, kw_only=True)
class Image:
    """A firmware that was built, and what it takes.

    ``flash_bytes``: everything that is stored, initial values of variables included. ``ram_bytes``: variables, code
    that runs in their memory, and the reserve for the stack where the linker script has one; not the heap.
    ``model_bytes``: weights, biases, and the parameters that the engine made of the model: where the linker script is
    our own, its section ``.td_model``, elsewhere the constants of the engine's own sources. None where they cannot be
    told from others. ``code_bytes``: the rest of the flash.
    """

    elf: Path
    flash_bytes: int
    ram_bytes: int
    model_bytes: int | None

    @property
    def code_bytes(self) -> int | None:
        """Flash without the model's constants; None where those are not known."""
        return None if self.model_bytes is None else self.flash_bytes - self.model_bytes


def read_image(path: Path) -> Image:
    """What a firmware takes: of any chip, linked with any linker script.

    Raises:
        BuildError: This is not a firmware.
    """
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            sections = [section for section in elf.iter_sections() if _takes_memory(section)]
            return Image(
                elf=path,
                flash_bytes=sum(section["sh_size"] for section in sections if not _is_empty(section)),
                ram_bytes=sum(section["sh_size"] for section in sections if _is_in_ram(elf, section)),
                model_bytes=_model_bytes(elf),
            )
    except Exception as error:  # pyelftools raises several kinds on a damaged file
        raise BuildError(f"not a firmware: {path}", where={"reason": str(error)}, hint="build it again") from error


def _takes_memory(section: "Section") -> bool:
    from elftools.elf.constants import SH_FLAGS

    return bool(section["sh_flags"] & SH_FLAGS.SHF_ALLOC) and not _TAKES_NOTHING.search(section.name)


def _is_empty(section: "Section") -> bool:
    return bool(section["sh_type"] == "SHT_NOBITS")


def _is_in_ram(elf: "ELFFile", section: "Section") -> bool:
    """Whether a section is in the memory of variables when the firmware runs.

    The flag for writing does not tell: linker scripts leave it on tables of pointers in flash (.isr_vector, .rodata)
    and lose it on .data. What is stored at one address and runs at another has been copied to RAM.
    """
    if _OTHER_MEMORY.match(section.name):
        return False
    return _is_empty(section) or bool(_LOADED_TO_RAM.match(section.name)) or _is_copied(elf, section["sh_addr"])


def _is_copied(elf: "ELFFile", address: int) -> bool:
    return any(
        segment["p_type"] == "PT_LOAD"
        and segment["p_vaddr"] != segment["p_paddr"]
        and 0 <= address - segment["p_vaddr"] < segment["p_filesz"]
        for segment in elf.iter_segments()
    )


def _model_bytes(elf: "ELFFile") -> int | None:
    own = elf.get_section_by_name(".td_model")
    if own is not None:
        return int(own["sh_size"])
    return sum(_model_constants(elf)) or None


def _model_constants(elf: "ELFFile") -> Iterator[int]:
    """The sizes of all objects that are constant in the model's own sources.

    A symbol table has local symbols behind the name of their source, and global ones, with no source, at its end
    (System V ABI, "Symbol Table").
    """
    from elftools.elf.sections import SymbolTableSection

    table = elf.get_section_by_name(".symtab")
    source = ""
    for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        info = symbol["st_info"]
        if info["type"] == "STT_FILE":
            source = symbol.name.rpartition("/")[2]
        is_models = _MODEL_SOURCE.fullmatch(source) if info["bind"] == "STB_LOCAL" else symbol.name in _MODEL_SYMBOLS
        if info["type"] == "STT_OBJECT" and is_models and _is_stored(elf, symbol["st_shndx"]):
            yield symbol["st_size"]


def _is_stored(elf: "ELFFile", index: int | str) -> bool:
    return isinstance(index, int) and _takes_memory(elf.get_section(index)) and not _is_empty(elf.get_section(index))
