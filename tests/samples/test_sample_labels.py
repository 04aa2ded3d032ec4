"""Labels in a file of their own."""

import numpy as np
import pytest
from sample_graphs import graph_of, refused, single_output

from tinydeploy.samples import SampleOptions, labels, load_samples

GRAPH = graph_of((1, 2))


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, a=np.zeros((4, 2), np.float32), labels=np.zeros(4, int))
    return path


def text(folder, content, name="labels.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def loaded(data, path, **options):
    found = load_samples(data, GRAPH, labels=path, **options).labels
    assert found is not None
    return found.tolist()


@pytest.mark.parametrize(
    "content",
    ["2\n1\n0\n1\n", "label\n2\n1\n0\n1", '"class"\r\n2\r\n"1"\r\n\r\n0\r\n1\r\n', "\N{BYTE ORDER MARK}2\n1\n0\n1"],
)
def test_labels_are_one_number_a_line_and_go_before_those_of_the_samples(tmp_path, data, content):
    assert loaded(data, text(tmp_path, content)) == [2, 1, 0, 1]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_labels_are_an_array(tmp_path, data, shape):
    np.save(tmp_path / "y.npy", np.array([2, 1, 0, 1], np.uint8).reshape(shape))
    assert loaded(data, tmp_path / "y.npy") == [2, 1, 0, 1]


def test_labels_are_the_array_of_that_name_in_an_archive_or_the_only_one(tmp_path, data):
    np.savez(tmp_path / "y.npz", labels=np.array([2, 1, 0, 1]), other=np.zeros(2))
    assert loaded(data, tmp_path / "y.npz") == [2, 1, 0, 1]
    np.savez(tmp_path / "z.npz", y=np.array([2, 1, 0, 1]))
    assert loaded(data, tmp_path / "z.npz") == [2, 1, 0, 1]


def test_labels_are_of_all_samples_where_fewer_are_chosen(tmp_path, data):
    assert loaded(data, text(tmp_path, "2\n1\n0\n1\n"), options=SampleOptions(limit=2)) == [2, 0]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("1\n2\n", "labels are 2 of int64, expected 4 integers"),
        ("1\n2\ncat\n1\n", "line 3 is not a class number: cat"),
        ("1.0\n2\n1\n1\n", "line 1 is not a class number: 1.0"),
        ("a,3\n2\n1\n1\n", "line 1 is not a class number: a,3"),
        ("1\n2\n3\n1\n", "label 3 is not one of the 3 classes of the first output"),
        ("1\n2\n-1\n1\n", "label -1 is not one of the 3 classes of the first output"),
        (f"1\n{1 << 64}\n1\n1\n", f"line 2 is not a class number: {1 << 64}"),
        ("", "labels are 0 of int64, expected 4 integers"),
        (b"\xff\xd8\xff", "it is neither a numpy file nor text"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_their_file(tmp_path, data, content, what):
    path = text(tmp_path, content)
    error = refused(data, GRAPH, labels=path)
    assert error.summary == f"samples do not fit: {what}"
    assert error.where == {"file": str(path)}


def test_labels_that_are_not_there_are_refused(tmp_path, data):
    error = refused(data, GRAPH, labels=tmp_path / "no.csv")
    assert error.summary == f"cannot read labels: {tmp_path / 'no.csv'} is not there"
    assert error.hint == "give an .npy of integers, or a text file with one class number a line"
    assert refused(data, GRAPH, labels=tmp_path).summary == f"cannot read labels: {tmp_path} is a folder, not a file"


def test_an_archive_without_labels_is_refused(tmp_path, data):
    np.savez(tmp_path / "y.npz", y=np.zeros(4, int), z=np.zeros(4, int))
    summary = refused(data, GRAPH, labels=tmp_path / "y.npz").summary
    assert summary == "samples do not fit: it has 2 arrays, none of them named labels"


def test_a_text_too_long_for_labels_is_not_read(tmp_path, data, monkeypatch):
    monkeypatch.setattr(labels, "_MAX_TEXT_BYTES", 4)
    summary = refused(data, GRAPH, labels=text(tmp_path, "1\n2\n0\n")).summary
    assert summary == "samples do not fit: it has 6 bytes, at most 4 can be labels"


@pytest.mark.parametrize(("dtype", "scale"), [("FLOAT32", None), ("INT8", 1 / 256)])
def test_one_real_value_has_two_classes(tmp_path, data, dtype, scale):
    graph = single_output(dtype, scale)
    found = load_samples(data, graph, labels=text(tmp_path, "1\n1\n0\n1\n")).labels
    assert found is not None
    assert found.tolist() == [1, 1, 0, 1]
    summary = refused(data, graph, labels=text(tmp_path, "1\n2\n0\n1\n")).summary
    assert summary == "samples do not fit: label 2 is not one of the 2 classes of the first output"


def test_of_an_index_it_is_not_known_how_far_it_goes(tmp_path, data):
    graph = single_output("INT32")
    found = load_samples(data, graph, labels=text(tmp_path, "1\n2\n0\n999\n")).labels
    assert found is not None
    assert found.tolist() == [1, 2, 0, 999]
    summary = refused(data, graph, labels=text(tmp_path, "1\n-1\n0\n1\n")).summary
    assert summary == "samples do not fit: label -1 is not a class number"
    np.save(tmp_path / "y.npy", np.array([2**63, 0, 0, 0], np.uint64))
    summary = refused(data, graph, labels=tmp_path / "y.npy").summary
    assert summary == f"samples do not fit: label {2**63} is not a class number"
