"""Samples of tables."""

import numpy as np
import pytest
from sample_graphs import graph_of, int8_graph, refused

from tinydeploy.samples import SampleOptions, load_samples, tables

GRAPH = graph_of((1, 2, 2))


def table(folder, text, name="s.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5,6,7,8\n",
        "1,2,3,4\r\n5,6,7,8",
        "a,b,c,d\n1,2,3,4\n5,6,7,8\n",
        "\n1;2;3;4\n\n5;6;7;8\n",
        "1\t2\t3\t4\n5\t6\t7\t8\n",
        '"x, 1";b;c;d\n"1";2.0;3;4e0\n 5 ;6;7;8\n',
        "\N{BYTE ORDER MARK}1,2,3,4\n5,6,7,8\n",
    ],
)
def test_a_line_is_a_sample_with_or_without_a_header(tmp_path, text):
    samples = load_samples(table(tmp_path, text), GRAPH)
    assert samples.inputs[0].dtype == np.float32
    assert samples.inputs[0].tolist() == [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]
    assert (samples.labels, samples.notes) == (None, ())


def test_a_header_that_counts_the_columns_is_told(tmp_path):
    samples = load_samples(table(tmp_path, "0,1,2,3\n5,6,7,8\n"), GRAPH)
    assert samples.inputs[0].ravel().tolist() == [5, 6, 7, 8]
    assert samples.notes == ("line 1 counts the columns and was taken as a header",)


def test_a_column_named_label_has_the_classes_wherever_it_is(tmp_path):
    samples = load_samples(table(tmp_path, "a,b,Label,c,d\n1,2,0,3,4\n5,6,2.0,7,8\n"), GRAPH)
    assert samples.inputs[0].ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 2]


def test_the_values_are_in_the_order_of_the_sources_layout(tmp_path):
    text = ",".join(map(str, range(1, 25)))
    samples = load_samples(table(tmp_path, text), graph_of((1, 2, 4, 3)), permutations=[(0, 2, 3, 1)])
    assert samples.inputs[0][0].tolist() == np.arange(1, 25).reshape(1, 3, 2, 4).transpose(0, 2, 3, 1).tolist()


def test_numbers_for_a_quantised_input_are_real_ones(tmp_path):
    samples = load_samples(table(tmp_path, "1,-1,0,100\n"), int8_graph((1, 4), zero_point=-10))
    assert samples.inputs[0].ravel().tolist() == [-8, -12, -10, 127]
    assert samples.notes == ("input a: floats quantised with scale 0.5 and zero point -10, 1 of 4 values saturated",)
    assert samples.saturated == (1,)


def test_integers_without_a_scale_are_taken_as_they_are(tmp_path):
    samples = load_samples(table(tmp_path, "1,2147483647\n"), graph_of((1, 2), dtype="INT32"))
    assert samples.inputs[0].ravel().tolist() == [1, 2147483647]
    assert samples.inputs[0].dtype == np.int32


def test_a_limit_chooses_lines(tmp_path):
    path = table(tmp_path, "label,x\n0,10\n1,11\n2,12\n0,13\n")
    samples = load_samples(path, graph_of((1, 1)), options=SampleOptions(limit=2))
    assert samples.inputs[0].ravel().tolist() == [10, 12]
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 2]
    assert samples.notes == ("2 of 4 samples used, evenly spread",)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1,2,3\n", "line 1 has 3 values, expected 4 (input a of 1x2x2)"),
        ("1,2,3,4\n\n1,2,3,4,5\n", "line 3 has 5 values, expected 4 (input a of 1x2x2)"),
        ("label,a,b,c,d\n1,2,3,4\n", "line 2 has 4 values, expected 4 (input a of 1x2x2) and a label"),
        ("1,2,3,4\n1,2,x y,4\n", "line 2, column 3 is not a number: x y"),
        ("1,2,\x1b[31m,4\n", "line 1, column 3 is not a number: _[31m"),
        ("1,2,,4\n", "line 1, column 3 is empty"),
        ("1,2,3,4\n1,nan,3,4\n", "value 2 of line 2 is not a number that the input holds: nan"),
        ("1,2,3,4\n1,2,3,-1e99\n", "value 4 of line 2 is not a number that the input holds: -1e+99"),
        ("label,a,b,c,d\n1,1,2,3,4\n1.5,1,2,3,4\n", "line 3, column 1 is not a class number: 1.5"),
        ("label,a,b,c,d\ncat,1,2,3,4\n", "line 2, column 1 is not a class number: cat"),
        ("label,a,b,c,d\n3,1,2,3,4\n", "label 3 is not one of the 3 classes of the first output"),
        ("a,b,c,d\n", "there are no samples in it"),
        ("\n\n", "there are no samples in it"),
        ("", "it is empty (0 bytes)"),
        (b"1,2,3,\xff\xfe", "it is not text in UTF-8"),
        ('1,2,3,"4\n', "it is not a table: unexpected end of data"),
        ("1,2,3," + "4" * 200_000, "it is not a table: field larger than field limit (131072)"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_place(tmp_path, text, what):
    path = table(tmp_path, text)
    error = refused(path, GRAPH)
    assert error.summary == f"samples do not fit: {what}"
    assert error.where == {"file": str(path)}


def test_a_bad_line_is_refused_with_how_a_table_has_to_be(tmp_path):
    hint = refused(table(tmp_path, "1,2,3\n"), GRAPH).hint
    assert hint == "one sample a line; a column of classes is named `label` in a header line"


def test_what_an_integer_does_not_hold_is_refused(tmp_path):
    graph = graph_of((1, 2), dtype="INT32")
    expected = "samples do not fit: value 2 of line 1 is not a whole number from -2,147,483,648 to 2,147,483,647"
    assert refused(table(tmp_path, "1,2.5\n"), graph).summary == f"{expected}: 2.5"
    assert refused(table(tmp_path, "1,3e9\n"), graph).summary == f"{expected}: 3e+09"


def test_a_table_is_for_one_input(tmp_path):
    error = refused(table(tmp_path, "1,2\n"), graph_of((1, 2), (1, 2)))
    assert error.summary == "samples do not fit: the model has 2 inputs (a, b), a table is one"
    assert error.hint == "save all inputs in an .npz, one array per input name"


def test_a_table_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MAX_BYTES", 10)
    error = refused(table(tmp_path, "1,2,3,4\n1,2,3,4\n"), GRAPH)
    assert (error.summary, error.hint) == (
        "samples do not fit: it has 16 bytes, at most 10",
        "save the samples as .npy",
    )


def test_a_file_of_no_known_kind_is_refused(tmp_path):
    error = refused(table(tmp_path, "1,2,3,4\n", name="s.data"), GRAPH)
    assert error.summary == "samples do not fit: it is of no kind that is known"
    assert error.hint == "give an .npy, .npz or .csv file, or a folder of images or of .wav files"
