"""`make mutants`, some hundred of them: damaged and hostile models through inspect, budget and generate."""

import os
import subprocess
import sys
from pathlib import Path

import attack
import attack_models
import pytest
from command_line import CHECKOUT, DIGITS
from mutants import mutant
from tflite_builder import ModelBuilder

MUTANTS = 200
PROGRAM = CHECKOUT / "tests" / "attack_models.py"


def test_two_hundred_mutants_end_in_a_clear_error_or_in_code_that_compiles(tmp_path):
    command = [sys.executable, PROGRAM, "--count", str(MUTANTS), "--seed", "7", "--findings", tmp_path]
    finished = subprocess.run(
        command, cwd=CHECKOUT, env=_environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{MUTANTS} mutants in " in finished.stdout
    assert "with findings: 0" in finished.stdout
    assert not list(tmp_path.iterdir())


def _environment() -> dict[str, str]:
    """The project of this test, wherever another one is installed."""

    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def test_the_same_seed_gives_the_same_mutant():
    data = DIGITS.read_bytes()
    for number in range(20):
        first, second = mutant(data, f"1.{number}"), mutant(data, f"1.{number}")
        assert first == second
        assert first.recipe
    assert len({mutant(data, f"1.{number}").data for number in range(20)}) >= 18


def evil() -> attack.Case:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), scale=0.5), builder.tensor((1, 4), scale=0.5)
    builder.op("RELU", [x], [y])
    return attack.Case(model="evil", data=builder.finish(inputs=[x], outputs=[y]), seed="1.1")


@pytest.fixture
def small(monkeypatch) -> attack.Case:
    """A model that is not changed at all. Memory is counted from what this process has, maybe for other tests."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    monkeypatch.setattr(attack, "MEMORY_BYTES", attack.MEMORY_BYTES + pages * os.sysconf("SC_PAGE_SIZE"))
    case = evil()
    monkeypatch.setattr(attack.Case, "mutant", lambda self: attack.Mutant(data=self.data, recipe=("as it is",)))
    return case


def findings(case: attack.Case, folder: Path) -> str:
    return "\n".join(attack.attack(case, folder).findings)


def test_a_good_model_has_no_findings(small, tmp_path):
    result = attack.attack(small, tmp_path)
    assert result.findings == ()
    assert [one.verb for one in result.ended] == ["inspect", "budget", "generate"]


def write_outside(_words):
    Path("../outside").write_text("x", encoding="utf-8")
    return 0


def start_something(_words):
    subprocess.run(["true"], check=True)
    return 0


def never_end(_words):
    while True:
        pass


def take_all_memory(_words):
    return len(bytes(attack.MEMORY_BYTES))


def die(_words):
    os.abort()


def clear_the_screen(_words):
    os.write(1, b"\x1b[2J")
    return 0


def leave_a_file(_words):
    Path("m.c").write_text("int x;", encoding="utf-8")
    return 0


@pytest.mark.parametrize(
    ("conduct", "found"),
    [
        (write_outside, "left its folder: open '../outside'"),
        (start_something, "left its folder: subprocess.Popen"),
        (never_end, "SIGXCPU"),
        (take_all_memory, "exit code 98"),
        (die, "SIGABRT"),
        (lambda _words: 70, "exit code 70"),
        (clear_the_screen, "a control character"),
        (leave_a_file, "a file outside: deep/er/work/m.c"),
        (lambda _words: 3, "an error without its place or a next step"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_must_not_happen_is_found(small, tmp_path, monkeypatch, conduct, found):
    monkeypatch.setattr(attack, "CPU_S", 1)
    monkeypatch.setattr(attack, "_commands", lambda _: iter([("inspect", "m.tflite")]))
    monkeypatch.setattr(attack, "_command_line", conduct)
    assert found in findings(small, tmp_path)


def test_a_finding_is_kept_with_the_command_that_shows_it(small, tmp_path, monkeypatch):
    monkeypatch.setattr(attack, "_command_line", lambda _words: 70)
    path = attack_models.keep(attack.attack(small, tmp_path / "work"), tmp_path / "findings")
    assert path.read_bytes() == small.data
    told = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert "--repeat evil:1.1" in told
    assert "python -m tinydeploy inspect m.tflite" in told
