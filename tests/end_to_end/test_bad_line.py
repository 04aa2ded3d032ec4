"""A virtual board behind a line that damages one byte in a hundred; and one that gets millions of random bytes."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from time import monotonic

import pytest
from bad_line import BadLine, attacks
from command_line import DIGITS
from small_models import small_model

from tinydeploy.deployment import Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.channel import Transport
from tinydeploy.link.frame import Decoder
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.session import Session
from tinydeploy.model.reader import read_model
from tinydeploy.pipeline import build
from tinydeploy.samples import default_samples
from tinydeploy.verify.oracle import reference_outputs

INFERENCES = 1000
NOISE_BYTES = 10_000_000 if os.environ.get("TINYDEPLOY_TEST_NOISE") == "full" else 2_000_000
"""All of it takes a board some minutes; the firmware compiled for this machine gets ten million in any case."""

Record = Callable[[str, object], None]


def inputs_and_outputs(model: Path) -> tuple[list[bytes], list[bytes]]:
    """Inputs of a model, and what the oracle makes of them."""
    samples = default_samples(read_model(model), count=16)
    (outputs,) = reference_outputs(model.read_bytes(), samples).outputs
    inputs = [samples[index][0].tobytes() for index in range(samples.count)]
    return inputs, [outputs[index].tobytes() for index in range(samples.count)]


@pytest.fixture(scope="module")
def known() -> tuple[list[bytes], list[bytes]]:
    return inputs_and_outputs(DIGITS)


@pytest.fixture
def port(request: pytest.FixtureRequest, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The serial port of the virtual board that the test names, with the example model."""
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(cache))
    built = build(DIGITS, Target(board=request.param))
    with run_virtual_board(built.plan.board, built.image.elf) as device:
        yield device.port


@pytest.mark.parametrize("port", ["qemu-cortex-m4"], indirect=True)
def test_a_thousand_inferences_arrive_with_one_byte_in_a_hundred_damaged(
    port: str, known: tuple[list[bytes], list[bytes]], record_property: Record
) -> None:
    inputs, expected = known
    line = BadLine(SerialPort(port), rate=0.01, seed=20261122)
    with Session.open(line, 30.0, silence_s=30.0) as session:
        session.stats(reset=True)
        begin = monotonic()
        results = list(session.run(islice(cycle(inputs), INFERENCES)))
        per_second = INFERENCES / (monotonic() - begin)
        stats, traffic = session.stats(), session.traffic()
    print(f"{per_second:.1f} inferences per second; {dict(line.faults)}; {traffic}")
    record_property("inferences_per_second", round(per_second, 1))
    assert [result.id for result in results] == list(range(INFERENCES))
    size = len(expected[0])
    assert [result.output[:size] for result in results] == list(islice(cycle(expected), INFERENCES))
    assert stats.inferences == INFERENCES
    assert line.faults.total() > 0.005 * (line.out.passed + line.back.passed)
    assert set(line.faults) == {"drop", "flip", "double", "delay", "truncate"}


@pytest.mark.usefixtures("use_cache")
def test_results_of_many_parts_arrive_with_one_byte_in_a_hundred_damaged(
    tmp_path: Path, record_property: Record
) -> None:
    """Of parts as large as on a clean line, one in 230 would."""
    model = tmp_path / "wide.tflite"
    model.write_bytes(small_model(inputs=64, outputs=640))
    inputs, expected = inputs_and_outputs(model)
    built = build(model, Target(board="qemu-cortex-m4"))
    with run_virtual_board(built.plan.board, built.image.elf) as device:
        line = BadLine(SerialPort(device.port), rate=0.01, seed=20261123)
        log = FrameLog()
        with Session.open(log.around(line, "a bad line"), 30.0, silence_s=30.0) as session:
            begin = monotonic()
            results = list(session.run(inputs))
            per_second = len(inputs) / (monotonic() - begin)
            traffic = session.traffic()
    print(f"{per_second:.1f} inferences per second; {dict(line.faults)}; {traffic}")
    record_property("inferences_per_second", round(per_second, 1))
    assert [result.output for result in results] == expected
    asked = [int(most) for most in re.findall(r"wants result \d+ from \d+, (\d+) B at a time", "\n".join(log.lines()))]
    assert 20 <= asked[-1] <= 100, "the best size is 41"


def throw(line: Transport, count: int, seed: int) -> tuple[int, int]:
    """Sends that much at the device and takes all that it answers: the intact frames sent, and the bytes answered."""
    sent = Decoder()
    intact = answered = 0
    gathered = bytearray()
    for piece in attacks(count, seed=seed):
        intact += len(sent.feed(piece))
        gathered += piece
        if len(gathered) >= 2000:
            line.write(bytes(gathered))
            gathered.clear()
            answered += len(line.read(65536, 0.0))
    line.write(bytes(gathered))
    while data := line.read(65536, 0.3):
        answered += len(data)
    return intact, answered


@pytest.mark.parametrize("port", ["microbit"], indirect=True)
def test_a_board_hit_with_millions_of_bytes_goes_on_answering(
    port: str, known: tuple[list[bytes], list[bytes]], record_property: Record
) -> None:
    inputs, expected = known
    line = SerialPort(port)
    begin = monotonic()
    intact, answered = throw(line, NOISE_BYTES, seed=3)
    record_property("bytes_per_second", round(NOISE_BYTES / (monotonic() - begin)))
    with Session.open(line, 30.0) as session:
        before = session.stats()
        results = list(session.run(inputs))
        after = session.stats()
    size = len(expected[0])
    assert [result.output[:size] for result in results] == expected
    assert after.inferences - before.inferences == len(inputs)
    assert before.inferences == 0  # an input needs the right session, and none was given its number
    assert before.damaged > 1000
    assert before.frames >= intact > NOISE_BYTES / 5000  # in spite of the noise before and behind each
    assert before.frames > before.dropped > 0.8 * intact
    assert answered > 1000
