"""Inputs of a model from files of many kinds, alike for calibration and for verification."""

from tinydeploy.samples.check import suspicions
from tinydeploy.samples.made import DEFAULT_SAMPLES, FIRST_NOISE, default_samples, random_samples
from tinydeploy.samples.options import SampleOptions
from tinydeploy.samples.ranges import InputRange, input_ranges
from tinydeploy.samples.read import load_arrays, load_samples
from tinydeploy.samples.samples import UNLABELLED, Samples, hold_out, join_samples

__all__ = [
    "DEFAULT_SAMPLES",
    "FIRST_NOISE",
    "UNLABELLED",
    "InputRange",
    "SampleOptions",
    "Samples",
    "default_samples",
    "hold_out",
    "input_ranges",
    "join_samples",
    "load_arrays",
    "load_samples",
    "random_samples",
    "suspicions",
]
