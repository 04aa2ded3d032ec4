"""Samples of .wav files."""

import contextlib
import struct
import wave

import numpy as np
import pytest
from sample_graphs import graph_of, int8_graph, refused

from tinydeploy.errors import UsageError
from tinydeploy.samples import SampleOptions, choice, load_samples

GRAPH = graph_of((1, 8))


def wav(path, frames, *, width=2, rate_hz=16_000):
    """By Python's own module; ``frames`` of shape (frames) or (frames, channels), ``width`` bytes per number."""
    numbers = np.asarray(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if numbers.ndim == 1 else numbers.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        bias = 128 if width == 1 else 0
        file.writeframes(b"".join((int(n) + bias).to_bytes(width, "little", signed=width > 1) for n in numbers.ravel()))
    return path


def riff(path, *chunks, kind=b"WAVE"):
    body = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + kind + body)
    return path


def fmt(*, tag=1, channels=1, rate_hz=16_000, bits=16, extra=b""):
    width = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * width, width, bits) + extra


def values(samples):
    return samples.inputs[0].reshape(samples.count, -1).tolist()


# What is in a file


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integers_of_every_width_range_from_minus_1_to_just_below_1(tmp_path, width):
    half = 1 << (8 * width - 2)
    path = wav(tmp_path / "a.wav", [0, half, -half, -2 * half, 2 * half - 1, 1, -1, 0], width=width)
    step = 0.5 / half
    expected = [0, 0.5, -0.5, -1, 1 - step, step, -step, 0]
    assert values(load_samples(path, GRAPH))[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("bits", "code"), [(32, "<f4"), (64, "<f8")])
def test_floats_are_taken_as_they_are(tmp_path, bits, code):
    numbers = [0, 0.25, -1, 1.5, 0, 0, 0, 1e-3]
    path = riff(tmp_path / "a.wav", fmt(tag=3, bits=bits), (b"data", np.array(numbers, code).tobytes()))
    assert values(load_samples(path, GRAPH))[0] == pytest.approx(numbers)


def test_the_long_form_of_a_header_is_read(tmp_path):
    extra = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    path = riff(tmp_path / "a.wav", fmt(tag=0xFFFE, extra=extra), (b"data", struct.pack("<8h", *[16384] * 8)))
    assert values(load_samples(path, GRAPH))[0] == [0.5] * 8


def test_other_parts_of_a_file_are_passed_over_odd_ones_too(tmp_path):
    parts = [(b"LIST", b"odd"), fmt(), (b"cue ", b""), (b"data", struct.pack("<8h", *[8192] * 8)), (b"LIST", b"x")]
    assert values(load_samples(riff(tmp_path / "a.wav", *parts), GRAPH))[0] == [0.25] * 8


def test_a_size_that_was_never_filled_in_means_all_that_there_is(tmp_path):
    path = riff(tmp_path / "a.wav", fmt(), (b"data", struct.pack("<8h", *[8192] * 8)))
    path.write_bytes(path.read_bytes().replace(b"data\x10\0\0\0", b"data\xff\xff\xff\xff"))
    assert values(load_samples(path, GRAPH))[0] == [0.25] * 8


def test_channels_are_averaged(tmp_path):
    path = wav(tmp_path / "a.wav", np.tile([16384, -8192], (8, 1)))
    assert values(load_samples(path, GRAPH))[0] == [0.125] * 8


def test_a_quantised_input_gets_the_same_values_quantised(tmp_path):
    path = wav(tmp_path / "a.wav", [0, 16384, -32768, 32767, 0, 0, 0, 0])
    samples = load_samples(path, int8_graph((1, 8), scale=1 / 64))
    assert values(samples)[0] == [0, 32, -64, 64, 0, 0, 0, 0]
    assert samples.notes[1] == "input a: floats quantised with scale 0.015625 and zero point 0"
    small = load_samples(path, int8_graph((1, 8), scale=1 / 256))
    assert small.saturated == (3,)


# Windows


def test_a_file_is_cut_into_windows_and_what_is_left_is_not_used(tmp_path):
    samples = load_samples(wav(tmp_path / "a.wav", np.arange(30) * 1024), GRAPH)
    assert values(samples) == (np.arange(24).reshape(3, 8) / 32).tolist()
    assert samples.notes == ("3 windows of 8 values (0.0005 s at 16,000 Hz) from 1 .wav file",)


def test_a_shorter_file_is_filled_with_zeros(tmp_path):
    wav(tmp_path / "a.wav", [16384] * 3)
    wav(tmp_path / "b.wav", [16384] * 8)
    samples = load_samples(tmp_path, GRAPH)
    assert values(samples) == [[0.5] * 3 + [0] * 5, [0.5] * 8]
    assert samples.notes[0].endswith("from 2 .wav files, 1 of them shorter and filled with zeros")


@pytest.mark.parametrize("shape", [(1, 8), (1, 8, 1), (1, 1, 8, 1), (8,)])
def test_any_input_that_is_one_row_takes_sound(tmp_path, shape):
    samples = load_samples(wav(tmp_path / "a.wav", [16384] * 8), graph_of(shape))
    assert samples.inputs[0].shape == (1, *shape)


def test_a_limit_is_spread_evenly_over_the_windows_of_all_files(tmp_path):
    wav(tmp_path / "a.wav", np.repeat([0, 1024], 8))
    wav(tmp_path / "b.wav", np.repeat([2, 3, 4, 5], 8) * 1024)
    samples = load_samples(tmp_path, GRAPH, options=SampleOptions(limit=3))
    assert [row[0] * 32 for row in values(samples)] == [0, 2, 4]
    assert samples.notes[0].startswith("3 of 6 windows, evenly spread, of 8 values")


def test_folders_are_the_classes_of_all_windows_of_their_files(tmp_path):
    for number, name in enumerate(("no", "off", "yes")):
        wav(tmp_path / name / "0.wav", [0] * 8 * (number + 1))
    samples = load_samples(tmp_path, GRAPH)
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 1, 2, 2, 2]
    assert samples.notes[1] == "labels are from the folders: 0 no, 1 off, 2 yes"


def test_labels_in_a_file_are_one_for_each_wav(tmp_path):
    data = tmp_path / "data"
    wav(data / "a.wav", [0] * 16)
    wav(data / "b.WAV", [0] * 8)
    (tmp_path / "labels.txt").write_text("2\n1\n")
    labels = load_samples(data, GRAPH, labels=tmp_path / "labels.txt").labels
    assert labels is not None
    assert labels.tolist() == [2, 2, 1]


# What does not fit


def test_an_input_that_is_no_row_is_refused(tmp_path):
    error = refused(wav(tmp_path / "a.wav", [0] * 8), graph_of((1, 49, 40)))
    assert error.summary == "samples do not fit: input a has shape 1x49x40, and sound is one row of values"
    assert error.hint == "compute what the model takes, such as spectrograms, and save it as .npy"


def test_an_input_of_integers_without_a_scale_takes_no_sounds(tmp_path):
    error = refused(wav(tmp_path / "a.wav", [0] * 8), graph_of((1, 8), dtype="INT32"))
    assert error.summary == "samples do not fit: input a is of int32 without a scale: sounds are real numbers"


def test_sounds_are_for_models_with_one_input(tmp_path):
    error = refused(wav(tmp_path / "a.wav", [0] * 8), graph_of((1, 8), (1, 8)))
    assert error.summary == "samples do not fit: the model has 2 inputs (a, b), a sound is one"


def test_files_of_different_rates_are_refused(tmp_path):
    wav(tmp_path / "a.wav", [0] * 8, rate_hz=44_100)
    wav(tmp_path / "b.wav", [0] * 8, rate_hz=16_000)
    error = refused(tmp_path, GRAPH)
    expected = "the sounds have different sample rates: 16,000 Hz (b.wav) and 44,100 Hz (a.wav)"
    assert error.summary == f"samples do not fit: {expected}"
    assert error.hint == "bring all to the model's rate: ffmpeg -i IN.wav -ar RATE OUT.wav"


def test_more_windows_than_there_is_memory_for_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "MAX_BYTES", 70)
    error = refused(wav(tmp_path / "a.wav", [0] * 24), GRAPH)
    assert error.summary == "samples do not fit: 3 samples of 32 bytes take 96 bytes, at most 70"


SOUND = (b"data", bytes(16))


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([fmt(tag=7, bits=8), SOUND], "its sound is mu-law of 8 bits, expected PCM or floats"),
        ([fmt(tag=17, bits=4), SOUND], "its sound is IMA ADPCM of 4 bits, expected PCM or floats"),
        ([fmt(tag=1, bits=12), SOUND], "its sound is PCM of 12 bits, expected PCM or floats"),
        ([fmt(tag=3, bits=16), SOUND], "its sound is floats of 16 bits, expected PCM or floats"),
        ([fmt(tag=999), SOUND], "its sound is format 999 of 16 bits, expected PCM or floats"),
        (
            [(b"fmt ", struct.pack("<HHIIHH", 1, 2, 16_000, 64_000, 3, 16)), SOUND],
            "its header contradicts itself: 2 channels of 16 bits in 3 bytes, 16,000 Hz",
        ),
        ([fmt(channels=0), SOUND], "its header contradicts itself: 0 channels of 16 bits in 0 bytes, 16,000 Hz"),
        ([fmt(rate_hz=0), SOUND], "its header contradicts itself: 1 channels of 16 bits in 2 bytes, 0 Hz"),
        ([(b"fmt ", b"short"), SOUND], "it is damaged or truncated: its format is not all there"),
        ([SOUND], "it is damaged or truncated: it has no format"),
        ([fmt()], "it is damaged or truncated: it has no sound"),
        ([fmt(), (b"data", b"")], "there is no sound in it"),
        (
            [fmt(tag=3, bits=32), (b"data", np.array([0, 0, np.nan], "<f4").tobytes())],
            "it has a NaN or an infinity at frame 2",
        ),
    ],
)
def test_a_sound_that_cannot_be_used_is_named(tmp_path, parts, what):
    path = riff(tmp_path / "a.wav", *parts)
    error = refused(tmp_path, GRAPH)
    assert error.summary == f"samples do not fit: {what}"
    assert error.where == {"file": str(path)}
    assert error.hint


def test_a_truncated_file_is_refused_with_how_much_there_is(tmp_path):
    path = wav(tmp_path / "a.wav", [0] * 1000)
    path.write_bytes(path.read_bytes()[:1000])
    error = refused(path, GRAPH)
    assert error.summary == "samples do not fit: it is truncated: 956 of 2,000 bytes of sound"
    assert error.hint == "fetch the file again, or take it out"


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\0\0\0\0AVI LIST"])
def test_a_file_that_is_no_wav_is_refused(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    error = refused(tmp_path, GRAPH)
    assert error.summary == "samples do not fit: it is not a .wav file"
    assert error.hint == "write it again as PCM: ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"


def test_no_damage_to_a_header_does_more_than_refuse_it(tmp_path):
    random = np.random.default_rng(0)
    path = wav(tmp_path / "a.wav", np.arange(40) * 100)
    whole = path.read_bytes()
    for _ in range(500):
        data = bytearray(whole)
        for place in random.integers(0, 44, 3):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        with contextlib.suppress(UsageError):
            assert load_samples(path, GRAPH).inputs[0].shape[1:] == (1, 8)
