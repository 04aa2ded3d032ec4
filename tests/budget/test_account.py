"""Which figure is taken of several: that of the build, else that of an earlier run, else the plan's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from deployments import deployment_of, plan_of, tflm_plan, write_model

from tinydeploy.bench import Latency
from tinydeploy.budget.account import account
from tinydeploy.budget.earlier import read_earlier
from tinydeploy.cost.instructions import estimate_instructions
from tinydeploy.errors import UsageError
from tinydeploy.image import Image
from tinydeploy.lock.entry import Lock, entry_of
from tinydeploy.lock.file import read_lock, write_lock
from tinydeploy.report.deployment import deployment_json

NOTHING = read_earlier(None, ())
BUILT = Image(elf=Path("firmware.elf"), flash_bytes=7_000, ram_bytes=6_000, model_bytes=100)


@pytest.fixture
def plan(tmp_path):
    return plan_of(write_model(tmp_path))


@pytest.fixture
def lock(tmp_path, plan):
    """A lock file with a deployment of the plan."""
    path = tmp_path / "tinydeploy.lock"
    entry = entry_of(deployment_of(tmp_path / "small.tflite", plan))
    write_lock(path, Lock(entries=(replace(entry, arena_reserved_bytes=plan.engine.arena_reserved_bytes),)))
    return path


def sources(budget):
    return budget.arena.source, budget.ram.source, budget.flash.source


def test_without_anything_else_it_is_the_plan(plan):
    budget = account(plan, NOTHING)
    assert sources(budget) == ("exact", "estimated", "estimated")
    assert budget.arena.value == plan.engine.arena_reserved_bytes
    assert (budget.ram.value, budget.flash.value) == (plan.ram.used_bytes, plan.flash.used_bytes)
    assert budget.ram_free_bytes == plan.ram.free_bytes
    assert budget.flash_free_bytes == plan.flash.free_bytes
    estimate = estimate_instructions(plan)
    assert (budget.instructions.value, budget.instructions.source) == (estimate.total, "estimated")
    assert budget.layer_instructions == estimate.layers


def test_where_nothing_is_known_of_a_core_there_is_no_figure(tmp_path):
    budget = account(plan_of(write_model(tmp_path), "esp32"), NOTHING)
    assert (budget.instructions, budget.layer_instructions, budget.milliseconds) == (None, None, None)


def test_milliseconds_are_told_of_the_board_that_somebody_has_published(tmp_path):
    budget = account(plan_of(write_model(tmp_path), "nucleo_l4r5zi"), NOTHING)
    assert 0 < budget.milliseconds.low < budget.milliseconds.high
    assert budget.milliseconds.source == "estimated"
    assert "MLPerf Tiny" in budget.milliseconds.origin


def test_what_a_board_told_before_goes_before_the_estimate(plan, lock):
    budget = account(plan, read_earlier(lock, ()))
    assert sources(budget) == ("exact", "measured", "measured")
    assert (budget.ram.value, budget.ram.origin) == (5_968, "tinydeploy.lock")
    assert budget.flash.value == 14_056
    assert (budget.instructions.source, budget.instructions.origin) == ("measured", "tinydeploy.lock")


@pytest.mark.parametrize("other", [{"kernels": "reference"}, {"optimize": "size"}, {"library_identity": "another"}])
def test_what_was_told_of_other_settings_counts_for_nothing(tmp_path, lock, other):
    budget = account(plan_of(tmp_path / "small.tflite", **other), read_earlier(lock, ()))
    assert budget.ram.source == "estimated"
    budget = account(plan_of(tmp_path / "small.tflite", buffers=1), read_earlier(lock, ()))
    assert budget.ram.source == "estimated"


def test_what_was_told_of_a_firmware_with_another_arena_counts_for_nothing(plan, lock):
    (entry,) = read_lock(lock).entries
    write_lock(lock, Lock(entries=(replace(entry, arena_reserved_bytes=entry.arena_reserved_bytes + 16),)))
    budget = account(plan, read_earlier(lock, ()))
    assert sources(budget) == ("exact", "estimated", "estimated")
    assert budget.instructions.source == "estimated"


def test_what_was_built_goes_before_all(plan, lock):
    budget = account(plan, read_earlier(lock, ()), BUILT)
    assert sources(budget) == ("exact", "exact", "exact")
    assert (budget.ram.value, budget.ram.origin) == (6_000, "ELF")


def test_a_framework_leaves_the_stack_to_what_remains_of_the_ram(tmp_path):
    plan = plan_of(write_model(tmp_path), "pico")
    assert account(plan, NOTHING, BUILT).ram.value == 6_000 + plan.board.stack_bytes


def test_a_firmware_that_is_still_to_ask_for_its_arena_does_not_tell_the_final_ram(tmp_path):
    plan = tflm_plan(write_model(tmp_path), arena_estimated="nobody knows")
    budget = account(plan, NOTHING, BUILT)
    assert sources(budget) == ("estimated", "estimated", "estimated")
    assert budget.arena.origin == "nobody knows"


def test_a_bench_tells_every_layer(tmp_path, plan, lock):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(deployment_json(deployment_of(tmp_path / "small.tflite", plan))))
    budget = account(plan, read_earlier(lock, [path]))
    assert budget.instructions.origin == "bench.json"
    assert len(budget.layer_instructions) == len(plan.graph.ops)
    elsewhere = account(plan_of(tmp_path / "small.tflite", "pico"), read_earlier(lock, [path]))
    assert elsewhere.instructions.source == "estimated"


def test_microseconds_are_no_instructions(tmp_path, plan):
    path = tmp_path / "bench.json"
    latency = Latency(per_inference=1_500, unit="us", layers=(1_400,), layer_cycles=None)
    path.write_text(json.dumps(deployment_json(deployment_of(tmp_path / "small.tflite", plan, latency=latency))))
    budget = account(plan, read_earlier(None, [path]))
    assert budget.instructions.source == "estimated"
    assert (budget.milliseconds.low, budget.milliseconds.high, budget.milliseconds.source) == (1.5, 1.5, "measured")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON: maximum recursion depth"),
        (b"{}", "it is no bench: KeyError: 'model'"),
        (b"[]", "it is no bench: TypeError"),
    ],
)
def test_another_file_is_no_bench(tmp_path, content, problem):
    path = tmp_path / "bench.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_earlier(None, [path])
    assert caught.value.summary == f"not a bench to take figures from: {path}"
    assert problem in caught.value.where["reason"]
    assert "tinydeploy bench MODEL --board ID --json FILE" in caught.value.hint


def test_a_bench_with_figures_that_are_none_is_refused(tmp_path, plan):
    values = deployment_json(deployment_of(tmp_path / "small.tflite", plan))
    for change in ({"per_inference": None}, {"unit": "miles"}, {"layers": [{"instructions": -1}]}):
        path = tmp_path / "bench.json"
        path.write_text(json.dumps({**values, "latency": {**values["latency"], **change}}))
        with pytest.raises(UsageError):
            read_earlier(None, [path])
