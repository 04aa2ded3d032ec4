"""The firmware under libFuzzer, AddressSanitizer and UBSan, from the kept corpus; `make fuzz` does it for longer."""

from pathlib import Path

import fuzzing
import pytest

SECONDS = 15


@pytest.fixture(scope="module", autouse=True)
def _clang() -> None:
    if reason := fuzzing.why_not():
        pytest.skip(reason)


@pytest.mark.parametrize("buffers", fuzzing.BUFFERS)
def test_no_script_makes_a_device_misbehave(buffers: int, tmp_path: Path, record_property) -> None:
    program = fuzzing.compile_target(tmp_path / "fuzz", buffers=buffers)
    (tmp_path / "new").mkdir()
    said = fuzzing.fuzz(program, tmp_path / "new", seconds=SECONDS, kept=fuzzing.CORPUS)
    print(f"{fuzzing.executions(said):,} scripts; {fuzzing.reached(said)}")
    record_property("scripts", fuzzing.executions(said))
    assert fuzzing.executions(said) > 1000


def test_the_checks_find_a_planted_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that takes an inference under way for one of the new session, and sends its result there."""
    source = fuzzing.FIRMWARE / "src" / "td_buffers.c"
    (tmp_path / "src").mkdir()
    for path in source.parent.iterdir():
        text = path.read_text(encoding="utf-8")
        if path == source:
            assert "output->abandoned = true;" in text
            text = text.replace("output->abandoned = true;", "output->abandoned = false;")
        (tmp_path / "src" / path.name).write_text(text, encoding="utf-8")
    (tmp_path / "include").symlink_to(fuzzing.FIRMWARE / "include")
    monkeypatch.setattr(fuzzing, "FIRMWARE", tmp_path)
    program = fuzzing.compile_target(tmp_path / "fuzz", buffers=2)
    (tmp_path / "new").mkdir()
    with pytest.raises(AssertionError, match="check_result"):
        fuzzing.fuzz(program, tmp_path / "new", seconds=60, kept=fuzzing.CORPUS)


def test_the_corpus_is_small() -> None:
    sizes = [path.stat().st_size for path in fuzzing.CORPUS.iterdir()]
    assert 20 < len(sizes) < 200
    assert sum(sizes) < 200_000
