"""What the command line says about samples that do not fit the model."""

import numpy as np
import pytest
from command_line import BOARD, facts

BAD = {
    "shape": (np.zeros((5, 7), np.int8), "input x has shape 5x7, expected n x 4"),
    "type": (np.zeros((5, 4), np.int32), "input x has element type int32, expected int8 or float"),
    "NaN": (np.array([[0, 1, 2, 3], [0, 1, np.nan, 3]]), "input x has a NaN or an infinity at [1, 2]"),
}


def refused(tool, model, path):
    """The message; the samples are looked at before anything is built."""
    finished = tool("flash", model, "--board", BOARD, "--samples", path, PATH=str(tool.folder))
    assert finished.code == 2, finished.err
    message = finished.err[finished.err.index("error: ") :]
    return message.splitlines()[0], facts(message)


@pytest.mark.parametrize(("array", "problem"), BAD.values(), ids=BAD.keys())
def test_an_array_that_does_not_fit_is_told_with_what_is_expected(tool, model, array, problem):
    np.save(tool.folder / "samples.npy", array)
    summary, rows = refused(tool, model, "samples.npy")
    assert summary == f"error: samples do not fit: {problem}"
    assert rows["file"] == "samples.npy"
    assert rows["try"]


def test_a_pickle_is_not_executed(tool, model):
    class Bomb:
        def __reduce__(self):
            return (open, ("exploded", "w"))

    np.savez(tool.folder / "samples.npz", x=np.array([Bomb()] * 4, dtype=object))
    summary, _ = refused(tool, model, "samples.npz")
    assert summary == "error: samples do not fit: it holds Python objects, not numbers"
    assert not (tool.folder / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "samples do not fit: it is empty (0 bytes)"),
        (b"1,2,3,4\n", "samples do not fit: it is not a numpy file"),
        (b"\x93NUMPY\x01\x00", "samples do not fit: it is damaged or truncated"),
    ],
    ids=["empty", "csv", "cut off"],
)
def test_a_file_without_arrays_is_told_from_a_damaged_one(tool, model, content, problem):
    (tool.folder / "samples.npy").write_bytes(content)
    summary, rows = refused(tool, model, "samples.npy")
    assert summary == f"error: {problem}"
    assert "numpy.save" in rows["try"]


def test_a_missing_samples_file_and_an_empty_folder_are_told(tool, model):
    (tool.folder / "images").mkdir()
    assert refused(tool, model, "nowhere.npz")[0] == "error: cannot read samples: nowhere.npz is not there"
    assert refused(tool, model, "images")[0] == "error: samples do not fit: there is no file in the folder"


def test_labels_that_are_no_classes_of_the_model_are_refused(tool, model):
    np.savez(tool.folder / "samples.npz", x=np.zeros((2, 4), np.int8), labels=np.array([0, 3]))
    summary, _ = refused(tool, model, "samples.npz")
    assert summary == "error: samples do not fit: label 3 is not one of the 3 classes of the first output"
