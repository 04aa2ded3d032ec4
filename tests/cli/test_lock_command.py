"""The lock file at the command line: written once, compared with from then on, and changed only when asked."""

import json

import pytest
from command_line import BOARD, facts


@pytest.fixture
def flash(tool, model):
    """Runs ``flash``; returns the exit code, the lines people read and the JSON's ``lock``."""

    def run(*options, code=0):
        finished = tool("flash", model, "--board", BOARD, "--json", "-", *options)
        assert finished.code == code, finished.err
        values = json.loads(finished.out)
        assert values["ok"] is (code == 0)
        return finished.err, values["lock"]

    return run


def test_figures_are_kept_compared_and_replaced_when_asked(tool, flash):
    path = tool.folder / "tinydeploy.lock"
    words, lock = flash()
    assert lock == {"path": "tinydeploy.lock", "status": "new", "moved": [], "other_library": None}
    assert "figures new in tinydeploy.lock: commit it, and later runs are compared with it\n" in words
    first = path.read_text()
    assert str(tool.folder) not in first

    words, lock = flash("--locked")
    assert lock["status"] == "same"
    assert "figures as in tinydeploy.lock\n" in words

    entry = dict(line.split(" = ") for line in first.splitlines() if " = " in line)
    instructions = int(entry["latency"])
    older = first.replace(f"latency = {entry['latency']}", f"latency = {instructions - 10}")
    path.write_text(older)
    words, lock = flash("--locked", code=1)
    assert "not as expected: figures moved since tinydeploy.lock\n" in words
    figure = {"figure": "latency", "locked": instructions - 10, "now": instructions, "unit": "instructions"}
    assert (lock["status"], lock["moved"]) == ("moved", [figure])
    words, lock = flash()
    assert f"  inference  {instructions:,} instructions, was {instructions - 10:,} (+10" in words
    assert path.read_text() == older, "nobody asked for it"

    _, lock = flash("--update-lock")
    assert (lock["status"], lock["moved"]) == ("updated", [figure])
    assert path.read_text() == first


def test_a_lock_that_is_required_has_to_be_there(tool, flash):
    words, lock = flash("--locked", code=1)
    assert lock["status"] == "missing"
    assert "not as expected: figures are not in tinydeploy.lock; a run without --locked puts them there\n" in words
    assert not (tool.folder / "tinydeploy.lock").exists()


def test_a_damaged_lock_is_told_before_anything_is_built(tool, model):
    path = tool.folder / "tinydeploy.lock"
    path.write_text("version = 1\n[[deployment]]\nmodel = 7\n")
    message = tool.refuses("flash", model, "--board", BOARD, code=2)
    assert message.startswith("error: tinydeploy.lock is damaged: model: text is needed\n")
    assert facts(message)["file"] == "tinydeploy.lock, line 3"
    assert path.read_text() == "version = 1\n[[deployment]]\nmodel = 7\n"
