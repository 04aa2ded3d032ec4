"""The ports for frameworks, run on this machine: their own C and C++ over a serial port without flow control.

What stands in for the framework (tests/ports/arduino, tests/ports/esp_idf) has the limits of a chip's: bytes that find
the receive buffer full are lost, and that fails the test, and so does a write that would have to wait.
"""

import subprocess
from pathlib import Path

import pytest
from host_firmware import FIRMWARE, FLAGS, HOST_PARTS, TESTS, Process, expected_output, random_inputs

from tinydeploy.files import data_dir
from tinydeploy.link.session import Session
from tinydeploy.link.transfer import WINDOW_CHUNKS

PORTS = TESTS / "ports"
CHUNK_BYTES = 128
RECEIVE_BYTES = WINDOW_CHUNKS * (CHUNK_BYTES + 64)
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WARNINGS = [flag for flag in FLAGS if flag.startswith("-W")]
SOURCES = {
    "arduino": (
        FIRMWARE / "ports/arduino/port.cpp",
        data_dir("templates") / "arduino/src/main.cpp",
        PORTS / "arduino/host_chip.cpp",
    ),
    "esp_idf": (
        FIRMWARE / "ports/esp_idf/port.c",
        data_dir("templates") / "espidf/src/main.c",
        PORTS / "esp_idf/host_main.c",
    ),
}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The firmware of the increment model on a framework's port; each variant once."""
    programs: dict[tuple, Path] = {}

    def built(port: str, **macros: int) -> Path:
        key = (port, *sorted(macros.items()))
        if key not in programs:
            programs[key] = compile_port(tmp_path_factory.mktemp("firmware"), port, macros)
        return programs[key]

    return built


def compile_port(folder: Path, port: str, macros: dict[str, int]) -> Path:
    figures = {"TD_STACK_BYTES": "8192u", "TD_LINE_BAUD": 115200, "TD_RECEIVE_BYTES": RECEIVE_BYTES, **macros}
    places = (PORTS, PORTS / port, HOST_PARTS, FIRMWARE / "include", FIRMWARE / "ports" / port)
    options = [*(f"-D{name}={value}" for name, value in figures.items()), *(f"-I{place}" for place in places)]
    common = ["-c", "-g", "-O1", "-pthread", *WARNINGS, *SANITIZERS, *options]
    sources = [*sorted((FIRMWARE / "src").glob("td_*.c")), HOST_PARTS / "increment_model.c", PORTS / "host_line.c"]
    sources += [data_dir("templates") / "project/src/app.c", *SOURCES[port]]
    for language, standard, suffix in (("c", "c99", ".c"), ("c++", "gnu++11", ".cpp")):
        mine = [source for source in sources if source.suffix == suffix]
        if mine:
            subprocess.run(["gcc", "-x", language, f"-std={standard}", *common, *mine], cwd=folder, check=True)
    program = folder / "firmware"
    objects = sorted(folder.glob("*.o"))
    subprocess.run(["g++", "-pthread", *SANITIZERS, *objects, "-o", program], check=True)
    return program


def check(session: Session, inputs: list[bytes]) -> None:
    results = list(session.run(inputs))
    assert [result.output for result in results] == [expected_output(data, 1 + i) for i, data in enumerate(inputs)]


LONG_LAYERS = {"TD_LAYERS": 2, "TEST_COMPUTE_US": 100_000}


@pytest.mark.parametrize("port", SOURCES)
def test_nothing_is_lost_however_long_a_layer_takes(build, port):
    """While one is computed, all that a host sends ahead waits in the receive buffer."""
    with Session.open(Process(build(port, **LONG_LAYERS))) as session:
        check(session, random_inputs(6))
        stats = session.stats()
    assert (stats.inferences, stats.damaged) == (6, 0)  # a host that waits in vain for a layer may repeat itself
    assert stats.stack_bytes == 1234


@pytest.mark.parametrize("port", SOURCES)
def test_a_receive_buffer_that_is_too_small_would_be_noticed(build, port):
    line = Process(build(port, **LONG_LAYERS, TD_RECEIVE_BYTES=2 * CHUNK_BYTES))
    with pytest.raises(AssertionError, match="bytes were lost"), Session.open(line) as session:
        list(session.run(random_inputs(3)))


@pytest.mark.parametrize("port", SOURCES)
def test_layers_are_timed_and_a_board_is_reset_on_demand(build, port):
    with Session.open(Process(build(port, **LONG_LAYERS))) as session:
        profile = session.profile(random_inputs(1)[0], layers=True)
        assert all(50_000 <= ticks < profile.ticks for ticks in profile.layer_ticks)
        session.reset()
        check(session, random_inputs(1))
