"""Samples of images, alone or in folders."""

import contextlib
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from sample_graphs import graph_of, int8_graph, refused

from tinydeploy.errors import UsageError
from tinydeploy.samples import SampleOptions, choice, decode, load_samples

GREY = graph_of((1, 4, 6, 1))
COLOUR = graph_of((1, 4, 6, 3))


def picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def grey(seed=0, shape=(4, 6)):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# Pixels to values


def test_an_image_of_the_inputs_size_keeps_its_pixels_from_0_to_1(tmp_path):
    samples = load_samples(picture(tmp_path / "a.png", grey()), GREY)
    assert samples.inputs[0].dtype == np.float32
    assert np.array_equal(samples.inputs[0][0, 0, :, :, 0], grey().astype(np.float32) / np.float32(255))
    assert samples.notes == ("1 image made 4x6 with 1 channel, pixels 0 to 255 as 0 to 1",)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255), (1, 0), (-128, 127)])
def test_the_range_says_what_black_and_white_are(tmp_path, low, high):
    path = picture(tmp_path / "a.png", [[0, 255, 51, 204, 102, 153]] * 4)
    values = load_samples(path, GREY, options=SampleOptions(image_range=(low, high))).inputs[0]
    expected = [low + (high - low) * share for share in (0, 1, 0.2, 0.8, 0.4, 0.6)]
    assert values[0, 0, 0, :, 0].tolist() == pytest.approx(expected, rel=1e-6)


def test_mean_and_deviation_are_taken_per_channel(tmp_path):
    path = picture(tmp_path / "a.png", np.full((4, 6, 3), [0, 255, 51]))
    options = SampleOptions(image_mean=(0.5, 0.25, 0.2), image_std=(0.5, 0.25, 0.1))
    samples = load_samples(path, COLOUR, options=options)
    assert samples.inputs[0][0, 0, 0, 0].tolist() == pytest.approx([-1, 3, 0], abs=1e-6)
    assert samples.notes[0].endswith("as 0 to 1, less 0.5, 0.25, 0.2, divided by 0.5, 0.25, 0.1")


def test_mean_and_deviation_for_other_channels_are_refused(tmp_path):
    path = picture(tmp_path / "a.png", grey())
    error = refused(path, GREY, options=SampleOptions(image_mean=(0.5, 0.5, 0.5)))
    assert error.summary == "samples do not fit: 3 means or deviations for images of 1 channels"
    assert error.hint == "give one number, or one per channel"


def test_a_range_that_float32_does_not_hold_is_refused(tmp_path):
    error = refused(picture(tmp_path / "a.png", grey()), GREY, options=SampleOptions(image_range=(0, 1e300)))
    assert error.summary == "samples do not fit: the image range, mean and deviation lead beyond float32"


def test_a_quantised_input_gets_the_same_values_quantised(tmp_path):
    path = picture(tmp_path / "a.png", [[0, 255, 51, 204, 102, 153]] * 4)
    samples = load_samples(path, int8_graph((1, 4, 6, 1), scale=1 / 255, zero_point=-128))
    assert samples.inputs[0].dtype == np.int8
    assert samples.inputs[0][0, 0, 0, :, 0].tolist() == [-128, 127, -77, 76, -26, 25]
    assert samples.notes[1] == "input a: floats quantised with scale 0.00392157 and zero point -128"
    assert samples.saturated == (0,)


def test_pixels_beyond_a_quantised_inputs_range_are_counted(tmp_path):
    path = picture(tmp_path / "a.png", [[0, 255, 51, 204, 102, 153]] * 4)
    samples = load_samples(path, int8_graph((1, 4, 6, 1), scale=1 / 255, zero_point=0))
    assert samples.inputs[0].max() == 127
    assert samples.saturated == (12,)
    assert samples.notes[1].endswith("zero point 0, 12 of 24 values saturated")


# Layouts and kinds


def test_channels_come_last_or_first_as_the_model_has_them(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3))
    path = picture(tmp_path / "a.png", pixels)
    whole = SampleOptions(image_range=(0, 255))
    assert load_samples(path, COLOUR, options=whole).inputs[0][0, 0].tolist() == pixels.tolist()
    first = load_samples(path, graph_of((1, 3, 4, 6)), options=whole).inputs[0]
    assert first[0, 0].tolist() == pixels.transpose(2, 0, 1).tolist()


def test_where_both_fit_channels_are_last(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 3))
    path = picture(tmp_path / "a.png", pixels)
    values = load_samples(path, graph_of((1, 3, 6, 3)), options=SampleOptions(image_range=(0, 255))).inputs[0]
    assert values[0, 0].tolist() == pixels.tolist()


def test_an_input_of_two_dimensions_is_a_grey_image(tmp_path):
    values = load_samples(picture(tmp_path / "a.png", grey()), graph_of((1, 4, 6))).inputs[0]
    assert values.shape == (1, 1, 4, 6)


def test_a_flat_input_takes_an_image_of_a_size_that_is_told(tmp_path):
    path = picture(tmp_path / "a.png", grey())
    options = SampleOptions(image_size=(4, 6), image_range=(0, 255))
    values = load_samples(path, graph_of((1, 24)), options=options).inputs[0]
    assert values[0, 0].tolist() == grey().ravel().tolist()
    assert load_samples(path, graph_of((1, 72)), options=SampleOptions(image_size=(4, 6), image_channels=3)).inputs[
        0
    ].shape == (1, 1, 72)


@pytest.mark.parametrize(
    ("shape", "options", "what", "hint"),
    [
        ((1, 24), {}, "input a has shape 1x24, not that of an image", "--image-size HEIGHT WIDTH"),
        ((1, 24), {"image_size": (5, 5)}, "has shape 1x24, not that of an image of 5x5", "--image-size HEIGHT WIDTH"),
        ((1, 5, 6, 2), {}, "has shape 1x5x6x2, not that of an image", "1, 3 or 4 channels"),
        ((1, 4, 6, 3), {"image_size": (6, 4)}, "not that of an image of 6x4", "height x width x channels"),
        (
            (1, 4, 6, 3),
            {"image_size": (4, 6), "image_channels": 1},
            "not that of an image of 4x6 with 1 channels",
            "height x width x channels",
        ),
        ((1, 2, 4, 6, 3), {}, "has shape 1x2x4x6x3, not that of an image", "height x width x channels"),
    ],
)
def test_an_input_that_is_not_an_image_is_refused(tmp_path, shape, options, what, hint):
    error = refused(picture(tmp_path / "a.png", grey()), graph_of(shape), options=SampleOptions(**options))
    assert error.summary.endswith(what)
    assert hint in error.hint


def test_an_input_of_integers_without_a_scale_takes_no_images(tmp_path):
    error = refused(picture(tmp_path / "a.png", grey()), graph_of((1, 4, 6, 1), dtype="INT32"))
    assert error.summary == "samples do not fit: input a is of int32 without a scale: images are real numbers"
    assert error.hint == "save what the model takes as .npy"


def test_images_are_for_models_with_one_input(tmp_path):
    error = refused(picture(tmp_path / "a.png", grey()), graph_of((1, 4, 6, 1), (1, 4, 6, 1)))
    assert error.summary == "samples do not fit: the model has 2 inputs (a, b), an image is one"


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "gif", "pgm", "tif", "webp", "jpg"])
def test_every_kind_of_image_is_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((4, 6), 51, np.uint8)).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert load_samples(path, GREY).inputs[0].ravel().tolist() == pytest.approx([0.2] * 24, abs=0.01)


def test_the_content_decides_not_the_name(tmp_path):
    path = picture(tmp_path / "a.png", grey()).rename(tmp_path / "a.jpg")
    assert np.array_equal(load_samples(path, GREY).inputs[0].ravel() * 255, grey().ravel())


def test_colours_become_grey_and_grey_colours(tmp_path):
    red = picture(tmp_path / "red.png", np.full((4, 6, 3), [255, 0, 0]))
    assert load_samples(red, GREY).inputs[0].ravel().tolist() == pytest.approx([76 / 255] * 24)
    values = load_samples(picture(tmp_path / "grey.png", grey()), COLOUR).inputs[0]
    assert (values[..., 0] == values[..., 2]).all()


def test_what_is_transparent_is_shown_and_four_channels_keep_it(tmp_path):
    path = picture(tmp_path / "a.png", np.full((4, 6, 4), [255, 0, 51, 0]))
    assert load_samples(path, COLOUR).inputs[0][0, 0, 0, 0].tolist() == pytest.approx([1, 0, 0.2])
    alpha = load_samples(path, graph_of((1, 4, 6, 4))).inputs[0]
    assert alpha[0, 0, 0, 0].tolist() == pytest.approx([1, 0, 0.2, 0])


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_sixteen_bits_of_grey_are_scaled_not_cut(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((4, 6), 0x8080, np.uint16)).save(path)
    assert load_samples(path, GREY).inputs[0].ravel().tolist() == pytest.approx([0x80 / 255] * 24)


def test_32_bits_of_grey_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((4, 6), 0.5, np.float32)).save(path)
    error = refused(path, GREY)
    assert error.summary == "samples do not fit: the image has 32 bits of grey in a pixel, at most 16"


def test_an_image_of_another_size_is_resized_with_averages(tmp_path):
    pixels = np.zeros((40, 60), np.uint8)
    pixels[::2] = 200
    values = load_samples(picture(tmp_path / "a.png", pixels), GREY).inputs[0]
    assert values.ravel().tolist() == pytest.approx([100 / 255] * 24, abs=0.02)


def test_a_moving_image_is_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((4, 6), value, np.uint8)) for value in (255, 0)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert load_samples(tmp_path / "a.gif", GREY).inputs[0].min() == 1


# Folders


def numbered(folder, count):
    for number in range(count):
        picture(folder / f"{number:03}.png", np.full((4, 6), number))


def firsts(samples):
    return (samples.inputs[0][:, 0, 0, 0, 0] * 255).round().astype(int).tolist()


def test_a_folder_is_read_with_the_folders_in_it_sorted(tmp_path):
    picture(tmp_path / "b.png", np.full((4, 6), 1))
    picture(tmp_path / "a" / "z.jpg", np.full((4, 6), 2))
    picture(tmp_path / "c" / "d" / "a.bmp", np.full((4, 6), 3))
    samples = load_samples(tmp_path, GREY)
    assert firsts(samples) == [2, 1, 3]
    assert samples.labels is None


def test_folders_are_the_classes_in_alphabetical_order(tmp_path):
    for name in ("dog", "Ant", "cat"):
        picture(tmp_path / name / "deep" / "1.png", np.full((4, 6), ord(name[0])))
        picture(tmp_path / name / "0.png", np.full((4, 6), ord(name[0])))
    samples = load_samples(tmp_path, GREY)
    assert firsts(samples) == [ord("A")] * 2 + [ord("c")] * 2 + [ord("d")] * 2
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert samples.notes[1] == "labels are from the folders: 0 Ant, 1 cat, 2 dog"


def test_a_class_without_images_is_one_all_the_same(tmp_path):
    picture(tmp_path / "a" / "0.png", grey())
    (tmp_path / "b").mkdir()
    picture(tmp_path / "c" / "0.png", grey())
    labels = load_samples(tmp_path, GREY).labels
    assert labels is not None
    assert labels.tolist() == [0, 2]


def test_folders_that_are_not_as_many_as_classes_give_no_labels(tmp_path):
    picture(tmp_path / "7" / "0.png", grey())
    picture(tmp_path / "9" / "0.png", grey())
    samples = load_samples(tmp_path, GREY)
    assert samples.labels is None
    assert samples.notes[1] == "no labels: the files are in 2 folders, the first output has 3 classes"


def test_many_classes_are_not_all_named_and_none_can_write_to_the_terminal(tmp_path):
    for name in ("\x1b[31m", "b", "c", "d", "e", "f", "g"):
        picture(tmp_path / name / "0.png", grey())
    note = load_samples(tmp_path, graph_of((1, 4, 6, 1), classes=7)).notes[1]
    assert note == "labels are from the folders: 0 _[31m, 1 b, 2 c, 3 d, 4 e and 2 more"


def test_labels_that_are_given_go_before_those_of_folders(tmp_path):
    data = tmp_path / "data"
    for name in "abc":
        picture(data / name / "0.png", grey())
    (tmp_path / "labels.txt").write_text("2\n2\n1\n")
    labels = load_samples(data, GREY, labels=tmp_path / "labels.txt").labels
    assert labels is not None
    assert labels.tolist() == [2, 2, 1]


def test_a_limit_is_spread_evenly_over_the_names_and_over_the_labels(tmp_path):
    data = tmp_path / "data"
    numbered(data, 12)
    (tmp_path / "labels.txt").write_text("\n".join(str(number % 3) for number in range(12)))
    samples = load_samples(data, GREY, labels=tmp_path / "labels.txt", options=SampleOptions(limit=5))
    assert firsts(samples) == [0, 2, 4, 7, 9]
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 2, 1, 1, 0]
    assert samples.notes[0].startswith("5 of 12 images, evenly spread, made 4x6 with 1 channel")


def test_images_that_are_not_chosen_are_not_read(tmp_path):
    numbered(tmp_path, 4)
    (tmp_path / "001.png").write_bytes(b"broken")
    assert firsts(load_samples(tmp_path, GREY, options=SampleOptions(limit=2))) == [0, 2]


def test_what_is_hidden_is_left_out_and_what_is_no_image_is_told(tmp_path):
    numbered(tmp_path, 1)
    picture(tmp_path / ".hidden.png", grey())
    picture(tmp_path / ".cache" / "a.png", grey())
    for name in ("README", "a.xml", "b.xml", "\x1b.csv"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.png")
    samples = load_samples(tmp_path, GREY)
    assert samples.count == 1
    assert samples.notes[-1].startswith("4 other files not looked at (.xml, ")


def test_a_link_in_a_circle_is_not_followed(tmp_path):
    numbered(tmp_path / "a", 1)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert load_samples(tmp_path, GREY).count == 1


def test_folders_without_anything_to_read_are_refused(tmp_path):
    assert refused(tmp_path, GREY).summary == "samples do not fit: there is no file in the folder"
    (tmp_path / "a.xml").touch()
    error = refused(tmp_path, GREY)
    assert error.summary == "samples do not fit: there is no image and no .wav file among its 1 files"
    assert error.hint == "give an .npy, .npz or .csv file, or a folder of images or of .wav files"
    assert error.where == {"file": str(tmp_path)}


def test_images_and_sounds_in_one_folder_are_refused(tmp_path):
    numbered(tmp_path, 2)
    (tmp_path / "a.wav").touch()
    error = refused(tmp_path, GREY)
    assert error.summary == "samples do not fit: there are 2 images and 1 .wav files in the folder"
    assert error.hint == "give a folder with one kind of them"


def test_more_images_than_there_is_memory_for_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "MAX_BYTES", 200)
    numbered(tmp_path, 3)
    error = refused(tmp_path, GREY)
    assert error.summary == "samples do not fit: 3 samples of 96 bytes take 288 bytes, at most 200"
    assert error.hint == "use fewer of them, evenly spread: --max-samples 2"


# Images that cannot be read


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"no image", "it is not an image, or of a kind that is not known"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is not an image, or of a kind that is not known"),
        (b"\x89PNG\r\n\x1a\n", "it is not an image, or of a kind that is not known"),
    ],
)
def test_a_file_that_is_no_image_is_named(tmp_path, content, what):
    numbered(tmp_path, 2)
    path = tmp_path / "005.png"
    path.write_bytes(content)
    error = refused(tmp_path, GREY)
    assert error.summary == f"samples do not fit: {what}"
    assert error.where == {"file": str(path)}
    assert error.hint == "replace the image, or take it out"


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "pgm", "tif", "webp"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(grey(shape=(40, 60))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refused(path, GREY)
    assert error.summary in {
        "samples do not fit: the image is damaged or truncated",
        "samples do not fit: it is not an image, or of a kind that is not known",
    }
    assert error.where == {"file": str(path)}


def test_a_name_from_a_folder_cannot_write_to_the_terminal(tmp_path):
    (tmp_path / "\x1b[31m.png").write_bytes(b"no image")
    assert refused(tmp_path, GREY).where["file"].endswith("/_[31m.png")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(path, width, height):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(
    ("width", "height", "what"),
    [
        (10_000, 9_000, "the image has 10,000x9,000 pixels, at most 89,478,485 in all"),
        (60_000, 60_000, "the image has more than 178,956,970 pixels"),
    ],
)
def test_an_image_that_unpacks_to_more_than_memory_is_refused(tmp_path, width, height, what):
    error = refused(bomb(tmp_path / "a.png", width, height), GREY)
    assert error.summary == f"samples do not fit: {what}"
    assert error.hint == "make it smaller, or take it out"


def test_pillows_own_limit_is_the_one_that_is_told():
    assert Image.MAX_IMAGE_PIXELS == decode._MAX_PIXELS


def test_an_image_and_a_folder_that_may_not_be_read_are_named(tmp_path):
    numbered(tmp_path, 2)
    (tmp_path / "001.png").chmod(0)
    if os.access(tmp_path / "001.png", os.R_OK):
        pytest.skip("this user may read everything")
    error = refused(tmp_path, GREY)
    assert error.summary == "samples do not fit: it cannot be read: permission denied"
    assert (error.where, error.hint) == ({"file": str(tmp_path / "001.png")}, "check the file's permissions")
    (tmp_path / "closed").mkdir(mode=0)
    assert refused(tmp_path, GREY).where == {"file": str(tmp_path / "closed")}


def test_no_damage_to_an_image_does_more_than_refuse_it(tmp_path):
    random = np.random.default_rng(0)
    for suffix in ("png", "jpg", "bmp", "gif", "pgm", "tif", "webp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(grey(shape=(8, 8))).save(path)
        whole = path.read_bytes()
        for _ in range(60):
            data = bytearray(whole)
            for place in random.integers(0, len(data), 3):
                data[place] = random.integers(0, 256)
            path.write_bytes(data)
            with contextlib.suppress(UsageError):
                assert load_samples(path, GREY).inputs[0].shape == (1, 1, 4, 6, 1)
