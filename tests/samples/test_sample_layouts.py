"""Arrays for float inputs, of another layout than the model's, and more of them than wanted."""

import numpy as np
import pytest
from sample_graphs import graph_of, int8_graph, refused

from tinydeploy.errors import UsageError
from tinydeploy.samples import SampleOptions, choice, load_arrays, load_samples

CHANNELS_FIRST = (0, 2, 3, 1)


def saved(folder, array=None, **arrays):
    path = folder / ("s.npz" if arrays else "s.npy")
    np.savez(path, **arrays) if arrays else np.save(path, array)
    return path


# Layouts


@pytest.mark.parametrize("shape", [(5, 3, 8, 6), (5, 1, 3, 8, 6)])
def test_an_array_of_the_sources_layout_is_brought_to_the_models(tmp_path, shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 8, 6, 3)), permutations=[CHANNELS_FIRST])
    expected = np.moveaxis(values.reshape(5, 1, 3, 8, 6), 2, -1)
    assert np.array_equal(samples.inputs[0], expected)
    assert samples.notes == ("input a: axes brought from 1x3x8x6 to the model's 1x8x6x3",)


def test_one_sample_of_the_sources_whole_shape_is_brought_to_the_models(tmp_path):
    values = np.arange(144, dtype=np.float32).reshape(1, 3, 8, 6)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 8, 6, 3)), permutations=[CHANNELS_FIRST])
    assert np.array_equal(samples.inputs[0][0], values.transpose(CHANNELS_FIRST))


def test_an_array_of_the_models_layout_is_taken_as_it_is(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 8, 6, 3)).astype(np.float32)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 8, 6, 3)), permutations=[CHANNELS_FIRST])
    assert np.array_equal(samples.inputs[0][:, 0], values)
    assert samples.notes == ()


def test_where_both_layouts_fit_it_is_the_sources(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 3, 3, 3)), permutations=[CHANNELS_FIRST])
    assert np.array_equal(samples.inputs[0][:, 0], values.transpose(CHANNELS_FIRST))


def test_the_batch_may_move_too(tmp_path):
    values = np.arange(5 * 8 * 6, dtype=np.float32).reshape(5, 8, 1, 6)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 8, 6)), permutations=[(1, 0, 2)])
    assert np.array_equal(samples.inputs[0], values.transpose(0, 2, 1, 3))


def test_each_input_has_a_layout_of_its_own(tmp_path):
    a, b = np.ones((4, 2, 3, 5), np.float32), np.ones((4, 7), np.float32)
    samples = load_samples(saved(tmp_path, a=a, b=b), graph_of((1, 3, 5, 2), (1, 7)), permutations=[(0, 2, 3, 1), None])
    assert [values.shape for values in samples.inputs] == [(4, 1, 3, 5, 2), (4, 1, 7)]


def test_a_shape_of_neither_layout_is_refused_with_both(tmp_path):
    error = refused(
        saved(tmp_path, np.zeros((5, 9, 9), np.float32)), graph_of((1, 8, 6, 3)), permutations=[CHANNELS_FIRST]
    )
    assert error.summary == "samples do not fit: input a has shape 5x9x9, expected n x 3x8x6 or n x 8x6x3"


def test_what_is_not_a_number_is_told_with_its_place_in_the_users_array(tmp_path):
    values = np.zeros((6, 3, 8, 5), np.float32)
    values[4, 2, 7, 1] = np.nan
    path, graph = saved(tmp_path, values), graph_of((1, 8, 5, 3))
    expected = "samples do not fit: input a has a NaN or an infinity at [4, 2, 7, 1]"
    assert refused(path, graph, permutations=[CHANNELS_FIRST]).summary == expected
    every_other = SampleOptions(limit=3)
    assert refused(path, graph, permutations=[CHANNELS_FIRST], options=every_other).summary == expected


def test_integers_of_the_inputs_own_type_change_their_layout_too(tmp_path):
    values = np.arange(5 * 3 * 4 * 2, dtype=np.int8).reshape(5, 3, 4, 2)
    samples = load_samples(saved(tmp_path, values), int8_graph((1, 4, 2, 3)), permutations=[CHANNELS_FIRST])
    assert np.array_equal(samples.inputs[0][:, 0], values.transpose(CHANNELS_FIRST))


# Float inputs


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_integers_become_the_floats_of_a_float_input_with_a_note(tmp_path, dtype):
    values = np.arange(8, dtype=dtype).reshape(2, 4)
    samples = load_samples(saved(tmp_path, values), graph_of((1, 4)))
    assert samples.inputs[0].dtype == np.float32
    assert samples.inputs[0].ravel().tolist() == list(range(8))
    assert samples.notes == (f"input a: {np.dtype(dtype)} taken as floats, not scaled",)


def test_a_double_that_float32_does_not_hold_is_refused(tmp_path):
    error = refused(saved(tmp_path, np.array([[0.0, 1e300]])), graph_of((1, 2)))
    assert error.summary == "samples do not fit: input a has a value beyond float32 at [0, 1]"


def test_words_for_a_float_input_are_refused(tmp_path):
    error = refused(saved(tmp_path, np.array([["x", "y"]])), graph_of((1, 2)))
    assert error.summary == "samples do not fit: input a has element type <U1, expected float32"


def test_arrays_in_memory_are_samples_like_those_of_a_file():
    samples = load_arrays({"a": np.full((2, 4), 7, np.int8), "labels": np.array([2, 0])}, int8_graph((1, 4)))
    assert samples.inputs[0].tolist() == [[[7] * 4]] * 2
    assert samples.labels is not None
    assert samples.labels.tolist() == [2, 0]


def test_arrays_in_memory_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="input a has shape 2x5, expected n x 4") as caught:
        load_arrays({"a": np.zeros((2, 5), np.int8)}, int8_graph((1, 4)))
    assert caught.value.where == {"file": "(arrays in memory)"}


# How many


def test_a_limit_chooses_evenly_and_says_so(tmp_path):
    path = saved(tmp_path, a=np.arange(10, dtype=np.float32).reshape(10, 1), labels=np.arange(10) % 3)
    samples = load_samples(path, graph_of((1, 1)), options=SampleOptions(limit=4))
    assert samples.inputs[0].ravel().tolist() == [0, 2, 5, 7]
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 2, 2, 1]
    assert samples.notes == ("4 of 10 samples used, evenly spread",)


def test_a_limit_that_is_not_reached_changes_nothing(tmp_path):
    samples = load_samples(
        saved(tmp_path, np.zeros((3, 2), np.int8)), int8_graph((1, 2)), options=SampleOptions(limit=3)
    )
    assert (samples.count, samples.notes) == (3, ())


def test_more_samples_than_there_is_memory_for_are_refused_with_how_many_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "MAX_BYTES", 1000)
    path = saved(tmp_path, np.zeros((26, 10), np.float32))
    error = refused(path, graph_of((1, 10)))
    assert error.summary == "samples do not fit: 26 samples of 40 bytes take 1,040 bytes, at most 1,000"
    assert error.hint == "use fewer of them, evenly spread: --max-samples 25"
    assert load_samples(path, graph_of((1, 10)), options=SampleOptions(limit=25)).count == 25


def test_samples_that_stay_in_their_file_take_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "MAX_BYTES", 10)
    assert load_samples(saved(tmp_path, np.zeros((26, 10), np.int8)), int8_graph((1, 10))).count == 26


# Options


@pytest.mark.parametrize(
    ("options", "summary", "hint"),
    [
        ({"limit": 0}, "0 samples are none", "--max-samples 1"),
        ({"image_range": (1, 1)}, "an image range from 1 to 1 is none", "--image-range -1 1"),
        ({"image_range": (0, float("inf"))}, "an image range from 0 to inf is none", "--image-range -1 1"),
        ({"image_size": (0, 8)}, "an image of 0x8 pixels is none", "--image-size HEIGHT WIDTH"),
        ({"image_channels": 2}, "images do not come with 2 channels", "--image-channels 1 (grey), 3 (colour)"),
        ({"image_std": (0.0,)}, "mean and the deviation of images have to be numbers, the deviation above 0", ""),
        ({"image_mean": (float("nan"),)}, "mean and the deviation of images have to be numbers", ""),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options, summary, hint):
    with pytest.raises(UsageError) as caught:
        SampleOptions(**options)
    assert summary in caught.value.summary
    assert hint in caught.value.hint
