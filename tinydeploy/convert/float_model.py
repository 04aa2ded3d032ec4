"""What every source becomes before it is quantised."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatModel:
    """A model as a float .tflite with batch 1.

    ``source`` says what it was, for reports: ``Keras 3.15.1 model (.keras)``. ``permutations`` has one entry per graph
    input: the axes that take an array of the source's layout, batch dimension included, to that of the .tflite, such
    as (0, 2, 3, 1) where the source has its channels first; None where the layouts are the same. ``agreement_db`` is
    the signal-to-noise ratio of the .tflite's outputs against those of the source's own framework, in dB, over random
    inputs; None where the source was a .tflite.
    """

    data: bytes
    source: str
    permutations: tuple[tuple[int, ...] | None, ...]
    agreement_db: float | None = None
