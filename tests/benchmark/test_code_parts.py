from tinydeploy.benchmark.code_parts import base_of, parts_of
from tinydeploy.benchmark.linking import IN_FLASH, Piece, pieces

MAP = """Archive member included to satisfy reference by file (symbol)

Linker script and memory map

LOAD .pio/build/board/src/main.o

.text           0x00000000       0x30
 *(.text .text.*)
 .text.short    0x00000000       0x10 .pio/build/board/firmware/src/td_crc.o
                0x00000000                short
 .text.a_name_that_takes_a_line_of_its_own
                0x00000010       0x0e .pio/build/board/firmware/src/td_frame.o
 *fill*         0x0000001e        0x2 
 .text          0x00000020       0x10 /usr/lib/gcc/arm-none-eabi/12.2.1/thumb/v6-m/nofp/libgcc.a(_muldi3.o)

.bss            0x20000000       0x04
 .bss.state     0x20000000        0x4 .pio/build/board/firmware/src/td_crc.o

.debug_info     0x00000000     0x1000
 .debug_info    0x00000000     0x1000 .pio/build/board/src/main.o
"""  # noqa: W291 - as the linker writes it


def piece(name: str) -> Piece:
    return Piece(output=".text", name=f".text.{name}", origin=f"{name}.o")


MAIN, CONV, DENSE, MULTIPLY = map(piece, ("main", "conv", "dense", "multiply"))
LINKS = {
    "": {MAIN: 100},
    "conv.c": {MAIN: 100, CONV: 40, MULTIPLY: 8},
    "dense.c": {MAIN: 100, DENSE: 20, MULTIPLY: 8},
}


def everything(_: Piece) -> bool:
    return True


def test_a_map_file_says_what_each_object_puts_into_flash_and_ram_and_nothing_of_debugging():
    found = pieces(MAP)
    names = {(p.output, p.name, p.origin): size for p, size in found.items()}
    assert names == {
        (".text", ".text.short", "firmware/src/td_crc.o"): 16,
        (".text", ".text.a_name_that_takes_a_line_of_its_own", "firmware/src/td_frame.o"): 14,
        (".text", "*fill*", ""): 2,
        (".text", ".text", "libgcc.a(_muldi3.o)"): 16,
        (".bss", ".bss.state", "firmware/src/td_crc.o"): 4,
    }
    assert sum(size for p, size in found.items() if p.output in IN_FLASH) == 0x30


def test_what_is_always_there_is_apart_from_what_one_or_several_functions_bring_along():
    assert base_of({"m4": LINKS}, everything) == {"m4": 100}
    assert parts_of({"m4": LINKS}, everything) == {
        ("conv.c",): {"m4": 40},
        ("dense.c",): {"m4": 20},
        ("conv.c", "dense.c"): {"m4": 8},
    }


def test_a_core_that_needs_no_help_has_no_figure_for_it():
    without = {root: {p: size for p, size in found.items() if p != MULTIPLY} for root, found in LINKS.items()}
    parts = parts_of({"m0": LINKS, "m4": without}, everything)
    assert parts["conv.c", "dense.c"] == {"m0": 8}
    assert parts[("conv.c",)] == {"m0": 40, "m4": 40}


def test_what_is_not_counted_is_left_out():
    parts = parts_of({"m4": LINKS}, lambda p: p != CONV)
    assert ("conv.c",) not in parts
