"""An inference that stops between its layers: the firmware's C made for that, and the Python session."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bad_line import BadLine
from host_firmware import INPUT_BYTES, SUM_BYTES, Process, expected_output, random_inputs

from tinydeploy.errors import LinkError
from tinydeploy.link.messages import Memory
from tinydeploy.link.session import Session

ARENA_BYTES = 4336

Build = Callable[..., Path]


@pytest.fixture
def line(build: Build) -> Process:
    return Process(build(TD_OBSERVABLE=1))


def arena_after(layer: int, data: bytes) -> bytes:
    """As increment_model.c leaves it."""
    return bytes((layer + place + data[1]) % 256 for place in range(ARENA_BYTES))


def output_after(layer: int, data: bytes) -> dict[int, int]:
    """The bytes of the output that are there, by place: layer n writes every 40th from the n-th on."""
    return {place: (data[place] + 1) % 256 for place in range(SUM_BYTES) if place % 40 <= layer}


def check_observed(session: Session, data: bytes, layers: list[int]) -> None:
    with session.observed(data) as inference:
        for layer in layers:
            inference.stop_after(layer)
            assert inference.read(Memory.ARENA, 0, ARENA_BYTES) == arena_after(layer, data)
            assert inference.read(Memory.ARENA, 1000, 300) == arena_after(layer, data)[1000:1300]
            assert inference.read(Memory.INPUT, 0, INPUT_BYTES) == data
            output = inference.read(Memory.OUTPUT, 0, SUM_BYTES)
            assert {place: output[place] for place in output_after(layer, data)} == output_after(layer, data)


@pytest.mark.parametrize("buffers", [1, 2])
def test_it_stops_behind_each_layer_and_shows_its_memory(build: Build, buffers: int) -> None:
    with Session.open(Process(build(TD_OBSERVABLE=1, TD_BUFFERS=buffers))) as session:
        check_observed(session, random_inputs(1)[0], [0, 1, 2, 17, 39])


def test_other_inferences_before_and_after_it_are_exact_and_none_is_lost(line: Process) -> None:
    with Session.open(line) as session:
        inputs = random_inputs(6)
        outputs = [result.output for result in session.run(inputs[:3])]
        check_observed(session, inputs[3], [5])
        check_observed(session, inputs[4], [0, 39])
        outputs += [result.output for result in session.run(inputs[5:])]
        assert outputs == [expected_output(inputs[place], place + 1) for place in (0, 1, 2, 5)]
        assert session.stats().inferences == 6


def test_a_line_that_damages_bytes_changes_nothing_of_what_is_seen(line: Process) -> None:
    with Session.open(BadLine(line, rate=0.001, seed=3)) as session:
        check_observed(session, random_inputs(1)[0], [3, 20])
        assert [result.output[:4] for result in session.run(random_inputs(1, seed=2))] == [
            expected_output(random_inputs(1, seed=2)[0], 2)[:4]
        ]


def test_an_inference_does_not_stand_for_ever_when_its_host_has_gone(line: Process) -> None:
    abandoned = Session.open(line)
    inference = abandoned.observed(random_inputs(1)[0])
    inference.__enter__().stop_after(7)
    with Session.open(line) as session:
        data = random_inputs(1, seed=5)[0]
        assert [result.output for result in session.run([data])] == [expected_output(data, 2)]


def test_what_is_left_in_the_middle_goes_on_when_something_else_is_run(line: Process) -> None:
    with Session.open(line) as session:
        inference = session.observed(random_inputs(1)[0])
        inference.__enter__().stop_after(7)
        check_observed(session, random_inputs(1, seed=5)[0], [7])


def test_bytes_that_are_not_there_cannot_be_read(line: Process) -> None:
    with Session.open(line) as session, session.observed(random_inputs(1)[0]) as inference:
        with pytest.raises(ValueError, match="ARENA at 4336 of 4330 \\+ 7 bytes cannot be read"):
            inference.read(Memory.ARENA, 4330, 7)
        assert inference.read(Memory.ARENA, 4330, 6) == arena_after(0, random_inputs(1)[0])[4330:]


def test_a_firmware_that_was_not_made_for_it_refuses(build: Build) -> None:
    with (
        Session.open(Process(build())) as session,
        pytest.raises(LinkError, match="the device refused OBSERVE: UNKNOWN_MESSAGE"),
        session.observed(random_inputs(1)[0]),
    ):
        pass
