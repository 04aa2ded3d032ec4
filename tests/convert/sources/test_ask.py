"""What a worker's answer, refusal, crash and silence become."""

import sys

import pytest

from tinydeploy.convert.sources.ask import _UNROLL, ask
from tinydeploy.convert.sources.workers.tensorflow_graph import UNROLL
from tinydeploy.errors import ModelError

_ANSWER = """
import json, os, signal, sys, time
import numpy as np
def tell(**arrays):
    np.savez(sys.stdout.buffer, allow_pickle=False, **arrays)
    sys.stdout.buffer.flush()
request = np.load(__import__("io").BytesIO(sys.stdin.buffer.read()))["request"]
sys.stderr.write('@stage converting\\n@suspect "memory (LSTM, unroll=False)"\\nwords of a framework\\n')
sys.stderr.flush()
"""


@pytest.fixture
def asked(tmp_path):
    def ask_for(script, **options):
        program = tmp_path / "worker.py"
        program.write_text(_ANSWER + script, encoding="utf-8")
        return ask("keras", tmp_path / "m.keras", program=program, **options)

    return ask_for


def test_an_answer_comes_with_the_model_and_the_words_go_to_who_listens(asked):
    heard = []
    answer = asked(
        "tell(answer=np.array(json.dumps({'a': 1})), model=np.frombuffer(b'xyz', np.uint8))", on_line=heard.append
    )
    assert answer.told == {"a": 1}
    assert answer.model == b"xyz"
    assert heard == ["converting", "words of a framework"]


def test_the_worker_is_told_which_file_and_which_work(asked, tmp_path):
    answer = asked("tell(answer=request, model=np.zeros(0, np.uint8))")
    assert answer.told == {"worker": "keras", "source": str(tmp_path / "m.keras")}


def test_a_crash_names_the_likely_layer_and_the_way_out(asked):
    with pytest.raises(ModelError) as caught:
        asked("os.kill(os.getpid(), signal.SIGSEGV)")
    assert caught.value.exit_code == 3
    assert caught.value.summary == "TensorFlow's converter crashed (SIGSEGV) while converting"
    assert caught.value.where["model"] == "m.keras"
    assert caught.value.where["likely"] == "memory (LSTM, unroll=False)"
    assert "unroll=True" in caught.value.hint
    assert "tf-keras" in caught.value.hint


def test_the_way_out_is_the_same_whether_the_converter_crashes_or_refuses():
    assert _UNROLL == UNROLL


def test_a_crash_without_suspects_says_how_to_find_the_layer(tmp_path):
    program = tmp_path / "worker.py"
    program.write_text("import os; os.abort()", encoding="utf-8")
    with pytest.raises(ModelError, match=r"litert-torch crashed \(SIGABRT\) while starting") as caught:
        ask("torch", tmp_path / "m.pt2", program=program)
    assert caught.value.hint == "leave out layers until it converts: the last one that was left out is the one"


def test_a_worker_that_does_not_finish_is_ended_and_names_the_likely_layer(asked):
    with pytest.raises(ModelError) as caught:
        asked("time.sleep(60)", timeout_s=5.0)
    assert caught.value.summary == "TensorFlow's converter did not finish within 5 s"
    assert caught.value.where["likely"] == "memory (LSTM, unroll=False)"


def test_a_refusal_is_told_as_the_worker_tells_it_with_nothing_that_a_terminal_obeys(asked):
    told = {"summary": "no \x1b[31mop", "where": {"layer": "one\ntwo\x07"}, "hint": "do this"}
    with pytest.raises(ModelError) as caught:
        asked(f"tell(refusal=np.array(json.dumps({told!r})))\nsys.exit(3)")
    assert caught.value.summary == "no _[31mop"
    assert caught.value.where == {"model": "m.keras", "layer": "one\ntwo_"}
    assert caught.value.hint == "do this"


def test_a_worker_that_fails_says_why(asked):
    with pytest.raises(ModelError, match="TensorFlow's converter failed while converting") as caught:
        asked("import no_such_module")
    assert "No module named" in caught.value.where["says"]
    assert caught.value.hint == "see all that it says: -v"


def test_a_worker_that_ends_without_an_answer_is_an_error(asked):
    with pytest.raises(ModelError, match="TensorFlow's converter ended without an answer"):
        asked("")


def test_packages_from_pythonpath_are_there_in_this_python_and_not_in_another(asked, tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "brought_along.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(packages))
    script = """
from importlib.util import find_spec
tell(answer=np.array(json.dumps(find_spec('brought_along') is not None)), model=np.zeros(0, np.uint8))
"""
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    assert asked(script).told is True
    assert asked(script, python=other).told is False


def test_the_program_that_converts_keeps_what_pythonpath_adds(tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "h5py.py").write_text("raise ImportError('the one from PYTHONPATH')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    (tmp_path / "m.h5").touch()
    with pytest.raises(ModelError) as caught:
        ask("keras", tmp_path / "m.h5")
    assert caught.value.where["says"] == "ImportError: the one from PYTHONPATH"


def test_the_python_can_be_another(asked, tmp_path):
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    answer = asked("tell(answer=np.array(json.dumps(sys.executable)), model=np.zeros(0, np.uint8))", python=other)
    assert answer.told == str(other)
