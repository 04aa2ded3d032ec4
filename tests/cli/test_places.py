"""Where results go: folders that belong to somebody, places that cannot be written to, links and pipes."""

import json
import os
import subprocess
import sys

import pytest
from command_line import BOARD, DIGITS, facts


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def generate(tool, model, output, **env):
    return tool("generate", model, "--board", BOARD, "-o", output, **env)


def test_a_folder_with_other_peoples_files_is_not_touched(tool, model):
    theirs = tool.folder / "theirs"
    theirs.mkdir()
    (theirs / "platformio.ini").write_text("[env:mine]\n")
    (theirs / "notes.txt").write_text("keep me\n")
    before = tree(theirs)
    finished = generate(tool, model, "theirs")
    assert finished.code == 2
    message = finished.err[finished.err.index("error: ") :]
    assert message.splitlines()[0] == "error: theirs is not empty, and not a project that tinydeploy generated"
    assert facts(message)["try"] == "choose a new or empty folder: -o DIR"
    assert tree(theirs) == before


def test_a_project_is_updated_and_the_users_own_files_in_it_stay(tool, model):
    (tool.folder / "empty").mkdir()
    assert generate(tool, model, "empty").code == 0
    own = tool.folder / "empty" / "src" / "mine.c"
    own.write_text("/* mine */\n")
    before = tree(tool.folder / "empty")
    assert generate(tool, model, "empty").code == 0
    assert tree(tool.folder / "empty") == before


def test_a_place_below_a_file_is_refused(tool, model):
    (tool.folder / "file").write_text("a file\n")
    for output in ("file", "file/project"):
        finished = generate(tool, model, output)
        assert finished.code == 2, finished.err
        assert "error: " in finished.err
    assert (tool.folder / "file").read_text() == "a file\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tool, model):
    (tool.folder / "locked").mkdir(mode=0o500)
    finished = generate(tool, model, "locked/project")
    assert finished.code == 2
    assert "permission denied" in finished.err


def test_json_without_a_place_is_refused_before_the_work(tool, model):
    (tool.folder / "file").touch()
    for place, reason in ((".", "is a directory"), ("file/result.json", "not a directory")):
        message = tool.refuses("flash", model, "--board", BOARD, "--json", place, code=2)
        assert message == f"error: cannot write {place}: {reason}\n  try  choose another place, or free the disk\n"
    assert {path.name for path in tool.folder.iterdir()} == {"file", model.name}


def test_json_on_a_full_disk_is_told(tool, model):
    finished = tool("inspect", model, "--json", "/dev/full")
    assert finished.code == 2
    assert finished.err.startswith("error: cannot write /dev/full: no space left on device\n")


def test_a_full_disk_in_the_middle_of_a_file_leaves_no_part_of_it(tool, model):
    """With a limit to the size of files, which fails a write in the same way as a full disk."""
    limited = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "runpy.run_module('tinydeploy', run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, "generate", model, "--board", BOARD, "-o", "project"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(command, cwd=tool.folder, env=env, capture_output=True, text=True, check=False)
    assert finished.returncode == 2, finished.stderr
    assert "Traceback" not in finished.stderr
    assert ": file too large\n" in finished.stderr
    assert not (tool.folder / "project").exists(), "what was written before it is taken back"


def test_json_goes_through_links_and_pipes(tool, model):
    (tool.folder / "real.json").write_text("{}")
    (tool.folder / "link.json").symlink_to("real.json")
    assert tool("inspect", model, "--json", "link.json").code == 0
    assert (tool.folder / "link.json").is_symlink()
    assert json.loads((tool.folder / "real.json").read_text())["ok"] is True
    finished = tool("boards", "--json", "/dev/stderr")
    assert json.loads(finished.err)["ok"] is True


def test_inspect_shows_layers_shapes_macs_constants_and_the_peak(tool):
    text = tool("inspect", DIGITS, "--board", "microbit").out
    assert "input   tensor 0 (serving_default_images:0): 1x8x8x1 int8, real = 0.00392157 * (q - -128)" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["layer", "output", "MACs", "constants", "B", "arena", "B"] in rows
    first = next(row for row in rows if row[:2] == ["0", "CONV_2D"])
    assert first[2:4] == ["1x8x8x16", "9,216"]
    (peak,) = [row for row in rows if row[-1:] == ["peak"]]
    assert peak[1] == "MAX_POOL_2D"
    assert "41,984 multiply-accumulates" in text
    assert "1,024 B  tensor 14 (" in text
    assert rows[-1][0] == "microbit"
    assert rows[-1][-1] == "fits"
