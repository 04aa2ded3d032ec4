"""Least squares with coefficients that are not negative: no amount of work gives instructions back."""

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-9
_MOST_STEPS = 10
"""Times the number of coefficients; the method ends far earlier."""


def non_negative_least_squares(matrix: _Floats, values: _Floats) -> _Floats:
    """The x >= 0 for which ``matrix @ x`` is nearest to ``values``.

    Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23: the coefficients that are above 0 are solved
    for alone; one more joins them while that helps, and those that would become negative leave.
    """
    scales = np.linalg.norm(matrix, axis=0)
    scales[scales == 0] = 1
    matrix = matrix / scales
    count = matrix.shape[1]
    free = np.zeros(count, np.bool_)
    found = np.zeros(count)
    for _ in range(_MOST_STEPS * count):
        gradient = matrix.T @ (values - matrix @ found)
        gradient[free] = -np.inf
        if free.all() or gradient.max() <= _TOLERANCE * np.linalg.norm(values):
            break
        free[int(gradient.argmax())] = True
        found = _feasible(matrix, values, found, free)
    unscaled: _Floats = found / scales
    return unscaled


def _feasible(matrix: _Floats, values: _Floats, found: _Floats, free: npt.NDArray[np.bool_]) -> _Floats:
    """The solution for the free coefficients, of which those that it would make negative are no longer free."""
    while True:
        solved = np.zeros_like(found)
        solved[free] = np.linalg.lstsq(matrix[:, free], values, rcond=None)[0]
        negative = free & (solved <= 0)
        if not negative.any():
            return solved
        share = np.min(found[negative] / (found[negative] - solved[negative]))
        found = found + share * (solved - found)
        free &= found > _TOLERANCE * max(found.max(), 1e-300)
        found[~free] = 0
