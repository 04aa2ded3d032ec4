"""Double buffering, seen from outside: what the stream of inputs costs, in the emulator's real time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine

from tinydeploy.bench import Streaming, measure_streaming
from tinydeploy.deployment import Target
from tinydeploy.devices.emulator import run_virtual_board
from tinydeploy.devices.serial_port import SerialPort
from tinydeploy.link.session import Session
from tinydeploy.model.reader import read_model
from tinydeploy.pipeline import build
from tinydeploy.samples import default_samples

BOARD = "qemu-cortex-m4"
TRIES = 5


def streamed(model: Path, *, buffers: int, inferences: int) -> Streaming:
    """Streams some of a model's default samples."""
    built = build(model, Target(board=BOARD, buffers=buffers))
    samples = default_samples(read_model(model), count=4)
    with (
        run_virtual_board(built.plan.board, built.image.elf, count_instructions=False) as device,
        Session.open(SerialPort(device.port)) as session,
    ):
        return measure_streaming(
            session,
            [samples[index][0].tobytes() for index in range(samples.count)],
            inferences,
            on_result=lambda _done, _of: None,
        )


def best(measure: Callable[[], Streaming], excess: Callable[[Streaming], float], limit: float) -> Streaming:
    """The measurement with the least excess of a few, or the first that keeps the limit: other work only ever adds."""
    found: list[Streaming] = []
    while len(found) < TRIES and min(map(excess, found), default=limit) >= limit:
        found.append(measure())
        print(found[-1], f"excess {excess(found[-1]):.2f}")
    return min(found, key=excess)


@pytest.mark.usefixtures("use_cache")
def test_with_two_buffers_the_period_is_that_of_the_longer_of_transfer_and_computing(model_file):
    def excess(stream: Streaming) -> float:
        return stream.period_us / max(stream.transfer_us, stream.computing_us)

    stream = best(lambda: streamed(model_file("vww_int8.tflite"), buffers=2, inferences=8), excess, 1.15)
    assert stream.buffers == 2
    assert excess(stream) < 1.15
    assert stream.transfer_us > stream.computing_us, "this test is about a model that waits for its input"
    assert stream.waiting_us + stream.computing_us == pytest.approx(stream.period_us, rel=0.25)


@pytest.mark.usefixtures("use_cache")
def test_a_board_with_two_buffers_does_not_wait_for_input_where_computing_takes_longer(model_file):
    def waiting(stream: Streaming) -> float:
        return stream.waiting_us / stream.period_us

    stream = best(lambda: streamed(model_file("resnet8_int8.tflite"), buffers=2, inferences=20), waiting, 0.15)
    assert waiting(stream) < 0.15
    assert stream.period_us < stream.transfer_us + stream.computing_us


@pytest.mark.usefixtures("use_cache")
def test_with_one_buffer_a_board_waits_for_each_input_and_only_then_computes(model_file):
    def overlap(stream: Streaming) -> float:
        # Only what is missing shows an overlap: a busy host lengthens the waiting, and with it the period, at will.
        return 1 - min(
            stream.period_us / (stream.transfer_us + stream.computing_us), stream.waiting_us / stream.transfer_us
        )

    stream = best(lambda: streamed(model_file("resnet8_int8.tflite"), buffers=1, inferences=20), overlap, 0.15)
    assert stream.buffers == 1
    assert overlap(stream) < 0.15


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
