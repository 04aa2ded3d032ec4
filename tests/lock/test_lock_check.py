"""Comparing a deployment with the lock file: what moved, and when the file is written."""

import multiprocessing
from dataclasses import replace

import pytest
from deployments import deployment_of, tflm_plan, write_model

from tinydeploy.bench import Latency
from tinydeploy.engines.interface import ArenaSizes
from tinydeploy.link.hello import Arena
from tinydeploy.lock.check import Drift, check_lock, drift
from tinydeploy.lock.entry import Lock, entry_of, measured_arenas
from tinydeploy.lock.file import read_lock


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    """A deployment of the tflm engine, from a folder that has no lock yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path / "cache"))
    model = write_model(tmp_path)
    return deployment_of(model, tflm_plan(model))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tinydeploy.lock"


def moved_to(deployment, used):
    return replace(deployment, arena=replace(deployment.arena, used_bytes=used))


def test_an_entry_has_every_figure_and_no_place_on_this_machine(deployment, tmp_path):
    entry = entry_of(deployment)
    assert (entry.model, entry.board, entry.engine) == ("small.tflite", "qemu-cortex-m4", "tflm")
    assert (entry.arena_bytes, entry.arena_reserved_bytes, entry.arena_smallest_bytes) == (22_820, 22_832, None)
    assert (entry.ram_bytes, entry.flash_bytes, entry.stack_bytes) == (5_968, 14_056, 412)
    assert (entry.macs, entry.latency, entry.latency_unit) == (12, 1_000, "instructions")
    assert str(tmp_path) not in repr(entry)


def test_the_first_run_makes_an_entry_and_the_second_finds_it(deployment, path):
    assert check_lock(path, deployment).status == "new"
    assert read_lock(path).entries == (entry_of(deployment),)
    again = check_lock(path, deployment)
    assert (again.status, again.moved, again.ok) == ("same", (), True)


def test_what_moved_is_told_and_stays_until_the_update_is_asked_for(deployment, path):
    check_lock(path, deployment)
    before = path.read_bytes()
    check = check_lock(path, moved_to(deployment, 22_900))
    assert (check.status, check.ok) == ("moved", True)
    assert check.moved == (Drift(figure="arena_bytes", locked=22_820, now=22_900, unit="B"),)
    assert path.read_bytes() == before
    check = check_lock(path, moved_to(deployment, 22_900), update=True)
    assert (check.status, len(check.moved)) == ("updated", 1), "the report still says what it was"
    assert check_lock(path, moved_to(deployment, 22_900)).status == "same"


def test_a_lock_that_is_required_fails_where_something_moved_or_is_missing(deployment, path):
    missing = check_lock(path, deployment, required=True)
    assert (missing.status, missing.ok) == ("missing", False)
    assert not path.exists()
    check_lock(path, deployment)
    assert check_lock(path, deployment, required=True).ok
    moved = check_lock(path, moved_to(deployment, 22_900), required=True)
    assert (moved.status, moved.ok) == ("moved", False)


def test_a_deployment_that_is_wrong_is_no_measure_for_later_ones(deployment, path):
    wrong = replace(deployment, comparison=replace(deployment.comparison, passed=False))
    assert check_lock(path, wrong).status == "missing"
    assert not path.exists()
    check_lock(path, deployment)
    assert check_lock(path, moved_to(wrong, 22_900), update=True).status == "moved"
    assert read_lock(path).entries == (entry_of(deployment),)


def test_figures_that_only_a_later_run_knows_complete_the_entry(deployment, path):
    without_image = replace(deployment, image=None)
    assert check_lock(path, without_image).status == "new"
    assert check_lock(path, deployment).status == "same"
    assert read_lock(path).entries == (entry_of(deployment),)
    assert check_lock(path, without_image).status == "same", "what is not known has not moved"
    assert read_lock(path).entries == (entry_of(deployment),)


def test_a_new_library_is_compared_with_the_one_before(deployment, path):
    check_lock(path, deployment)
    plan = deployment.plan
    newer = replace(plan, engine=replace(plan.engine, library="TFLM 2", library_identity="tflm-2"))
    check = check_lock(path, replace(moved_to(deployment, 23_000), plan=newer))
    assert (check.status, check.other_library) == ("new", "TensorFlow Lite Micro 90b983c2b with CMSIS-NN")
    assert check.moved == (Drift(figure="arena_bytes", locked=22_820, now=23_000, unit="B"),)
    assert len(read_lock(path).entries) == 2


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({}, []),
        ({"arena_bytes": 22_819}, ["arena_bytes"]),
        ({"arena_reserved_bytes": 22_848}, ["arena_reserved_bytes"]),
        ({"ram_bytes": 5_972, "flash_bytes": 14_060}, ["ram_bytes", "flash_bytes"]),
        ({"stack_bytes": 412 + 256}, []),
        ({"stack_bytes": 412 + 257}, ["stack_bytes"]),
        ({"stack_bytes": 100}, []),
        ({"latency": 1_001}, ["latency"]),
        ({"latency": 999}, ["latency"]),
        ({"latency": None, "ram_bytes": None}, []),
    ],
)
def test_memory_and_instructions_are_exact_and_the_stack_may_differ_by_an_interrupt(deployment, change, figures):
    entry = entry_of(deployment)
    assert [moved.figure for moved in drift(entry, replace(entry, **change))] == figures


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [(10_000, 10_500, False), (10_000, 10_501, True), (10_000, 9_499, True), (10, 12, False), (10, 13, True)],
)
def test_microseconds_have_a_tolerance(deployment, before, now, moved):
    entry = replace(entry_of(deployment), latency_unit="us")
    assert bool(drift(replace(entry, latency=before), replace(entry, latency=now))) is moved


def test_noise_does_not_change_the_file(deployment, path):
    def run(us):
        return replace(deployment, latency=Latency(per_inference=us, unit="us", layers=(us,)))

    check_lock(path, run(10_000))
    before = path.read_bytes()
    assert check_lock(path, run(10_100), update=True).status == "same"
    assert path.read_bytes() == before


def test_a_file_that_has_the_figures_is_not_written_again(deployment, path):
    check_lock(path, deployment)
    path.write_text("# somebody's own words\n" + path.read_text())
    path.chmod(0o444)
    path.parent.chmod(0o555)
    before = path.read_text()
    assert check_lock(path, deployment, update=True).status == "same"
    path.parent.chmod(0o755)
    assert path.read_text() == before


def test_an_update_replaces_only_what_moved(deployment, path):
    check_lock(path, deployment)
    check_lock(path, replace(moved_to(deployment, 22_900), stack_bytes=420), update=True)
    assert read_lock(path).entries == (replace(entry_of(deployment), arena_bytes=22_900),)


def test_only_an_arena_that_was_tried_is_a_measured_one(deployment):
    tried = replace(deployment, arena=Arena(used_bytes=22_820, reserved_bytes=22_832, smallest_bytes=22_832))
    sha256 = deployment.plan.graph.sha256
    assert measured_arenas(Lock().with_entry(entry_of(deployment)), sha256) == {}
    lock = Lock().with_entry(entry_of(tried))
    assert measured_arenas(lock, sha256) == {
        ("qemu-cortex-m4", "tflm-90b983c2b-cmsis_nn", "optimized"): ArenaSizes(used_bytes=22_820, needed_bytes=22_832)
    }
    assert measured_arenas(lock, "0" * 64) == {}


def _lock_boards(path, deployment, boards):
    for board in boards:
        plan = replace(deployment.plan, board=replace(deployment.plan.board, id=board))
        check_lock(path, replace(deployment, plan=plan))


def test_processes_that_write_at_once_lose_nothing(deployment, path):
    boards = [f"board-{number}" for number in range(24)]
    context = multiprocessing.get_context("fork")
    engine = replace(deployment.plan.engine, generate=None)
    simple = replace(deployment, plan=replace(deployment.plan, engine=engine))
    writers = [context.Process(target=_lock_boards, args=(path, simple, boards[first::4])) for first in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert sorted(entry.board for entry in read_lock(path).entries) == sorted(boards)
