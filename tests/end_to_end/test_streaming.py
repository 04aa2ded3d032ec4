"""Double buffering, seen from outside, on virtual boards whose time is the emulator's real time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest
from command_line import CommandLine
from seen_from_outside import Watched, assert_all_time_is_accounted_for, begun_early
from small_models import slow_model

from tinydeploy.deployment import Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.session import Session
from tinydeploy.model.reader import read_model
from tinydeploy.pipeline import build
from tinydeploy.samples import default_samples

BOARD = "qemu-cortex-m4"
INFERENCES = 10


@contextmanager
def streaming(model: Path, *, buffers: int) -> Iterator[tuple[Session, Watched, Iterator[bytes]]]:
    """A board with a model, its line, and an endless stream of inputs for it."""
    built = build(model, Target(board=BOARD, buffers=buffers))
    samples = default_samples(read_model(model), count=4)
    inputs = cycle([samples[index][0].tobytes() for index in range(samples.count)])
    with run_virtual_board(built.plan.board, built.image.elf, count_instructions=False) as device:
        line = Watched(SerialPort(device.port))
        with Session.open(line) as session:
            assert session.hello.buffers == buffers
            yield session, line, inputs


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One that computes for much longer than its input travels, so that a host which waits for its turn is in time."""
    path = tmp_path / "slow.tflite"
    path.write_bytes(slow_model())
    return path


@pytest.mark.usefixtures("use_cache")
def test_with_two_buffers_an_input_arrives_while_the_one_before_is_computed(model):
    """In all of the first ten but one; a busy host sends too late at times, so there may be more of them."""
    early: set[int] = set()
    with streaming(model, buffers=2) as (session, line, inputs):
        for result in session.run(islice(inputs, 10 * INFERENCES)):
            early = begun_early(line.acks, 2)
            if len(early) == INFERENCES - 1:
                print(f"begun early, until result {result.id} came: {sorted(early)}")
                break
    assert len(early) == INFERENCES - 1


@pytest.mark.usefixtures("use_cache")
def test_with_one_buffer_a_board_takes_an_input_only_after_the_one_before_is_computed(model):
    with streaming(model, buffers=1) as (session, line, inputs):
        assert len(list(session.run(islice(inputs, INFERENCES)))) == INFERENCES
        assert max(ack.next_id for ack in line.acks) == INFERENCES
        assert not begun_early(line.acks, 1)


@pytest.mark.usefixtures("use_cache")
@pytest.mark.parametrize("buffers", [1, 2])
def test_a_boards_time_is_waiting_or_computing(buffers, model):
    with streaming(model, buffers=buffers) as (session, _, inputs):
        assert_all_time_is_accounted_for(session, lambda: list(session.run(islice(inputs, INFERENCES))))


@pytest.mark.parametrize("buffers", [1, 2])
def test_bench_reports_the_time_spent_waiting_and_computing(buffers, tool: CommandLine, model_file):
    arguments = ("--board", BOARD, "--buffers", buffers, "--inferences", 10)
    finished = tool("bench", model_file("kws_int8.tflite"), *arguments, "--json", "-")
    assert finished.code == 0, finished.err
    report = json.loads(finished.out)
    assert report["ok"]
    assert report["latency"]["unit"] == "instructions"
    stream = report["streaming"]
    assert (stream["buffers"], stream["inferences"]) == (buffers, 10)
    figures = [stream[name] for name in ("period_us", "transfer_us", "computing_us", "computing_alone_us")]
    assert min(figures) > 0
    assert stream["waiting_us"] >= 0
