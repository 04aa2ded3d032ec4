"""The lock file: what is written is read again, equal locks are equal text, and damage is told with its line."""

import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydeploy.errors import UsageError
from tinydeploy.lock.entry import Lock, LockEntry
from tinydeploy.lock.file import lock_text, read_lock, write_lock

ENTRY = LockEntry(
    model="kws_int8.tflite",
    model_sha256="a5" * 32,
    board="qemu-cortex-m4",
    engine="tflm",
    kernels="optimized",
    library="TensorFlow Lite Micro 90b983c2b with CMSIS-NN",
    library_identity="tflm-90b983c2b-cmsis_nn",
    buffers=2,
    macs=2_656_768,
    arena_bytes=22_820,
    arena_reserved_bytes=22_832,
    arena_smallest_bytes=None,
    ram_bytes=31_000,
    flash_bytes=115_000,
    stack_bytes=988,
    latency=7_846_133,
    latency_unit="instructions",
)
TEXT = """\
# What boards reported of the models that were verified on them. Written by tinydeploy; commit it, do not edit it.
# flash, verify and bench say which figure moved; --update-lock takes the new ones, --locked fails where one moved.
# In a merge conflict keep both sides' entries; where both have the same one, either, and run it with --update-lock.
version = 1

[[deployment]]
model = "kws_int8.tflite"
model_sha256 = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
board = "qemu-cortex-m4"
engine = "tflm"
kernels = "optimized"
library = "TensorFlow Lite Micro 90b983c2b with CMSIS-NN"
library_identity = "tflm-90b983c2b-cmsis_nn"
buffers = 2
macs = 2_656_768
arena_bytes = 22_820
arena_reserved_bytes = 22_832
ram_bytes = 31_000
flash_bytes = 115_000
stack_bytes = 988
latency = 7_846_133
latency_unit = "instructions"
"""
ELSEWHERE = replace(ENTRY, board="nano33ble", latency_unit="us", latency=91_234, arena_smallest_bytes=22_832)


def test_the_file_says_what_it_is_and_has_one_figure_in_a_line():
    assert lock_text(Lock().with_entry(ENTRY)) == TEXT


def test_what_is_written_is_read_again(tmp_path):
    lock = Lock().with_entry(ENTRY).with_entry(ELSEWHERE)
    write_lock(tmp_path / "tinydeploy.lock", lock)
    assert read_lock(tmp_path / "tinydeploy.lock") == lock


def test_without_a_file_there_are_no_entries(tmp_path):
    assert read_lock(tmp_path / "tinydeploy.lock") == Lock()


def test_a_file_that_keeps_nothing_has_no_entries():
    write_lock(Path("/dev/null"), Lock().with_entry(ENTRY))
    assert read_lock(Path("/dev/null")) == Lock()


def test_the_order_of_entries_does_not_depend_on_that_of_the_runs():
    other = replace(ENTRY, model="ad01_int8.tflite", model_sha256="b6" * 32)
    lock = Lock().with_entry(ENTRY).with_entry(ELSEWHERE).with_entry(other)
    assert lock == Lock().with_entry(other).with_entry(ELSEWHERE).with_entry(ENTRY)
    assert [(entry.model, entry.board) for entry in lock.entries] == [
        ("ad01_int8.tflite", "qemu-cortex-m4"),
        ("kws_int8.tflite", "nano33ble"),
        ("kws_int8.tflite", "qemu-cortex-m4"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "b6" * 32},
        {"board": "pico"},
        {"engine": "aot"},
        {"kernels": "reference"},
        {"optimize": "size"},
        {"library_identity": "another"},
        {"buffers": 1},
    ],
)
def test_each_part_of_the_key_makes_an_entry_of_its_own(change):
    assert len(Lock().with_entry(ENTRY).with_entry(replace(ENTRY, **change)).entries) == 2


def test_a_renamed_model_is_the_same_entry():
    lock = Lock().with_entry(ENTRY).with_entry(replace(ENTRY, model="renamed.tflite"))
    assert [entry.model for entry in lock.entries] == ["renamed.tflite"]


def test_what_a_run_cannot_tell_is_kept_of_the_run_before():
    blind = replace(ENTRY, ram_bytes=None, flash_bytes=None, arena_bytes=22_900)
    assert Lock().with_entry(ENTRY).with_entry(blind).entries == (replace(ENTRY, arena_bytes=22_900),)


texts = st.text(st.characters(), max_size=12)
numbers = st.integers(0, 2**63 - 1)


@given(
    st.builds(
        replace,
        st.just(ENTRY),
        model=texts,
        board=texts,
        engine=texts,
        library=st.none() | texts,
        buffers=numbers,
        latency=st.none() | numbers,
        latency_unit=st.sampled_from(["instructions", "us"]),
    )
)
def test_no_text_can_break_out_of_its_string(entry):
    written = tomllib.loads(lock_text(Lock(entries=(entry,))))["deployment"]
    expected = {
        name: "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else char for char in value)
        if isinstance(value, str)
        else value
        for name, value in vars(entry).items()
        if value is not None
    }
    assert written == [expected]


def test_two_branches_that_add_entries_merge_by_themselves(tmp_path):
    """Git's own merge, of a file with an entry between those that the branches add."""

    def file(name, *entries):
        lock = Lock()
        for entry in entries:
            lock = lock.with_entry(entry)
        (tmp_path / name).write_text(lock_text(lock))
        return lock

    first, last = replace(ENTRY, model="a.tflite"), replace(ENTRY, model="z.tflite", model_sha256="b6" * 32)
    middle = replace(ENTRY, model="m.tflite", model_sha256="c7" * 32)
    file("base", middle)
    file("ours", middle, first)
    file("theirs", middle, last)
    subprocess.run(["git", "merge-file", "ours", "base", "theirs"], cwd=tmp_path, check=True)
    assert read_lock(tmp_path / "ours") == file("expected", first, middle, last)


@pytest.mark.parametrize(
    ("damage", "line", "problem"),
    [
        (("version = 1", "version = 0"), 4, "is damaged: version: a whole number is needed"),
        (("version = 1\n", ""), 1, "is damaged: version: a whole number is needed"),
        (("buffers = 2", "buffers = two"), 14, "is damaged: invalid value"),
        (("buffers = 2", 'buffers = "2"'), 14, "is damaged: buffers: a whole number is needed, 0 or more"),
        (("buffers = 2", "buffers = true"), 14, "is damaged: buffers: a whole number is needed, 0 or more"),
        (("macs = 2", "macs = -2"), 15, "is damaged: macs: a whole number is needed, 0 or more"),
        (("macs = ", "max = "), 15, "is damaged: max: no such key"),
        (("macs = 2_656_768\n", ""), 6, "is damaged: macs: missing"),
        (("a5a5", "xyz"), 8, "is damaged: model_sha256: 64 hexadecimal digits are needed"),
        (('"optimized"', '"fastest"'), 11, "is damaged: kernels: 'fastest' is not one of reference, optimized"),
        (('board = "', "board = 7 # "), 9, "is damaged: board: text is needed"),
        (("version = 1", "version = 1\nauthor = 2"), 5, "is damaged: author: no such key"),
        (("[[deployment]]", "[deployment]"), 6, "is damaged: deployment: no such key"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path, damage, line, problem):
    path = tmp_path / "tinydeploy.lock"
    path.write_text(TEXT.replace(*damage, 1))
    with pytest.raises(UsageError) as caught:
        read_lock(path)
    assert caught.value.summary == f"tinydeploy.lock {problem}"
    assert caught.value.where == {"file": f"{path}, line {line}"}
    assert caught.value.hint == (
        f"take it from version control again (git checkout {path}), or delete it: it is made anew"
    )


def test_a_file_of_the_future_is_neither_read_nor_lost(tmp_path):
    path = tmp_path / "tinydeploy.lock"
    path.write_text("version = 2\n[another.form]\n")
    with pytest.raises(UsageError) as caught:
        read_lock(path)
    assert str(caught.value).splitlines() == [
        "tinydeploy.lock was written by a newer tinydeploy (version 2 of the file; this one knows 1)",
        f"  file  {path}",
        "  try   update tinydeploy",
    ]
    assert path.read_text() == "version = 2\n[another.form]\n"


def test_a_merge_conflict_is_called_one(tmp_path):
    path = tmp_path / "tinydeploy.lock"
    conflict = "<<<<<<< ours\narena_bytes = 22_820\n=======\narena_bytes = 22_900\n>>>>>>> theirs"
    path.write_text(TEXT.replace("arena_bytes = 22_820", conflict))
    with pytest.raises(UsageError) as caught:
        read_lock(path)
    assert caught.value.summary == "tinydeploy.lock has a merge conflict"
    assert caught.value.where == {"file": f"{path}, line 16"}
    assert "keep both sides' entries" in caught.value.hint


def test_the_same_entry_twice_is_not_one_of_them(tmp_path):
    path = tmp_path / "tinydeploy.lock"
    path.write_text(TEXT + "\n" + TEXT[TEXT.index("[[") :].replace("22_820", "22_900"))
    with pytest.raises(UsageError) as caught:
        read_lock(path)
    assert caught.value.summary == (
        "tinydeploy.lock has two entries for kws_int8.tflite on qemu-cortex-m4 (tflm, optimized)"
    )
    assert caught.value.where == {"file": f"{path}, line 24"}
    assert caught.value.hint == "remove one of them"


def test_what_is_not_text_is_told(tmp_path):
    path = tmp_path / "tinydeploy.lock"
    path.write_bytes(b"# one\n\xff")
    with pytest.raises(UsageError, match="is damaged: not UTF-8") as caught:
        read_lock(path)
    assert caught.value.where == {"file": f"{path}, line 2"}


def test_a_folder_in_its_place_is_told(tmp_path):
    path = tmp_path / "tinydeploy.lock"
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read: is a directory"):
        read_lock(path)
