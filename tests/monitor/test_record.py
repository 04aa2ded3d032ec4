"""Records: what is written is read again, whatever became of the end, and only like is compared with like."""

import pytest

from tinydeploy.errors import UsageError
from tinydeploy.monitor.record import Comparison, as_line, line_of, read_record

HEADER = {"record": 1, "model_sha256": "ab", "samples_sha256": "cd", "unit": "us", "board": "pico"}
RESULTS = [line_of(number, number % 2, bytes([number, 255]), 100.0 + number, number / 10) for number in range(5)]


def written(folder, *, cut=0, header=HEADER):
    path = folder / "run.jsonl"
    data = b"".join(map(as_line, (header, *RESULTS)))
    path.write_bytes(data[: len(data) - cut])
    return path


def test_what_is_written_is_read_again(tmp_path):
    record = read_record(written(tmp_path))
    assert record.outputs == {number: bytes([number, 255]) for number in range(5)}
    assert record.latencies == (100.0, 101.0, 102.0, 103.0, 104.0)
    assert record.unit == "us"


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_record_whose_writer_was_killed_is_read_up_to_its_last_whole_line(tmp_path, cut):
    assert sorted(read_record(written(tmp_path, cut=cut)).outputs) == [0, 1, 2, 3]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]\n", b'{"record": 2, "unit": "us"}\n', b"\xff\n", b"null\n"])
def test_what_is_no_record_is_refused(tmp_path, data):
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no record of a monitor") as caught:
        read_record(path)
    assert caught.value.where == {"line": "1"}
    assert "--record" in caught.value.hint


def test_a_damaged_line_is_told_by_its_number(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(as_line(HEADER) + as_line(RESULTS[0]) + b'{"n": 1, "output": "?", "latency": 1}\n')
    with pytest.raises(UsageError) as caught:
        read_record(path)
    assert caught.value.where == {"line": "3"}


def test_a_missing_record_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*: no such file or directory"):
        read_record(tmp_path / "none")


@pytest.mark.parametrize(
    ("key", "message"), [("model_sha256", "of another model"), ("samples_sha256", "of other samples")]
)
def test_only_records_of_the_same_model_and_samples_are_compared(tmp_path, key, message):
    with pytest.raises(UsageError, match=message) as caught:
        Comparison(read_record(written(tmp_path)), {**HEADER, key: "ef"})
    assert caught.value.where["now"] == "ef"


def test_outputs_that_differ_are_counted_and_the_first_is_named(tmp_path):
    comparison = Comparison(read_record(written(tmp_path)), HEADER)
    for number, output in ((0, b"\0\xff"), (1, b"\1\0"), (2, b"\2\1"), (9, b"beyond the record")):
        comparison.add(number, output)
    against = comparison.against()
    assert (against.compared, against.differ, against.first) == (3, 2, 1)
    assert against.earlier.p50 == pytest.approx(102, rel=0.045)


def test_latencies_in_another_unit_are_not_compared(tmp_path):
    comparison = Comparison(read_record(written(tmp_path)), {**HEADER, "unit": "instructions"})
    assert comparison.against().earlier is None
