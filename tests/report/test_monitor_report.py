"""How a monitor's figures are shown: in 80 columns and 120, on one line, as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tinydeploy.link.hello import Arena, Hello
from tinydeploy.link.messages import Stats
from tinydeploy.link.traffic import Traffic
from tinydeploy.monitor.histogram import Histogram
from tinydeploy.monitor.snapshot import Against, Monitored, Score, Snapshot
from tinydeploy.report.monitor import monitor_line, monitor_view, monitored_json

HELLO = Hello(
    engine="aot",
    board="qemu-cortex-m4",
    build_id=bytes(8),
    model_sha256="ab" * 32,
    model_status=0,
    inputs=(),
    outputs=(),
    layers=10,
    arena=Arena(used_bytes=1, reserved_bytes=1, smallest_bytes=None),
    buffers=2,
    input_bytes=64,
    output_bytes=10,
    chunk_bytes=256,
    clock_hz=25_000_000,
    tick_hz=25_000_000,
)
SNAPSHOT = Snapshot(
    hello=HELLO,
    seconds=12.34,
    inferences=1234,
    per_second=99.5,
    unit="us",
    latency=Histogram([1000.0 * 1.02**step for step in range(200)]).distribution(),
    stats=Stats(
        inferences=1234,
        frames=5000,
        damaged=0,
        dropped=3,
        overruns=0,
        stack_bytes=400,
        waiting_ticks=30,
        blocked_ticks=10,
        computing_ticks=60,
    ),
    traffic=Traffic(frames_sent=1, frames_received=1, frames_damaged=0, chunks_repeated=2, results_repeated=0),
    top=(Score(name="seven\x1b[2J", value=0.91), Score(name="a name that is much too long to be shown", value=0.05)),
)


@pytest.mark.parametrize("width", [80, 120])
def test_the_view_fits_and_says_everything(width):
    text = monitor_view(SNAPSHOT, width).plain
    assert max(map(len, text.splitlines())) <= width
    for said in (
        "qemu-cortex-m4, aot engine, model abababababab",
        "1,234 in 12.3 s, 99.5/s",
        "waiting 30.0%  blocked 10.0%  computing 60.0%",
        "damaged 0  dropped 3  overruns 0",
        "inputs sent again 2",
        "top 2       seven",
    ):
        assert said in text
    assert "\x1b" not in text, "labels are anybody's"
    assert text.count("\N{FULL BLOCK} ") <= 10, "a histogram has ten rows at most"


def test_what_is_lost_is_yellow_and_what_is_not_is_not():
    colours = {str(span.style) for span in monitor_view(SNAPSHOT, 80).spans}
    assert "yellow" in colours
    clean = replace(
        SNAPSHOT,
        stats=replace(SNAPSHOT.stats, dropped=0),
        traffic=replace(SNAPSHOT.traffic, chunks_repeated=0),
    )
    assert "yellow" not in {str(span.style) for span in monitor_view(clean, 80).spans}


def test_the_line_of_a_log_has_the_figures():
    line = monitor_line(SNAPSHOT)
    assert "\n" not in line
    assert line.startswith("12.3 s  1,234 inferences  99.5/s  p50 ")
    assert "dropped 3, repeated 2" in line


def test_a_comparison_shows_what_differs_and_both_latencies():
    earlier = Histogram([500.0]).distribution()
    text = monitor_view(replace(SNAPSHOT, against=Against(compared=9, differ=2, first=4, earlier=earlier)), 120).plain
    assert "2 of 9 outputs differ, the first at inference 4" in text
    assert "p50 500 before" in text


def test_before_the_first_result_there_is_something_to_show():
    empty = replace(SNAPSHOT, inferences=0, per_second=None, latency=None, top=(), seconds=0.0)
    assert "0 in 0.0 s" in monitor_view(empty, 80).plain
    assert monitored_json(Monitored(model=None, last=empty, record=None))["per_second"] is None


def test_the_json_has_all_figures_and_whether_the_outputs_were_as_before():
    differs = replace(SNAPSHOT, against=Against(compared=9, differ=1, first=4, earlier=None))
    values = json.loads(json.dumps(monitored_json(Monitored(model=Path("m"), last=differs, record=Path("r")))))
    assert values["ok"] is False
    assert values["against"]["first"] == 4
    assert values["latency"]["unit"] == "us"
    assert sum(row["count"] for row in values["latency"]["histogram"]) == 200
    assert values["shares"] == {"waiting": 0.3, "blocked": 0.1, "computing": 0.6}
    assert monitored_json(Monitored(model=None, last=SNAPSHOT, record=None))["ok"] is True
