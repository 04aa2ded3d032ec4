"""Samples of .wav files."""

from collections.abc import Sequence

import numpy as np

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Tensor
from tinydeploy.model.text import printable, shape_text
from tinydeploy.samples.choice import evenly, require_room, told
from tinydeploy.samples.collected import Collected
from tinydeploy.samples.fit import quantised_note, require_reals
from tinydeploy.samples.folders import FileSet, class_labels
from tinydeploy.samples.problems import input_name, misfit
from tinydeploy.samples.quantize import to_tensor_type
from tinydeploy.samples.wav import Sound, read_frames, read_header

SUFFIXES = frozenset({".wav"})


def read_sounds(files: FileSet, tensor: Tensor, classes: int | None, limit: int | None) -> Collected:
    """Windows of the input's length, one behind the other without overlap; the folder of a file is its label.

    What is left at the end of a file is not used, but a file that is shorter than a window is one, with zeros behind.
    Channels are averaged; values range from -1 to 1. Labels in a file of their own are one per .wav file.

    Raises:
        UsageError: A file cannot be read, the rates differ, or the input is not a row of values.
    """
    length = _length(files, tensor)
    sounds = [read_header(path) for path in files.files]
    rate_hz = _common_rate(files, sounds)
    ends = np.cumsum([max(1, sound.frames // length) for sound in sounds])
    chosen = evenly(int(ends[-1]), limit)
    require_room(files.root, len(chosen), [tensor])
    item = np.searchsorted(ends, chosen, side="right")
    values = np.empty((len(chosen), *tensor.shape), tensor.dtype.numpy)
    saturated = 0
    for place, (window, index) in enumerate(zip(chosen, item, strict=True)):
        sound, before = sounds[index], int(ends[index - 1]) if index else 0
        first = (int(window) - before) * length
        count = min(length, sound.frames - first)
        padded = np.zeros((1, length), np.float32)
        padded[0, :count] = read_frames(sound, first, count)
        converted = to_tensor_type(padded, tensor)
        values[place] = converted.values.reshape(tensor.shape)
        saturated += converted.saturated
    labels, of_labels = class_labels(files, classes)
    notes = [_summary(len(chosen), int(ends[-1]), length, rate_hz, sounds), *of_labels]
    quantised = quantised_note(tensor, saturated, values.size)
    return Collected(
        inputs=(values,),
        saturated=(saturated,),
        notes=tuple(notes if quantised is None else [*notes, quantised]),
        items=len(sounds),
        item=item.astype(np.int64),
        labels=labels,
    )


def _length(files: FileSet, tensor: Tensor) -> int:
    require_reals(files.root, tensor, "sounds")
    if max(tensor.shape, default=1) != tensor.elements:
        what = f"{input_name(tensor)} has shape {shape_text(tensor.shape)}, and sound is one row of values"
        raise misfit(files.root, what, hint="compute what the model takes, such as spectrograms, and save it as .npy")
    return tensor.elements


def _common_rate(files: FileSet, sounds: Sequence[Sound]) -> int:
    firsts: dict[int, Sound] = {}
    for sound in sounds:
        firsts.setdefault(sound.rate_hz, sound)
    if len(firsts) > 1:
        raise _rates_differ(files, firsts)
    return sounds[0].rate_hz


def _rates_differ(files: FileSet, firsts: dict[int, Sound]) -> UsageError:
    first, second, *_ = sorted(firsts.items())
    rates = " and ".join(f"{rate:,} Hz ({printable(sound.path.name)})" for rate, sound in (first, second))
    hint = "bring all to the model's rate: ffmpeg -i IN.wav -ar RATE OUT.wav"
    return misfit(files.root, f"the sounds have different sample rates: {rates}", hint=hint)


def _summary(used: int, there: int, length: int, rate_hz: int, sounds: Sequence[Sound]) -> str:
    windows, files = told(used, there, "window"), told(len(sounds), len(sounds), ".wav file")
    summary = f"{windows} of {length:,} values ({length / rate_hz:.3g} s at {rate_hz:,} Hz) from {files}"
    short = sum(sound.frames < length for sound in sounds)
    return f"{summary}, {short:,} of them shorter and filled with zeros" if short else summary
