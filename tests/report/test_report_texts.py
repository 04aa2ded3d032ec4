"""What people read of a plan and of a deployment: every line, as it is on a terminal."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from deployments import deployment_of, plan_of, tflm_plan, write_model
from rich.console import Console

from tinydeploy.bench import Latency, Streaming
from tinydeploy.engines.interface import ArenaSizes
from tinydeploy.link.hello import Arena
from tinydeploy.lock.check import Drift, LockCheck
from tinydeploy.report.deployment import deployment_json, deployment_text
from tinydeploy.report.lock import lock_json, lock_text
from tinydeploy.report.plan import inspection_json, inspection_text, plan_text

MEASURED = ArenaSizes(used_bytes=22_820, needed_bytes=22_832)
LOCK = Path("tinydeploy.lock")
LIBRARY = "tflite-micro 90b983c2b (cmsis_nn kernels)"
MOVED = (
    Drift(figure="arena_bytes", locked=22_820, now=22_900, unit="B"),
    Drift(figure="latency", locked=10_000, now=9_000, unit="us"),
)
STREAMING = Streaming(
    buffers=2,
    inferences=20,
    period_us=9_000,
    transfer_us=3_000,
    computing_us=8_000,
    computing_alone_us=7_900,
    waiting_us=100,
)


def shown(renderable):
    """The lines as the terminal has them, which is at least 160 columns wide for tables."""
    out = io.StringIO()
    Console(file=out, width=160, highlight=False, soft_wrap=True, emoji=False).print(renderable, markup=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path)


def test_a_plan_of_the_aot_engine_has_no_library(model):
    first, arena, *_ = shown(plan_text(plan_of(model)))
    assert first == "small.tflite on qemu-cortex-m4 (aot engine, optimized kernels): fits"
    assert arena == "  arena         16 B, fullest at op 0 FULLY_CONNECTED"


def test_inspect_shows_the_ways_of_each_layer_and_what_they_cost(model):
    lines = shown(inspection_text([plan_of(model)], with_ways=True))
    title = next(number for number, line in enumerate(lines) if line.startswith("How each layer is computed"))
    heading, chosen, other, *_ = lines[title + 1 :]
    assert heading.split() == ["layer", "way", "instructions", "constants", "B", "scratch", "B"]
    assert chosen.split()[:2] == ["0", "FULLY_CONNECTED"]
    assert "row by row, 4 channels at a time" in chosen
    assert other.split()[0] == "plain"
    layers = inspection_json(model, [plan_of(model)])["model"]["layers"]
    assert [way["chosen"] for way in layers[0]["ways"]] == [True, False]
    assert all(way["instructions"] > 0 for way in layers[0]["ways"])


def test_inspect_says_that_a_library_has_one_way_for_each_layer(model):
    lines = shown(inspection_text([tflm_plan(model)], with_ways=True))
    assert "The tflm engine has one way for each layer: its library's kernels." in lines


@pytest.mark.parametrize(
    ("facts", "arena"),
    [
        ({}, "  arena       22,832 B  (22,820 used; exact)"),
        (
            {"arena_measured": MEASURED},
            "  arena       22,832 B  (22,820 used; measured by an earlier run)",
        ),
        (
            {"arena_estimated": "its sizes are not known"},
            "  arena       22,832 B  (22,820 used)\n           estimated: its sizes are not known",
        ),
    ],
)
def test_a_plan_with_a_library_says_which_and_how_its_arena_is_known(model, facts, arena):
    first, library, *rest = shown(plan_text(tflm_plan(model, library=LIBRARY, **facts)))
    assert first == "small.tflite on qemu-cortex-m4 (tflm engine, optimized kernels): fits"
    assert library == "  library  tflite-micro 90b983c2b (cmsis_nn kernels)"
    assert "\n".join(rest[:-2]) == arena
    assert rest[-2].startswith("  RAM         27,")


def test_without_a_library_the_plan_says_that_there_is_none_yet(model):
    plan = tflm_plan(model, library=None, library_identity=None, arena_estimated="no library is given")
    lines = shown(plan_text(plan))
    assert lines[1] == "  library  none yet"
    assert lines[3] == "           estimated: no library is given"


def test_inspect_says_what_runs_the_model_on_each_board(model):
    plans = [
        tflm_plan(model, "qemu-cortex-m4", library=LIBRARY),
        tflm_plan(model, "netduinoplus2", library="Other 2.0", arena_estimated="its sizes are not known"),
        tflm_plan(model, "microbit", library=LIBRARY, arena_measured=MEASURED),
        plan_of(model, "qemu-cortex-m3"),
    ]
    lines = shown(inspection_text(plans))
    table = lines[lines.index("") :]
    heading = next(line for line in table if line.startswith("board"))
    assert heading.split() == ["board", "engine", "arena", "B", "RAM", "B", "free", "flash", "B", "free"]
    rows = {line.split()[0]: line.split()[1:4] for line in table[table.index(heading) + 1 :]}
    assert rows["qemu-cortex-m4"] == ["tflm,", "optimized", "22,832"]
    assert rows["netduinoplus2"] == ["tflm,", "optimized", "~22,832"]
    assert rows["qemu-cortex-m3"] == ["aot,", "optimized", "0"]
    assert lines[-4:] == [
        "library    tflite-micro 90b983c2b (cmsis_nn kernels): qemu-cortex-m4, microbit",
        "library    Other 2.0: netduinoplus2",
        "estimated  its sizes are not known: netduinoplus2",
        "measured   the arena, by an earlier run: microbit",
    ]


def test_inspect_as_json_has_the_library_and_where_the_arenas_size_is_from(model):
    plans = [tflm_plan(model), tflm_plan(model, arena_estimated="why"), tflm_plan(model, arena_measured=MEASURED)]
    boards = inspection_json(model, plans)["boards"]
    assert [board["arena_source"] for board in boards] == ["exact", "estimated", "measured"]
    assert (boards[0]["arena_bytes"], boards[0]["arena_reserved_bytes"]) == (22_820, 22_832)
    assert boards[0]["kernels"] == "optimized"
    assert boards[0]["library"] == "TensorFlow Lite Micro 90b983c2b with CMSIS-NN"
    assert boards[0]["library_identity"] == "tflm-90b983c2b-cmsis_nn"
    assert boards[1]["arena_estimated"] == "why"


@pytest.mark.parametrize(
    ("arena", "text"),
    [
        (Arena(used_bytes=22_820, reserved_bytes=22_832, smallest_bytes=None), "22,820 B used, 22,832 B reserved"),
        (
            Arena(used_bytes=22_820, reserved_bytes=50_000, smallest_bytes=22_832),
            "22,820 B used, 50,000 B reserved, 22,832 B at least to start",
        ),
        (
            Arena(used_bytes=22_900, reserved_bytes=22_912, smallest_bytes=None),
            "22,900 B used, 22,912 B reserved (22,820 B planned)",
        ),
    ],
)
def test_a_deployment_tells_the_boards_own_account_of_its_arena(model, arena, text):
    lines = shown(deployment_text(deployment_of(model, tflm_plan(model), arena=arena)))
    assert f"  arena      {text}" in lines
    assert "  RAM        5,968 B of 4,194,304  (arena 22,832, stack 4,096)" in lines


def test_a_deployment_as_json_has_what_the_board_said_beside_what_was_planned(model):
    arena = Arena(used_bytes=22_900, reserved_bytes=22_912, smallest_bytes=22_904)
    values = deployment_json(deployment_of(model, tflm_plan(model), arena=arena))
    assert values["memory"] == {
        "arena_bytes": 22_820,
        "arena_source": "exact",
        "arena_device_bytes": 22_900,
        "arena_reserved_bytes": 22_912,
        "arena_smallest_bytes": 22_904,
        "ram_bytes": 5_968,
        "flash_bytes": 14_056,
        "code_bytes": 8_540,
        "stack_bytes": 412,
    }
    assert (values["engine"], values["kernels"]) == ("tflm", "optimized")
    assert (values["ok"], values["lock"]) == (True, None)
    assert values["latency"]["layers"] == [
        {
            "layer": 0, "op": "FULLY_CONNECTED", "instructions": 900, "macs": 12, "per_mac": 75.0,
            "per_mac_unit": "instructions", "usual_per_mac": 14.4, "warning": None,
        }
    ]  # fmt: skip


SAME = LockCheck(path=LOCK, status="same")


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        (SAME, ["figures as in tinydeploy.lock"]),
        (replace(SAME, required=True), ["figures as in tinydeploy.lock"]),
        (
            LockCheck(path=LOCK, status="new"),
            ["figures new in tinydeploy.lock: commit it, and later runs are compared with it"],
        ),
        (
            LockCheck(path=LOCK, status="new", other_library=LIBRARY),
            ["figures new in tinydeploy.lock; with tflite-micro 90b983c2b (cmsis_nn kernels) they were the same"],
        ),
        (
            LockCheck(path=LOCK, status="new", moved=MOVED[:1], other_library=LIBRARY),
            [
                "figures new in tinydeploy.lock; with tflite-micro 90b983c2b (cmsis_nn kernels) they were others",
                "  arena used  22,900 B, was 22,820 (+80)",
            ],
        ),
        (
            LockCheck(path=LOCK, status="moved", moved=MOVED),
            [
                "figures moved since tinydeploy.lock",
                "  arena used  22,900 B, was 22,820 (+80)",
                "  inference   9,000 µs, was 10,000 (-1,000, -10.0%)",
                "  --update-lock puts the new figures there, if they are as they should be",
            ],
        ),
        (
            LockCheck(path=LOCK, status="moved", moved=MOVED[:1], required=True),
            [
                "not as expected: figures moved since tinydeploy.lock",
                "  arena used  22,900 B, was 22,820 (+80)",
                "  --update-lock puts the new figures there, if they are as they should be",
            ],
        ),
        (
            LockCheck(path=LOCK, status="updated", moved=MOVED[:1]),
            ["figures updated in tinydeploy.lock", "  arena used  22,900 B, was 22,820 (+80)"],
        ),
        (
            LockCheck(path=LOCK, status="missing", required=True),
            ["not as expected: figures are not in tinydeploy.lock; a run without --locked puts them there"],
        ),
        (
            LockCheck(path=LOCK, status="missing"),
            ["figures not put into tinydeploy.lock: a wrong result is no measure for later runs"],
        ),
    ],
)
def test_the_lock_is_told_in_a_line_and_one_for_each_figure_that_moved(check, lines):
    assert shown(lock_text(check)) == lines


def test_a_lock_that_is_required_and_moved_is_not_ok_for_programs(model):
    deployment = deployment_of(model, tflm_plan(model))
    check = LockCheck(path=LOCK, status="moved", moved=MOVED[:1], required=True)
    values = deployment_json(deployment, check)
    assert values["ok"] is False
    assert values["lock"] == {
        "path": "tinydeploy.lock",
        "status": "moved",
        "moved": [{"figure": "arena_bytes", "locked": 22_820, "now": 22_900, "unit": "B"}],
        "other_library": None,
    }
    assert deployment_json(deployment, replace(check, required=False))["ok"] is True
    assert lock_json(None) is None


def bench_lines(model, plan, *layers, cycles=None):
    unit = "us" if cycles else "instructions"
    latency = Latency(per_inference=sum(layers), unit=unit, layers=layers, layer_cycles=cycles)
    lines = shown(deployment_text(deployment_of(model, plan, latency=latency, streaming=STREAMING)))
    start = next(number for number, line in enumerate(lines) if line.startswith("layer "))
    return lines[start : next(number for number, line in enumerate(lines) if line.startswith("streamed "))]


def test_bench_says_which_layers_are_slow_why_and_what_to_try(model_file):
    model = model_file("kws_int8.tflite")
    layers = (1_111_505, 3_333_021, *[1_069_240, 600_108] * 3, 1_069_240, 51_304, 257, 2_551, 4_559)
    m4 = tflm_plan(model)
    plan = replace(m4, board=replace(m4.board, tflm=replace(m4.board.tflm, kernels="cmsis_nn")))
    lines = bench_lines(model, plan, *layers)
    assert lines[0].split() == ["layer", "output", "MACs", "instructions", "per", "MAC", "usual", "share"]
    assert lines[1].split()[2:] == ["1x25x5x64", "320,000", "1,111,505", "3.47", "4.25", "10.5%"]
    assert lines[14:] == [
        "",
        "slow layers for optimized kernels on cortex-m4",
        "  op 1 DEPTHWISE_CONV_2D: 46.29 instructions per MAC, 5.4 times the usual 8.60",
        "  why  a plain kernel may have run: the fast one does not take the shape, or is not in the library",
        "       CMSIS-NN has the fast ones only where it is compiled for this core (-mcpu)",
        "  try  --kernels reference: a layer that is as fast with it was not run by the fast kernel",
        "",
    ]


def test_bench_of_reference_kernels_says_what_they_cost(model_file):
    model = model_file("kws_int8.tflite")
    layers = (14_482_863, *[3_333_021, 4_464_095] * 4, 65_947, 257, 7_053, 4_119)
    lines = bench_lines(model, tflm_plan(model, kernels="reference"), *layers)
    assert lines[14:] == [
        "",
        "reference kernels: 17.19 instructions per MAC, 5.5 times the 3.12 that are usual with optimized ones",
        "",
    ]


def test_bench_of_the_aot_engine_has_no_usual_figures(model):
    lines = bench_lines(model, plan_of(model), 900)
    assert lines == [
        "layer                output  MACs  instructions  per MAC   share",
        "  0 FULLY_CONNECTED     1x3    12           900    75.00  100.0%",
        "",
    ]


def test_bench_of_a_real_board_has_microseconds_and_cycles(model):
    lines = bench_lines(model, plan_of(model), 10, cycles=(640,))
    assert lines == [
        "layer                output  MACs  µs  cycles per MAC   share",
        "  0 FULLY_CONNECTED     1x3    12  10           53.33  100.0%",
        "",
    ]
