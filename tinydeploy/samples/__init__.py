"""Inputs of a model from files of many kinds, alike for calibration and for verification."""

from tinydeploy.samples.samples import (
    FIRST_NOISE,
    UNLABELLED,
    Samples,
    default_samples,
    join_samples,
    load_samples,
)

__all__ = [
    "FIRST_NOISE",
    "UNLABELLED",
    "Samples",
    "default_samples",
    "join_samples",
    "load_samples",
]
