"""Multiples that fall into an interval modulo something, by Euclid's algorithm on whole arrays."""

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

NEVER = 2**29
"""Stands for a factor that there is not."""


def multiples_to_move(step: Int64Array, upper: Int64Array, room: Int64Array) -> Int64Array:
    """The factors nearest to 0 that move an interval over a multiple of 2**32.

    For each element the s such that there is one in [upper - room - s * step, upper - s * step], with ``step`` in
    [0, 2**31]; NEVER or more, of either sign, where ``room`` is negative or no s below NEVER does it.
    """
    rest = upper & (2**32 - 1)
    factors = np.where(rest <= room, 0, NEVER)
    (some,) = np.nonzero((rest > room) & (room >= 0))
    modulus = np.full(some.size, 2**32)
    step, rest, room = step[some], rest[some], room[some]
    up = first_within(step, modulus, rest - room, rest)
    down = first_within(step, modulus, modulus - rest, modulus - rest + room)
    factors[some] = np.where(up <= down, up, -down)
    return factors


def first_within(step: Int64Array, modulus: Int64Array, low: Int64Array, high: Int64Array) -> Int64Array:
    """The smallest x >= 0 with ``low <= x * step % modulus <= high``, NEVER or more where none is below that.

    0 <= low <= high < modulus, step < modulus <= 2**32. As in Euclid's algorithm: where no multiple of the step itself
    is in the interval, x * step - y * modulus has to be; y * modulus % step is then in the interval's mirror image.
    """
    divisor = np.maximum(step, 1)
    x = np.where((step == 0) & (low > 0), NEVER, -(-low // divisor))
    (missed,) = np.nonzero((x * step > high) & (step > 0))
    if missed.size:
        step, modulus, low, high = step[missed], modulus[missed], low[missed], high[missed]
        y = first_within(modulus % step, step, -high % step, -low % step)
        x[missed] = np.minimum(-(-(low + modulus * y) // step), NEVER)
    return x
