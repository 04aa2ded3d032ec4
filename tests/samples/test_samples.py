"""Samples: the default ones, and what files of samples may and may not hold."""

import contextlib
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_builder import ModelBuilder

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model
from tinydeploy.samples import UNLABELLED, Samples, default_samples, join_samples, load_samples


def model(*shapes: tuple[int, ...], dtype: str = "INT8", scale: float | None = 0.5, zero_point: int = -10) -> Graph:
    """Inputs of the given shapes, named a, b..., and an output of 10 classes."""
    builder = ModelBuilder()
    quantised = {} if scale is None else {"scale": scale, "zero_point": zero_point}
    inputs = [builder.tensor(shape, dtype, name=name, **quantised) for name, shape in zip("abc", shapes, strict=False)]
    y = builder.tensor((1, 10), scale=1.0)
    builder.op("SOME_OP", inputs, [y])
    return parse_model(builder.finish(inputs=inputs, outputs=[y]), name="m.tflite")


GRAPH = model((1, 4, 3))


def save(tmp_path, array=None, **arrays):
    path = tmp_path / ("s.npz" if arrays else "s.npy")
    if arrays:
        np.savez(path, **arrays)
    else:
        np.save(path, array)
    return path


def refusal(path, graph: Graph = GRAPH) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_samples(path, graph)
    assert caught.value.exit_code == 2
    return caught.value


# The default ones


def test_the_default_is_zeros_both_extremes_and_noise_over_the_full_range():
    samples = default_samples(GRAPH)
    assert samples.count == 16
    (values,) = samples.inputs
    assert (values.shape, values.dtype) == ((16, 1, 4, 3), np.int8)
    assert [set(values[i].ravel().tolist()) for i in range(3)] == [{-10}, {-128}, {127}]
    assert (values[3:].min(), values[3:].max()) <= (-120, 120)
    assert len(np.unique(values[3:])) > 80


def test_the_default_is_the_same_every_time():
    assert default_samples(GRAPH, count=5, seed=7).inputs[0].tobytes() == (
        default_samples(GRAPH, count=5, seed=7).inputs[0].tobytes()
    )
    assert default_samples(GRAPH, seed=1).inputs[0].tobytes() != default_samples(GRAPH, seed=2).inputs[0].tobytes()


@pytest.mark.parametrize(
    ("dtype", "scale", "expected"),
    [
        ("UINT8", 0.5, [5, 0, 255]),
        ("INT16", 0.5, [5, -32768, 32767]),
        ("INT32", None, [0, -(2**31), 2**31 - 1]),
        ("FLOAT32", None, [0, -1, 1]),
    ],
)
def test_every_element_type_has_its_zero_and_extremes(dtype, scale, expected):
    (values,) = default_samples(model((1, 2), dtype=dtype, scale=scale, zero_point=5)).inputs
    assert values[:3, 0, 0].tolist() == expected


def test_one_sample_is_the_inputs_of_one_inference():
    samples = default_samples(model((1, 2), (1, 5)))
    assert [values.shape for values in samples[3]] == [(1, 2), (1, 5)]


def test_joined_samples_stand_one_behind_the_other_with_labels_where_known():
    first = default_samples(GRAPH, count=4)
    second = Samples(inputs=(np.ones((2, 1, 4, 3), np.int8),), labels=np.array([3, 4]), notes=("a note",))
    joined = join_samples(first, second)
    assert joined.count == 6
    assert joined.inputs[0][4:].tolist() == second.inputs[0].tolist()
    assert joined.labels is not None
    assert joined.labels.tolist() == [UNLABELLED] * 4 + [3, 4]
    assert joined.notes == ("a note",)
    assert join_samples(first, first).labels is None


# Files that fit


@pytest.mark.parametrize("shape", [(7, 4, 3), (7, 1, 4, 3)])
def test_int8_arrays_are_taken_as_they_are_with_or_without_the_batch_dimension(tmp_path, shape):
    values = np.arange(84, dtype=np.int8).reshape(shape)
    samples = load_samples(save(tmp_path, values), GRAPH)
    assert samples.inputs[0].tolist() == values.reshape(7, 1, 4, 3).tolist()
    assert (samples.labels, samples.notes) == (None, ())


def test_an_array_of_the_inputs_own_shape_is_one_sample(tmp_path):
    graph = model((1, 5))
    samples = load_samples(save(tmp_path, np.zeros((1, 5), np.int8)), graph)
    assert samples.count == 1


def test_an_npy_file_is_mapped_not_read(tmp_path):
    samples = load_samples(save(tmp_path, np.zeros((7, 4, 3), np.int8)), GRAPH)
    base = samples.inputs[0]
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_floats_are_quantised_away_from_zero_and_saturate_with_a_note(tmp_path):
    reals = np.zeros((1, 4, 3), np.float64)
    # In steps of 0.5 from -10: halves round away from zero, and 127 is 68.5.
    reals.flat[:8] = [0, 0.5, 0.25, -0.25, 0.24, 68.5, 69, -1e300]
    samples = load_samples(save(tmp_path, reals), GRAPH)
    assert samples.inputs[0].dtype == np.int8
    assert samples.inputs[0].ravel()[:8].tolist() == [-10, -9, -9, -11, -10, 127, 127, -128]
    expected = "input a: floats quantised with scale 0.5 and zero point -10, 2 of 12 values saturated"
    assert samples.notes == (expected,)


def test_floats_in_many_blocks_are_quantised_alike(tmp_path, monkeypatch):
    monkeypatch.setattr("tinydeploy.samples.quantize._BLOCK_ELEMENTS", 24)
    reals = np.linspace(-70, 70, 7 * 12).reshape(7, 4, 3).astype(np.float32)
    got = load_samples(save(tmp_path, reals), GRAPH).inputs[0].ravel()
    halves = np.sign(reals) * np.floor(np.abs(reals / 0.5) + 0.5)
    assert got.tolist() == np.clip(halves - 10, -128, 127).ravel().tolist()


def test_floats_for_a_float_input_stay_floats(tmp_path):
    samples = load_samples(save(tmp_path, np.full((2, 3), 0.1)), model((1, 3), dtype="FLOAT32", scale=None))
    assert samples.inputs[0].dtype == np.float32
    assert samples.inputs[0][0, 0, 0] == np.float32(0.1)


def test_several_inputs_are_found_by_name_in_any_order(tmp_path):
    graph = model((1, 2), (1, 5))
    a, b = np.ones((3, 2), np.int8), np.full((3, 5), 2, np.int8)
    samples = load_samples(save(tmp_path, b=b, a=a, unrelated=a), graph)
    assert [int(values[0, 0, 0]) for values in samples.inputs] == [1, 2]


def test_several_inputs_are_found_by_order(tmp_path):
    graph = model((1, 2), (1, 5))
    path = tmp_path / "s.npz"
    np.savez(path, np.ones((3, 2), np.int8), np.full((3, 5), 2, np.int8))
    assert [int(values[0, 0, 0]) for values in load_samples(path, graph).inputs] == [1, 2]


def test_labels_come_along(tmp_path):
    path = save(tmp_path, images=np.zeros((2, 4, 3), np.int8), labels=np.array([3, 9], np.uint8))
    labels = load_samples(path, GRAPH).labels
    assert labels is not None
    assert labels.tolist() == [3, 9]


# Files that do not fit


@pytest.mark.parametrize(
    ("array", "what", "hint"),
    [
        (np.zeros((7, 3, 4), np.int8), "input a has shape 7x3x4, expected n x 4x3", "counts the samples"),
        (np.zeros(12, np.int8), "input a has shape 12, expected n x 4x3", "counts the samples"),
        (np.zeros((), np.int8), "input a has shape scalar, expected n x 4x3", "counts the samples"),
        (np.zeros((7, 4, 3), np.uint8), "input a has element type uint8, expected int8 or float", "convert the array"),
        (np.zeros((7, 4, 3), np.int64), "input a has element type int64, expected int8 or float", "convert the array"),
        (np.zeros((7, 4, 3), bool), "input a has element type bool, expected int8 or float", "convert the array"),
        (np.zeros((7, 4, 3), complex), "element type complex128, expected int8 or float", "convert the array"),
        (np.full((7, 4, 3), "x"), "element type <U1, expected int8 or float", "convert the array"),
        (np.zeros((0, 4, 3), np.int8), "there are no samples in it", "at least one"),
        (np.zeros((0, 4, 3), np.float32), "there are no samples in it", "at least one"),
        (np.array([{}]), "it holds Python objects, not numbers", "numpy.save"),
    ],
)
def test_an_array_that_does_not_fit_is_refused_with_what_was_expected(tmp_path, array, what, hint):
    path = save(tmp_path, array)
    error = refusal(path)
    assert error.summary.startswith("samples do not fit: ")
    assert what in error.summary
    assert error.where == {"file": str(path)}
    assert hint in error.hint


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_refused_with_its_place(tmp_path, value):
    reals = np.zeros((7, 4, 3))
    reals[5, 2, 1] = value
    assert refusal(save(tmp_path, reals)).summary.endswith("input a has a NaN or an infinity at [5, 2, 1]")


def test_floats_for_an_input_without_a_scale_are_refused(tmp_path):
    error = refusal(save(tmp_path, np.zeros((1, 2))), model((1, 2), dtype="INT32", scale=None))
    assert "element type float64, expected int32" in error.summary


def test_uint8_is_taken_where_the_model_is_uint8(tmp_path):
    samples = load_samples(save(tmp_path, np.full((2, 3), 200, np.uint8)), model((1, 3), dtype="UINT8", zero_point=0))
    assert samples.inputs[0].dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty (0 bytes)"),
        (b"1,2,3\n", "it is not a numpy file"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': '|i1'", "it is damaged or truncated"),
        (b"PK\x03\x04 and then nothing", "it is damaged or truncated"),
    ],
)
def test_a_file_that_is_no_array_is_refused(tmp_path, content, what):
    path = tmp_path / "s.npy"
    path.write_bytes(content)
    error = refusal(path)
    assert error.summary == f"samples do not fit: {what}"
    assert error.hint


def test_a_truncated_array_is_refused(tmp_path):
    path = save(tmp_path, np.zeros((7, 4, 3), np.int8))
    path.write_bytes(path.read_bytes()[:-10])
    assert refusal(path).summary == "samples do not fit: it is damaged or truncated"


def test_a_header_that_lies_about_its_size_is_refused(tmp_path):
    array = tmp_path / "a.npy"
    np.save(array, np.zeros((7, 4, 3), np.int8))
    lying = array.read_bytes().replace(b"(7, 4, 3), }         ", b"(7000000000000, 4, 3), }"[:21])
    path = tmp_path / "s.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", lying)
    assert refusal(path).summary == "samples do not fit: it is damaged or truncated"


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(tmp_path):
    path = tmp_path / "s.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1000))
    data = path.read_bytes()
    # The size in the archive's directory, which is what an honest unpacker would need.
    path.write_bytes(data.replace(struct.pack("<I", 1000), struct.pack("<I", 3 << 30)))
    assert "its arrays take 3,221,225,472 bytes unpacked" in refusal(path).summary


def test_a_pickle_in_an_archive_is_never_loaded(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    assert refusal(path).summary == "samples do not fit: it holds Python objects, not numbers"


def test_something_in_an_archive_that_is_no_array_is_refused(tmp_path):
    path = tmp_path / "s.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "element type" in refusal(path).summary or "shape" in refusal(path).summary


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(archive=st.booleans(), changes=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
def test_no_damage_to_a_file_does_more_than_refuse_it(tmp_path, archive, changes):
    values = np.zeros((7, 4, 3), np.int8)
    path = save(tmp_path, a=values) if archive else save(tmp_path, values)
    data = bytearray(path.read_bytes())
    for position, byte in changes:
        data[position % len(data)] = byte
    path.write_bytes(data)
    with contextlib.suppress(UsageError), warnings.catch_warnings(action="ignore"):
        assert load_samples(path, GRAPH).inputs[0].shape[1:] == (1, 4, 3)


def test_a_missing_file_is_refused_with_what_can_be_given(tmp_path):
    error = refusal(tmp_path / "no.npy")
    assert error.summary == f"cannot read samples: {tmp_path / 'no.npy'} is not there"
    assert error.hint == "give an .npy, .npz or .csv file, or a folder of images or of .wav files"


def test_names_that_do_not_match_several_inputs_are_refused(tmp_path):
    error = refusal(save(tmp_path, x=np.zeros((1, 2), np.int8)), model((1, 2), (1, 5)))
    assert error.summary == "samples do not fit: it has x; the model's inputs are a, b"
    assert error.hint == "name the arrays like the inputs"


def test_names_that_match_only_some_inputs_are_refused_rather_than_taken_by_their_order(tmp_path):
    values = np.zeros((1, 2), np.int8)
    error = refusal(save(tmp_path, b=values, other=values), model((1, 2), (1, 2)))
    assert error.summary == "samples do not fit: it has b, other; the model's inputs are a, b"
    assert error.hint == "name the arrays like the inputs"


def test_different_numbers_of_samples_are_refused(tmp_path):
    path = save(tmp_path, a=np.zeros((3, 2), np.int8), b=np.zeros((4, 5), np.int8))
    assert "inputs have different numbers of samples: 3, 4" in refusal(path, model((1, 2), (1, 5))).summary


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.array([1]), "labels are 1 of int64, expected 2 integers"),
        (np.array([1.0, 2.0]), "labels are 2 of float64, expected 2 integers"),
        (np.array([[1, 0], [0, 1]]), "labels are 2x2 of int64, expected 2 integers"),
        (np.array([1, 10]), "label 10 is not one of the 10 classes of the first output"),
        (np.array([-1, 1]), "label -1 is not one of the 10 classes of the first output"),
        (np.array([2**64 - 1, 0], np.uint64), "is not one of the 10 classes of the first output"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, what):
    assert what in refusal(save(tmp_path, a=np.zeros((2, 4, 3), np.int8), labels=labels)).summary


def table_lookup(kind: str) -> bytes:
    """A table of 5 rows with 6 columns, from which the only input chooses; GATHER chooses columns."""
    builder = ModelBuilder()
    indices = builder.tensor((2,), "INT32") if kind != "GATHER_ND" else builder.tensor((1, 2), "INT32")
    table = builder.constant(np.arange(30, dtype=np.int8).reshape(5, 6), scale=0.1)
    shape = {"EMBEDDING_LOOKUP": (2, 6), "GATHER": (5, 2), "GATHER_ND": (1,)}[kind]
    y = builder.tensor(shape, scale=0.1)
    operands = [indices, table] if kind == "EMBEDDING_LOOKUP" else [table, indices]
    builder.op(kind, operands, [y], **({"axis": 1} if kind == "GATHER" else {}))
    return builder.finish(inputs=[indices], outputs=[y])


@pytest.mark.parametrize(("kind", "highest"), [("EMBEDDING_LOOKUP", 4), ("GATHER", 5), ("GATHER_ND", 4)])
def test_inputs_that_are_indices_choose_among_what_there_is(kind, highest):
    (values,) = default_samples(parse_model(table_lookup(kind), name="table.tflite"), count=64).inputs
    assert (values.min(), values.max()) == (0, highest)
    assert values[0].max() == 0
