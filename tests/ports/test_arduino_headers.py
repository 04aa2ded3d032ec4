"""The Arduino port against the real Arduino API, as Debian has it for AVR.

No board here has an AVR, but Linux distributions have no other core; and what compiles against this one uses nothing of
the API but what all cores share.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tinydeploy.files import data_dir

CORE = Path("/usr/share/arduino/hardware/arduino/avr")
PORT = data_dir("firmware") / "ports" / "arduino"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
CONFIG = ("-DTD_LINE_BAUD=115200", "-DTD_STACK_BYTES=8192u", "-DTD_RECEIVE_BYTES=4608")

avr_core = pytest.mark.skipif(
    shutil.which("avr-g++") is None or not (CORE / "cores/arduino/Arduino.h").is_file(),
    reason="Arduino's AVR core and its compiler are not installed (Debian: arduino-core-avr, gcc-avr, avr-libc)",
)


@avr_core
@pytest.mark.parametrize(
    "source", [PORT / "port.cpp", data_dir("templates") / "arduino/src/main.cpp"], ids=lambda p: p.name
)
@pytest.mark.parametrize("standard", ["gnu++11", "gnu++14"])
def test_it_compiles_against_the_real_api(source, standard, tmp_path):
    (tmp_path / "td_config.h").touch()
    places = (tmp_path, PORT, data_dir("firmware") / "include")
    core = (CORE / "cores/arduino", CORE / "variants/standard")
    chip = ("-mmcu=atmega2560", "-DF_CPU=16000000L", "-DARDUINO=10807", "-DARDUINO_ARCH_AVR")
    command = ["avr-g++", "-fsyntax-only", "-Os", f"-std={standard}", *chip, *WARNINGS, *CONFIG]
    command += [f"-I{place}" for place in (*places, *core)]
    subprocess.run([*command, str(source)], check=True)


@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m33"])
@pytest.mark.parametrize("source", ["dwt.cpp", "painted_stack.cpp", "reset_cortex_m.cpp"])
def test_what_needs_no_core_compiles_without_one(source, cpu, tmp_path):
    (tmp_path / "td_config.h").write_text("#define TD_STACK_BYTES 8192u\n", encoding="utf-8")
    command = ["arm-none-eabi-g++", "-c", "-O2", f"-mcpu={cpu}", "-mthumb", "-std=gnu++11", *WARNINGS, "-Wconversion"]
    command += ["-Wshadow", f"-I{tmp_path}", f"-I{PORT}", str(PORT / source), "-o", str(tmp_path / "out.o")]
    subprocess.run(command, check=True)


def test_painting_the_stack_calls_nothing_that_would_be_painted_over(tmp_path):
    (tmp_path / "td_config.h").write_text("#define TD_STACK_BYTES 8192u\n", encoding="utf-8")
    compiled = tmp_path / "painted_stack.o"
    command = ["arm-none-eabi-g++", "-c", "-O2", "-mcpu=cortex-m4", "-mthumb", f"-I{tmp_path}", f"-I{PORT}"]
    subprocess.run([*command, str(PORT / "painted_stack.cpp"), "-o", str(compiled)], check=True)
    symbols = subprocess.run(["arm-none-eabi-nm", "-u", compiled], check=True, capture_output=True, text=True).stdout
    assert symbols == ""
