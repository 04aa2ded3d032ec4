"""A folder that the tool writes to as a whole, while a person has files there, too."""

import os
import signal
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tinydeploy.errors import UsageError
from tinydeploy.files import LISTING, growing_file, locked_one, write_tree

FIRST = {"src/main.c": b"1", "ports/one/port.c": b"1", "shared.h": b"same"}
SECOND = {"src/main.c": b"2", "ports/two/uart.c": b"2", "shared.h": b"same"}

# Ends at the N-th file that gets its place, in the way that is asked for.
WRITE_SECOND = """
import os, signal, sys
from pathlib import Path, PurePosixPath
from tinydeploy.files import write_tree
folder, number, way = sys.argv[1], int(sys.argv[2]), sys.argv[3]
renamed = 0
def end(event, _):
    global renamed
    renamed += event == "os.rename"
    if event == "os.rename" and renamed == number:
        os.kill(os.getpid(), getattr(signal, way))
sys.addaudithook(end)
write_tree(Path(folder), {PurePosixPath(path): data.encode() for path, data in eval(sys.argv[4]).items()})
"""


def tree(files: dict[str, bytes]) -> dict[PurePosixPath, bytes]:
    return {PurePosixPath(path): data for path, data in files.items()}


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder but the listing."""
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {path: data for path, data in files.items() if path != str(LISTING)}


def write_second(folder: Path, number: int, way: str) -> int:
    text = repr({path: data.decode() for path, data in SECOND.items()})
    command = [sys.executable, "-c", WRITE_SECOND, str(folder), str(number), way, text]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode


def test_what_only_the_earlier_tree_had_goes_and_what_is_the_users_stays(tmp_path):
    write_tree(tmp_path, tree(FIRST))
    (tmp_path / "src/mine.c").write_bytes(b"mine")
    write_tree(tmp_path, tree(SECOND))
    assert content(tmp_path) == {**SECOND, "src/mine.c": b"mine"}
    assert not (tmp_path / "ports/one").exists()


def test_what_has_its_content_already_keeps_its_time_stamp(tmp_path):
    write_tree(tmp_path, tree(FIRST))
    os.utime(tmp_path / "shared.h", ns=(1, 1))
    write_tree(tmp_path, tree(SECOND))
    assert (tmp_path / "shared.h").stat().st_mtime_ns == 1


@pytest.mark.parametrize("number", range(1, 5))
def test_an_interrupted_call_leaves_the_folder_what_it_was(number, tmp_path):
    write_tree(tmp_path, tree(FIRST))
    assert write_second(tmp_path, number, "SIGINT") == -signal.SIGINT
    assert content(tmp_path) == FIRST


@pytest.mark.parametrize("number", range(1, 5))
def test_what_a_killed_call_left_is_put_in_order_by_the_next_one(number, tmp_path):
    write_tree(tmp_path, tree(FIRST))
    assert write_second(tmp_path, number, "SIGKILL") == -signal.SIGKILL
    write_tree(tmp_path, tree({"src/main.c": b"3"}))
    left = {path: data for path, data in content(tmp_path).items() if not Path(path).name.startswith(".")}
    assert left == {"src/main.c": b"3"}


def test_a_tree_that_cannot_be_written_leaves_the_folder_what_it_was(tmp_path):
    write_tree(tmp_path, tree(FIRST))
    (tmp_path / "ports/two/uart.c").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        write_tree(tmp_path, tree(SECOND))
    assert caught.value.summary == f"cannot write {tmp_path}/ports/two/uart.c: file exists"
    assert content(tmp_path) == FIRST
    assert (tmp_path / "ports/two/uart.c").is_dir()


def test_a_listing_from_elsewhere_cannot_have_files_removed_outside_the_folder(tmp_path):
    outside = tmp_path / "thesis.tex"
    outside.touch()
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / LISTING).write_text(f"../thesis.tex\n{outside}\nsrc/../../thesis.tex\n", encoding="utf-8")
    write_tree(folder, tree(FIRST))
    assert outside.exists()


def test_a_link_stays_a_link(tmp_path):
    folder = tmp_path / "project"
    write_tree(folder, tree(FIRST))
    (tmp_path / "elsewhere.c").touch()
    (folder / "src/main.c").unlink()
    (folder / "src/main.c").symlink_to(tmp_path / "elsewhere.c")
    write_tree(folder, tree(SECOND))
    assert (folder / "src/main.c").is_symlink()
    assert (tmp_path / "elsewhere.c").read_bytes() == b"2"


def test_of_several_locks_a_free_one_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path))
    with locked_one([["a", "b"], ["c"]], timeout_s=0) as first, locked_one([["b"], ["c"]], timeout_s=0) as second:
        assert (first, second) == (0, 1), "a choice is taken with all its names"
        with pytest.raises(TimeoutError), locked_one([["a"], ["c", "d"]], timeout_s=0.2):
            pass
        with locked_one([["d"]], timeout_s=0):
            pass
    with locked_one([["b"]], timeout_s=0), locked_one([["a"]], timeout_s=0):
        pass


def test_a_growing_file_has_each_piece_at_once(tmp_path):
    path = tmp_path / "new" / "run.jsonl"
    with growing_file(path) as write:
        write(b"one\n")
        assert path.read_bytes() == b"one\n"
        write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_growing_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"), growing_file(tmp_path / "file" / "run.jsonl"):
        pass
    with pytest.raises(UsageError, match="no space left"), growing_file(Path("/dev/full")) as write:
        write(b"one")
