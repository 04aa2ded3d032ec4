"""The two sides of the link together: the firmware's C, with threads for interrupts, and the Python session."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_line import BadLine
from host_firmware import (
    BUILD_ID,
    MODEL_SHA256,
    Process,
    expected_output,
    random_inputs,
)
from seen_from_outside import Watched, assert_all_time_is_accounted_for, begun_early

from tinydeploy.errors import VerificationError
from tinydeploy.link.frame import Frame, encode
from tinydeploy.link.hello import Arena
from tinydeploy.link.messages import InputChunk, Message
from tinydeploy.link.session import Session

LAYERS = 40
COMPUTE_US = 20_000
ARENA = Arena(used_bytes=4321, reserved_bytes=4336, smallest_bytes=4336)

Build = Callable[..., Path]


def check(session: Session, inputs: list[bytes], *, before: int = 0) -> None:
    """Runs the inputs: each is computed exactly once, in order, as the ``before + 1``-th and following inferences."""
    results = list(session.run(inputs))
    assert [result.output for result in results] == [
        expected_output(data, before + 1 + i) for i, data in enumerate(inputs)
    ]
    assert {result.status for result in results} == {0}


@pytest.mark.parametrize("buffers", [1, 2])
def test_every_result_is_exact_and_the_credits_are_kept(build: Build, buffers: int) -> None:
    with Session.open(Process(build(TD_BUFFERS=buffers))) as session:
        assert session.hello.buffers == buffers
        check(session, random_inputs(40))
        check(session, random_inputs(3, seed=2), before=40)
        stats = session.stats()
    assert (stats.inferences, stats.damaged, stats.dropped, stats.overruns) == (43, 0, 0, 0)


def test_the_device_describes_itself(build: Build) -> None:
    with Session.open(Process(build())) as session:
        hello = session.hello
        session.expect(BUILD_ID, MODEL_SHA256)
    assert (hello.engine, hello.board, hello.arena, hello.layers) == ("aot", "host", ARENA, LAYERS)
    assert (hello.input_bytes, hello.output_bytes, hello.chunk_bytes) == (1000, 644, 128)
    assert (hello.clock_hz, hello.tick_hz, hello.model_status) == (1_000_000_000, 1_000_000, 0)
    assert [(spec.name, spec.dtype.value, spec.shape, spec.nbytes, spec.offset) for spec in hello.inputs] == [
        ("first", "INT8", (1, 16), 16, 0),
        ("second", "UINT8", (1, 1, 984), 984, 16),
    ]
    assert [(spec.scale, spec.zero_point) for spec in hello.inputs + hello.outputs] == [
        (0.5, -128),
        (0.0, 0),
        (0.25, 3),
        (0.0, 0),
    ]


def test_a_host_counts_its_own_traffic(build: Build) -> None:
    with Session.open(Process(build())) as session:
        session.stats(reset=True)
        before = session.traffic()
        check(session, random_inputs(10))
        stats = session.stats()
        ran = session.traffic().since(before)
    assert ran.frames_sent == stats.frames >= 10 * 8  # 1,000 B in chunks of 128
    assert ran.frames_received >= 10 * 6  # 644 B likewise
    assert (ran.frames_damaged, ran.chunks_repeated) == (0, 0)
    assert ran.results_repeated <= 6, "a host on a busy machine may ask for one again; none comes twice as a rule"


@pytest.mark.parametrize(
    ("buffers", "rate", "seed"), [(1, 1 / 3000, 1), (1, 1 / 300, 2), (2, 1 / 3000, 3), (2, 1 / 300, 4)]
)
def test_a_bad_line_costs_time_and_nothing_else(build: Build, buffers: int, rate: float, seed: int) -> None:
    line = BadLine(Process(build(TD_BUFFERS=buffers)), rate=rate, seed=seed)
    with Session.open(line) as session:
        check(session, random_inputs(25))
        stats = session.stats()
        traffic = session.traffic()
    assert line.faults.total() > 10
    assert stats.inferences == 25
    assert stats.damaged > 0
    assert stats.overruns == 0
    assert traffic.frames_damaged > 0
    assert traffic.chunks_repeated > 0
    assert stats.frames <= traffic.frames_sent


def test_the_threads_of_a_device_share_nothing_without_a_lock(build: Build) -> None:
    with Session.open(Process(build(sanitize="thread"))) as session:
        check(session, random_inputs(60))
        session.profile(random_inputs(1)[0], layers=True)
        session.stats()


@pytest.mark.parametrize("buffers", [1, 2])
def test_two_buffers_let_an_input_travel_while_another_is_computed(build: Build, buffers: int) -> None:
    """As often as not at least: a busy host may send one too late."""
    line = Watched(Process(build(TD_BUFFERS=buffers, TEST_COMPUTE_US=5 * COMPUTE_US)))
    with Session.open(line) as session:
        check(session, random_inputs(15))
    early = begun_early(line.acks, buffers)
    assert len(early) > 7 if buffers == 2 else not early


def test_time_is_waiting_or_computing(build: Build) -> None:
    def work() -> None:
        check(session, random_inputs(5))
        time.sleep(0.1)

    with Session.open(Process(build(TEST_COMPUTE_US=COMPUTE_US))) as session:
        assert_all_time_is_accounted_for(session, work)
        stats = session.stats()
    assert stats.inferences == 5
    assert stats.computing_ticks >= 5 * COMPUTE_US
    assert stats.waiting_ticks >= 90_000
    assert stats.stack_bytes == 321


def test_a_profile_has_the_whole_and_each_layer(build: Build) -> None:
    data = random_inputs(1)[0]
    with Session.open(Process(build(TEST_COMPUTE_US=COMPUTE_US))) as session:
        whole = session.profile(data, layers=False)
        layered = session.profile(data, layers=True)
    assert whole.ticks >= COMPUTE_US
    assert whole.layer_ticks is None
    assert layered.layer_ticks is not None
    assert len(layered.layer_ticks) == LAYERS
    assert min(layered.layer_ticks) >= COMPUTE_US // LAYERS
    assert layered.output == expected_output(data, 2)


def test_a_host_that_stops_early_can_go_on_with_other_inputs(build: Build) -> None:
    inputs = random_inputs(10)
    with Session.open(Process(build(TEST_COMPUTE_US=COMPUTE_US))) as session:
        for result in itertools.islice(session.run(inputs), 2):
            assert result.output == expected_output(inputs[result.id], result.id + 1)
        outputs = [result.output for result in session.run(inputs[5:])]
    counts = [int.from_bytes(output[-4:], "little") for output in outputs]
    assert outputs == [expected_output(data, counts[0] + i) for i, data in enumerate(inputs[5:])]


@pytest.mark.parametrize("buffers", [1, 2])
def test_a_new_host_takes_over_in_the_middle_of_a_frame_and_of_an_inference(build: Build, buffers: int) -> None:
    line = Process(build(TD_BUFFERS=buffers, TEST_COMPUTE_US=COMPUTE_US))
    abandoned = Session.open(line)
    next(iter(abandoned.run(random_inputs(10))))
    chunk = InputChunk(id=2, offset=0, flags=0, data=b"\1" * 100).pack()
    line.write(encode(Frame(message=Message.INPUT, sequence=1, session=1, payload=chunk))[:60])
    with Session.open(line) as session:
        inputs = random_inputs(5, seed=3)
        outputs = [result.output for result in session.run(inputs)]
        assert session.stats().overruns == 0
    first = int.from_bytes(outputs[0][-4:], "little")
    assert outputs == [expected_output(data, first + i) for i, data in enumerate(inputs)]


def test_a_restart_is_noticed_and_survived(build: Build) -> None:
    with Session.open(Process(build())) as session:
        check(session, random_inputs(3))
        session.reset()
        check(session, random_inputs(2))
        assert session.stats().inferences == 2


def test_an_engine_that_fails_is_reported_with_its_status(build: Build) -> None:
    poison = b"\xee" + bytes(999)
    with Session.open(Process(build())) as session:
        with pytest.raises(VerificationError) as caught:
            list(session.run([random_inputs(1)[0], poison]))
        assert caught.value.summary == "the engine failed at inference 1: status -5"
        check(session, random_inputs(2), before=1)


def test_a_model_that_does_not_start_still_says_hello(build: Build) -> None:
    with Session.open(Process(build(TEST_INIT_STATUS=-7))) as session:
        assert session.hello.model_status == -7
        with pytest.raises(VerificationError) as caught:
            list(session.run(random_inputs(1)))
    assert caught.value.exit_code == 1
    assert caught.value.summary == "the engine could not start the model on the device: status -7"
