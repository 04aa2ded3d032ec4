"""What a firmware takes. The tables are what readelf printed of real ones, typed in from where that was published."""

import shutil
import subprocess
from pathlib import Path

import pytest
from elf_table import Load, elf_from_table

from tinydeploy.errors import BuildError
from tinydeploy.image import Image, read_image

# An application of ESP-IDF with Wi-Fi; a comment in esp32knife.py of github.com/BlackVS/esp32knife.
ESP32 = """
.iram0.vectors  PROGBITS  40080000  000400  AX
.iram0.text     PROGBITS  40080400  01502c  WAX
.dram0.data     PROGBITS  3ffb0000  003250  WA
.noinit         PROGBITS  3ffb3250  000000  W
.dram0.bss      NOBITS    3ffb3250  007088  WA
.flash.rodata   PROGBITS  3f400020  025fd4  WA
.flash.text     PROGBITS  400d0018  099561  AX
"""

# A release build of a Rust application on ESP-IDF; README.md of github.com/paazmaya/mainichikatarenshu.
ESP32S3 = """
.rtc.text            PROGBITS  600fe000  000100  AX
.rtc.force_fast      PROGBITS  600fe100  000020  WA
.rtc_noinit          PROGBITS  50000000  000000  W
.rtc_reserved        NOBITS    600fffe8  000018  WA
.iram0.vectors       PROGBITS  40374000  000403  AX
.iram0.text          PROGBITS  40374404  00dd03  AX
.dram0.dummy         NOBITS    3fc88000  00a200  WA
.dram0.data          PROGBITS  3fc92200  002954  WA
.dram0.bss           NOBITS    3fc94b58  000990  WA
.flash.text          PROGBITS  42000020  03de38  AX
.flash_rodata_dummy  NOBITS    3c000020  040000  WA
.flash.appdesc       PROGBITS  3c040020  000100  A
.flash.rodata        PROGBITS  3c040120  0103a8  WA
.ext_ram.dummy       NOBITS    3c000020  05ffe0  WA
.iram0.text_end      NOBITS    40382107  0000f9  WA
.dram0.heap_start    PROGBITS  3fc954e8  000000  W
"""

# MicroPython on the Pico, whose flags are misleading: .rodata in flash is writable, .data in RAM is not; an article on
# loading native code into it, with its program headers. The placeholders are those of the Pico SDK's memmap_default.ld.
PICO = """
.boot2         PROGBITS  10000000  000100  AX
.text          PROGBITS  10000100  06e660  AX
.rodata        PROGBITS  1006f000  02a004  WA
.binary_info   PROGBITS  10099004  000044  A
.data          PROGBITS  200000c0  004064  AX
.bss           NOBITS    20004130  005df8  WA
.heap          NOBITS    20009f28  000800  WA
.stack1_dummy  NOBITS    20040000  000800  WA
.stack_dummy   NOBITS    20041000  000800  WA
"""
PICO_LOADS = (
    Load(0x10000000, 0x10000000, 0x6E760, 0x6E760),
    Load(0x1006F000, 0x1006F000, 0x2A048, 0x2A048),
    Load(0x200000C0, 0x10099048, 0x04064, 0x04064),
    Load(0x20004130, 0x20004130, 0, 0x05DF8),
)

# STM32Cube's linker script with a stack of its own beside; a comment in the build script of the OPEC compiler.
STM32 = """
.isr_vector        PROGBITS   08000000  000188  A
.text              PROGBITS   080001c0  016ff0  AX
.rodata            PROGBITS   080171b0  000760  A
.ARM               ARM_EXIDX  08017910  000008  AL
.data              PROGBITS   20004000  000a48  WA
.stack             NOBITS     20000000  004000  WA
.ccmram            PROGBITS   10000000  000000  W
.bss               NOBITS     20004b18  00097c  WA
._user_heap_stack  NOBITS     20005494  004000  WA
"""
STM32_LOADS = (
    Load(0x08000000, 0x08000000, 0x17918, 0x17918),
    Load(0x20004000, 0x08017918, 0x00AD2, 0x00AD2),
    Load(0x20000000, 0x20000000, 0, 0x09494),
)

# A Teensy 4.1: code runs in RAM, in blocks of 32 KB; `size -A` in a comment in the sources of
# github.com/Fliptron/T41_EBTKS_FW_1.0, in hexadecimal here, with the load addresses that Teensyduino's script gives.
TEENSY = """
.text.progmem       PROGBITS   60000000  001b30  AX
.text.itcm          PROGBITS   00000000  01e8a0  AX
.fini               PROGBITS   0001e8a0  000004  AX
.ARM.exidx          ARM_EXIDX  0001e8a4  000008  AL
.text.itcm.padding  NOBITS     0001e8ac  001754  WA
.data               PROGBITS   20000000  005530  WA
.bss                NOBITS     20005530  011d90  WA
.bss.dma            NOBITS     20200000  02bae0  WA
.bss.extram         NOBITS     70000000  021336  WA
"""
TEENSY_LOADS = (
    Load(0x60000000, 0x60000000, 0x1B30, 0x1B30),
    Load(0x00000000, 0x60001B30, 0x1E8AC, 0x20000),
    Load(0x20000000, 0x600203DC, 0x5530, 0x172C0),
)


@pytest.mark.parametrize(
    ("table", "loads", "flash", "ram"),
    [
        (ESP32, (), 0x400 + 0x1502C + 0x3250 + 0x25FD4 + 0x99561, 0x3250 + 0x7088),
        (
            ESP32S3,
            (),
            0x100 + 0x20 + 0x403 + 0xDD03 + 0x2954 + 0x3DE38 + 0x100 + 0x103A8,
            0x2954 + 0x990,
        ),
        (PICO, PICO_LOADS, 0x6E760 + 0x2A048 + 0x4064, 0x4064 + 0x5DF8),
        (STM32, STM32_LOADS, 0x188 + 0x16FF0 + 0x760 + 8 + 0xA48, 0xA48 + 0x4000 + 0x97C),
        (TEENSY, TEENSY_LOADS, 6_960 + 125_088 + 4 + 8 + 21_808, 131_072 + 21_808 + 73_104 + 178_912),
    ],
    ids=["esp32", "esp32s3", "pico", "stm32", "teensy41"],
)
def test_what_is_stored_and_what_is_taken_of_ram_is_told_for_each_chip(table, loads, flash, ram, tmp_path):
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(elf_from_table(table, loads))
    image = read_image(elf)
    assert image == Image(elf=elf, flash_bytes=flash, ram_bytes=ram, model_bytes=None)
    assert image.code_bytes is None


MODEL = """
static const signed char weights[1000] = {1};
static const int biases[10] = {2};
static signed char arena[64];
const struct { const void *a, *b; void *c; } td_model = {weights, biases, arena};
"""
MAIN = """
extern const struct { const void *a, *b; void *c; } td_model;
static const char weights[5000] = {3};
const void *volatile used;
void _start(void) { used = &td_model; used = weights; }
"""


def compiled(folder: Path, *flags: str, **sources: str) -> Image:
    """A firmware, linked with the linker's own script."""
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text, encoding="ascii")
    compiler = shutil.which("arm-none-eabi-gcc")
    command = [compiler, "-Os", "-mcpu=cortex-m4", "-mthumb", "-nostdlib", *flags, "-o", "firmware.elf"]
    command += [f"{name}.c" for name in sources]
    subprocess.run(command, cwd=folder, check=True)
    return read_image(folder / "firmware.elf")


def test_without_a_section_of_its_own_the_model_is_what_is_constant_in_its_source(tmp_path):
    image = compiled(tmp_path, model=MODEL, main=MAIN)
    assert image.model_bytes == 1000 + 40
    assert image.code_bytes == image.flash_bytes - 1040
    assert image.code_bytes > 5000


def test_a_model_that_is_one_array_is_that_array(tmp_path):
    data = "extern const unsigned char model_data[]; const unsigned char model_data[3000] = {1};"
    main = (
        "extern const unsigned char model_data[]; const void *volatile used; void _start(void) { used = model_data; }"
    )
    assert compiled(tmp_path, model_data=data, main=main).model_bytes == 3000


def test_where_the_models_constants_cannot_be_told_from_others_nothing_is_guessed(tmp_path):
    for image in (compiled(tmp_path, "-s", model=MODEL, main=MAIN), compiled(tmp_path, network=MODEL, main=MAIN)):
        assert image.model_bytes is None
        assert image.code_bytes is None


def test_a_file_that_is_no_firmware_is_refused(tmp_path):
    (tmp_path / "x.elf").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(BuildError, match="not a firmware") as caught:
        read_image(tmp_path / "x.elf")
    assert caught.value.exit_code == 5
